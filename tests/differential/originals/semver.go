package main

import (
	semver1 "github.com/Masterminds/semver"
	semver3 "github.com/Masterminds/semver/v3"
)

func init() {
	// [range, version…] → for each version whether it satisfies the range, null where it is no version.
	operations["semver1.range"] = func(arguments []string) any {
		constraint, err := semver1.NewConstraint(arguments[0])
		if err != nil {
			return nil
		}
		verdicts := []any{}
		for _, text := range arguments[1:] {
			if version, err := semver1.NewVersion(text); err == nil {
				verdicts = append(verdicts, constraint.Check(version))
			} else {
				verdicts = append(verdicts, nil)
			}
		}
		return verdicts
	}
	operations["semver3.range"] = func(arguments []string) any {
		constraint, err := semver3.NewConstraint(arguments[0])
		if err != nil {
			return nil
		}
		verdicts := []any{}
		for _, text := range arguments[1:] {
			if version, err := semver3.StrictNewVersion(text); err == nil {
				verdicts = append(verdicts, constraint.Check(version))
			} else {
				verdicts = append(verdicts, nil)
			}
		}
		return verdicts
	}
	// [one, other] → -1, 0 or 1.
	operations["semver1.compare"] = func(arguments []string) any {
		one, err := semver1.NewVersion(arguments[0])
		if err != nil {
			return nil
		}
		other, err := semver1.NewVersion(arguments[1])
		if err != nil {
			return nil
		}
		return one.Compare(other)
	}
	operations["semver3.compare"] = func(arguments []string) any {
		one, err := semver3.StrictNewVersion(arguments[0])
		if err != nil {
			return nil
		}
		other, err := semver3.StrictNewVersion(arguments[1])
		if err != nil {
			return nil
		}
		return one.Compare(other)
	}
}
