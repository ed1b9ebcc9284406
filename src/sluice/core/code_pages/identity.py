"""E64x: pages of who signed what is synced, and as whom it is applied."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E640": _Page(
        "The source asks for signatures, and the newest revision has none. It is not applied; what was verified last "
        "stays.",
        "signature verification of commit '5b7c…' failed [E640] at .@5b7c1d2: it carries no signature; "
        "fix: have it signed (git commit -S, git tag -s) by a person whose public key is trusted",
        "Somebody pushed without signing, the host made a merge without a key of its own, or a tag is lightweight. "
        "Under mode TagAndHEAD the tag may be signed and its commit not.",
        "Push a signed commit on top (`git commit -S --amend`, or an empty signed one), or make the tag again with "
        "`git tag -s`.",
    ),
    "E641": _Page(
        "The newest revision is signed, but by nobody who is trusted. Not applied: what was verified last stays.",
        "signature verification of commit '5b7c…' failed [E641] at .@5b7c1d2: the key is not among those that are "
        "trusted (key 3299AEB0E4085BAF); fix: add the signer's public key to what is trusted, or have a trusted person "
        "sign",
        "A new colleague, a new key, a host's own signing key (GitHub signs merges made in the browser); "
        "or a stranger.",
        "Find out whose key it is before anything else. Then add the public key to the Secret of spec.verify and ask: "
        "`sluice reconcile source git NAME`.",
    ),
    "E642": _Page(
        "The newest revision is signed by a key that is out of force now. The date of a commit proves nothing, so one "
        "that claims to be older than the key's end is refused, too.",
        "signature verification of commit '5b7c…' failed [E642] at .@5b7c1d2: the key has run out (key "
        "3299AEB0E4085BAF); fix: have it signed by a key that is in force, or extend the key and give its new "
        "public key",
        "The key has expired, its owner has revoked it, or its line has a valid-before that has passed.",
        "Extend the key (`gpg --quick-set-expire`) and put its new export into the Secret, or sign a new commit with "
        "another key.",
    ),
    "E643": _Page(
        "A signature is there and is not over what it is on, or can't be read. That is what tampering looks like.",
        "signature verification of tag 'v2.0.0@sha1:5b7c…' failed [E643] at .@5b7c1d2: it was made for another tag, "
        "'v1.0.0'; fix: find out who made it; have a trusted person sign a new one",
        "A signed tag was pushed under another name, a commit was rewritten by a tool that kept the old signature, an "
        "object was made to be read in two ways, or the signature is of a kind that is not supported (X.509).",
        "Find out who pushed it. Then have a trusted person sign a new commit or tag.",
    ),
    "E644": _Page(
        "Signatures are asked for, and the public keys to check them with can't be used: no revision is let through.",
        "there is no public key to verify signatures with [E644]: it holds nothing; fix: put OpenPGP public keys under "
        "names ending in .asc, SSH public keys under names ending in .sshpub",
        "The Secret is empty, a name has the wrong ending, or a file holds something else than a public key.",
        "`gpg --export --armor KEY` into a name ending in `.asc`; the content of `id_ed25519.pub` into one ending in "
        "`.sshpub`.",
    ),
    "E646": _Page(
        "The account that objects are to be applied as is not there. Nothing is applied, corrected, undone or pruned "
        "in its place: the operator never falls back to its own rights.",
        "ServiceAccount shop/deployer does not exist, so nothing is done as it [E646] Kustomization shop/web: objects "
        "are applied as the account that is named there, and never with other rights in its place; fix: create it "
        "(kubectl create serviceaccount deployer -n shop), or correct the name",
        "A typing error in spec.serviceAccountName, an account that was deleted, or --default-service-account names "
        "one that this namespace does not have.",
        "Create the account and bind a role to it. A Kustomization that is deleted while its account is gone leaves "
        "its objects in place, with the event Orphaned.",
    ),
    "E647": _Page(
        "The source logs in as a GitHub App, and got no token. What was fetched before stays applied.",
        "GitHub gives no token for installation 4711 [E647]: it answers 401; fix: check the app's ID, private key, "
        "installation and permissions (Contents: read)",
        "The private key was revoked or is of another app, the app is not installed for this repository, the "
        "installation has another number or owner, 'githubAppBaseURL' leads elsewhere, or the node's clock is "
        "wrong by minutes.",
        "Compare the Secret with the settings of the app, and give it 'Contents: read' (read and write for image "
        "updates). Then ask: `sluice reconcile source git NAME`.",
    ),
    "E645": _Page(
        "The mode asks for the signature of a tag, and the source follows a branch or a commit.",
        "cannot verify tag object's signature if a tag reference is not specified [E645]; fix: follow a tag in "
        "spec.ref (tag, semver, or name: refs/tags/…), or verify HEAD",
        "spec.verify.mode is Tag or TagAndHEAD, and spec.ref has no tag.",
        "Set spec.ref.tag or spec.ref.semver, or spec.verify.mode: HEAD.",
    ),
}
