module sluice.dev/tests/originals

go 1.26.0

require (
	github.com/Masterminds/semver v1.4.2
	github.com/Masterminds/semver/v3 v3.4.0
	github.com/distribution/reference v0.6.0
)

require github.com/opencontainers/go-digest v1.0.0 // indirect
