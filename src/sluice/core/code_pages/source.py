"""E1xx: pages of what keeps a source from being read."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E101": _Page(
        "The git host was reached, and would not let us in. What was fetched before stays applied; no newer commit "
        "arrives until this is mended.",
        "the git host refused the deploy key [E101]: git@github.com: Permission denied (publickey); "
        "fix: add the public key to the repository, or fix the Secret",
        "The key is not (or no longer) a deploy key of the repository; the token has run out or lacks the right to "
        "read; the Secret that spec.secretRef names does not exist or lacks `identity`, `username` or `password`. "
        "Hosts also ask for credentials when a repository does not exist.",
        "Compare the Secret with what the host knows. Then fetch at once: `sluice reconcile source git NAME`.",
    ),
    "E102": _Page(
        "The repository answered, and has no such branch, tag or reference; or the host says that there is no such "
        "repository.",
        "branch 'mian' does not exist [E102]: branches there: dev, main; fix: did you mean 'main'?",
        "A typing error in spec.ref, a branch that was deleted or renamed, or a repository that these credentials may "
        "not see: hosts answer the same in both cases.",
        "Correct spec.ref or spec.url. The message lists what is there.",
    ),
    "E103": _Page(
        "The host showed a key or a certificate that is not the trusted one, so nothing was sent to it. That is what "
        "an attack looks like, too.",
        "the git host's key is not the one in known_hosts [E103]: got SHA256:ab…; fix: verify the new key with the "
        "host's published fingerprints, then change 'known_hosts' in the Secret",
        "The host changed its key; known_hosts was written for another host name or port; the certificate is signed "
        "by an authority of your own that `ca.crt` does not name, or has run out.",
        "Compare with the fingerprints that the host publishes, then put the new line into `known_hosts`, or the "
        "authority's certificate into `ca.crt` of the Secret.",
    ),
    "E104": _Page(
        "No conversation with the remote came about, or it broke off. It is tried again by itself, ever later.",
        "the git host's name can't be looked up [E104]: Could not resolve host: git.example; "
        "fix: check the host name in spec.url, and the cluster's DNS",
        "A wrong host or port in spec.url, the cluster's DNS, a network policy or firewall, a proxy that is missing, "
        "or a host that is down.",
        "Try the same from a pod of the operator's namespace. When it works again: `sluice reconcile source git NAME`.",
    ),
    "E105": _Page(
        "The sync has nothing to apply, because its source does not exist or has not fetched anything yet. The cause "
        "is "
        "the source's own: this is only its echo.",
        "GitRepository shop/fleet has fetched no revision yet [E105] Kustomization shop/web: branch 'mian' does not "
        "exist [E102]; fix: wait for it, or correct the source",
        "The sourceRef has another name or namespace than the source; the source was just made; or it is failing.",
        "`sluice why` shows the source's own cause. Correct that, or spec.sourceRef.",
    ),
    "E106": _Page(
        "The URL uses a way of transport that is not allowed. Nothing was contacted.",
        "the scheme 'file' is not allowed [E106]; fix: use https or ssh",
        "`file:`, `ext:`, `git:` or plain `http:` with credentials; or the address of a web page in place of the "
        "repository's.",
        "Write an https or ssh URL in spec.url.",
    ),
    "E107": _Page(
        "spec.url can't be read as a URL, or has a user and password in it.",
        "the URL is not valid [E107]: it does not read as scheme://host[:port]/path",
        "A space, a missing `//`, a port that is none; or credentials in the URL, where they would show in every "
        "status "
        "and log.",
        "Correct spec.url; put credentials into a Secret and name it in spec.secretRef.",
    ),
    "E108": _Page(
        "The host's address is one that the operator must not reach: loopback, link-local or a cloud's metadata "
        "service. Nothing was sent.",
        "the host is an address that must not be reached [E108]: 169.254.169.254 is link-local",
        "The URL, or the name behind it, leads to such an address, perhaps by a redirect.",
        "Use the repository's public or cluster address.",
    ),
    "E109": _Page(
        "A branch, tag or reference name that git itself would not take.",
        "spec.ref.branch is not a branch's name [E109]: it holds '..'",
        "Spaces, `..`, `~`, `^`, `:`, a leading dash or a trailing slash in spec.ref.",
        "Write the name as `git branch -a` prints it; spec.ref.name wants the whole of it: `refs/heads/main`.",
    ),
    "E110": _Page(
        "spec.ref.semver is no version range, or no tag of the repository is in it.",
        "no tag satisfies '>=2.0.0' [E110]: the newest is 1.9.3",
        "A range ahead of the tags, tags that are no versions (`release-1`), or pre-releases, which a range takes only "
        "when it names one (`>=1.0.0-0`).",
        "Correct the range, or push the tag.",
    ),
    "E111": _Page(
        "spec.ref.commit is not a full commit hash, or names a commit that the branch does not reach.",
        "the commit is not on branch main [E111]; fix: name its branch in spec.ref.branch",
        "A short hash; a commit of another branch; one that was rewritten by a forced push.",
        "`git rev-parse REV` prints the full hash; set spec.ref.branch to its branch.",
    ),
    "E112": _Page(
        "The repository is there and has no commit at all.",
        "the repository has no commit [E112]; fix: push a commit to 'main'",
        "It was just created.",
        "Push a commit.",
    ),
    "E113": _Page(
        "The commit holds a path that could leave its folder or confuse a checkout, so none of it is read.",
        "the repository holds an object that git's checks refuse [E113]: tree contains '.git'",
        "A tool, or somebody hostile, wrote `..`, `.git` or an absolute path into a tree.",
        "`git fsck --strict` names the object; remove it, or the commit, from the history.",
    ),
    "E114": _Page(
        "A submodule can't be fetched, so the revision is not used: a part of a tree is no tree.",
        "submodule vendor/base can't be fetched [E114] at .gitmodules:3@a1b2c3d: its URL is not allowed",
        "Its URL is relative to another host or has a scheme that is not allowed; its commit was never pushed; these "
        "credentials may not read it.",
        "Correct .gitmodules, push the commit, or set spec.recurseSubmodules: false.",
    ),
    "E115": _Page(
        "The repository, or a file of it, is over a limit; the last revision stays.",
        "the repository is larger than the limit on what one fetch may write [E115]; "
        "fix: make the repository smaller, or raise the limit",
        "Big binary files or a very long history.",
        "Move big files elsewhere, or leave them out with spec.sparseCheckout; the limits are in the documentation of "
        "files and limits.",
    ),
    "E116": _Page(
        "A file that should be a manifest is a pointer of Git LFS, whose content is not in git.",
        "deploy.yaml is a Git LFS pointer, not the file itself [E116] at deploy.yaml@a1b2c3d: LFS is off: only what is "
        "in git is read; fix: keep manifests in git: git lfs migrate export --include=PATH",
        "`.gitattributes` sends YAML files to LFS.",
        "`git lfs migrate export --include='*.yaml'`, and leave YAML out of `.gitattributes`.",
    ),
    "E117": _Page(
        "A source includes another one that does not exist or has nothing yet.",
        "included GitRepository shop/base has no artifact [E117]: it does not exist, or is not ready; "
        "fix: create it, or correct the name",
        "A wrong name in spec.include, or a cause of the included source's own.",
        "`sluice why git/BASE`; or correct spec.include.",
    ),
    "E118": _Page(
        "Nothing is left of the revision after ignore rules and sparse checkout, which is never meant.",
        "no file is left of the repository [E118]: the ignore rules or the sparse checkout leave out everything; "
        "fix: correct spec.ignore, spec.sparseCheckout or .sourceignore",
        "`/*` in spec.ignore without exceptions; a folder in spec.sparseCheckout that was renamed.",
        "Correct the rules; they have the form of .gitignore.",
    ),
}
