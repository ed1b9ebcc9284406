package main

import (
	"regexp"
	"strconv"
)

func init() {
	// [pattern, template, text…] → for each text the expanded template, null where the pattern is not found.
	operations["regexp.expand"] = func(arguments []string) any {
		pattern, err := regexp.Compile(arguments[0])
		if err != nil {
			return nil
		}
		expanded := []any{}
		for _, text := range arguments[2:] {
			if found := pattern.FindStringSubmatchIndex(text); found != nil {
				expanded = append(expanded, string(pattern.ExpandString(nil, arguments[1], text, found)))
			} else {
				expanded = append(expanded, nil)
			}
		}
		return expanded
	}
	// [text…] → for each the number, written exactly, null where it is none.
	operations["strconv.float"] = func(arguments []string) any {
		numbers := []any{}
		for _, text := range arguments {
			if number, err := strconv.ParseFloat(text, 64); err == nil {
				numbers = append(numbers, strconv.FormatFloat(number, 'x', -1, 64))
			} else {
				numbers = append(numbers, nil)
			}
		}
		return numbers
	}
}
