"""Image registries, by the OCI distribution protocol and Docker's: a name becomes tags, digests and creation times.

Words owned here: repository (one name at one registry), challenge (what a registry asks for before it answers), realm
(who gives out its tokens), keyring (logins by host), scan (bring what is known of a repository's tags up to date). An
`ImageRef` and a `RegistryAccess` enter at `registries.Registries` or `scanner.Scanner`; tags and descriptions leave.
Everything that a registry sends is hostile: sizes, times, counts and redirects are limited, digests are computed here,
and a credential only goes to the host that it was given for. Which tag is chosen is decided elsewhere.
"""
