package main

import (
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/distribution/reference"
)

func init() {
	// [text] → host, repository, tag and digest.
	operations["reference.parse"] = func(arguments []string) any {
		named, err := reference.ParseNormalizedNamed(arguments[0])
		if err != nil {
			return nil
		}
		parts := []string{reference.Domain(named), reference.Path(named), "", ""}
		if tagged, ok := named.(reference.Tagged); ok {
			parts[2] = tagged.Tag()
		}
		if digested, ok := named.(reference.Digested); ok {
			parts[3] = digested.Digest().String()
		}
		return parts
	}
}
