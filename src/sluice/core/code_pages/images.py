"""E5xx: pages of images: references, policies, registries, edits of files, commits and pushes."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E501": _Page(
        "A text that should name an image does not. Nothing was asked of a registry.",
        "'Registry/App:1' is not an image reference [E501]: a repository's name is in lower case",
        "Upper case, a space, a scheme in front (`https://`), or a tag with characters that tags don't have.",
        "Write it as a container runtime reads it: `registry.example/team/app:1.2.3`.",
    ),
    "E502": _Page(
        "A tag that can't be one was left aside.",
        "the tag 'v1 beta' can't be used [E502]: it holds a space",
        "The registry lists it, or somebody typed it.",
        "Push the image under a tag of letters, digits, `.`, `_` and `-`, at most 128 of them.",
    ),
    "E503": _Page(
        "A regular expression of a policy can't be used; the policy selects nothing until it is corrected.",
        "filterTags.pattern is not a regular expression [E503]: missing closing )",
        "A bracket left open, a construct that RE2 does not have (look-ahead, back-references), or a template that "
        "names "
        "a group that the pattern lacks.",
        "Correct the pattern; it has Go's syntax (RE2).",
    ),
    "E504": _Page(
        "The version range of a policy can't be read; the policy selects nothing until it is corrected.",
        "spec.policy.semver.range is not a range [E504]: '>=1.x.2'",
        "A typing error, or the syntax of another tool.",
        "Write a range like `>=1.2.0 <2.0.0`, `~1.2` or `^1`.",
    ),
    "E505": _Page(
        "The registry was read, and none of its tags is one that the policy takes.",
        "no tag of registry.example/app is selected [E505]: 14 tags, none in >=2.0.0",
        "A range or pattern ahead of what is pushed; tags in another form; pre-releases, which a range takes only "
        "when it "
        "names one.",
        "Correct the policy, or push an image that it takes.",
    ),
    "E506": _Page(
        "The tag that was chosen before is gone, and nothing newer is there. The choice is kept: an update never goes "
        "back by itself.",
        "tag 2.3.0 has left registry.example/app [E506]: 2.2.9 is older; the choice is kept",
        "The tag was deleted or cleaned up.",
        "Push it again; or change the policy if going back is meant.",
    ),
    "E507": _Page(
        "The list of tags is not complete, so nothing is changed because of what it lacks.",
        "not all tags of registry.example/app are known [E507]: page 3 did not come",
        "The registry broke off, or asked to wait.",
        "Nothing: the next scan reads it again.",
    ),
    "E508": _Page(
        "Tags are ordered by the time of the build, and an image does not say when that was.",
        "the build time of registry.example/app:nightly is not known [E508]: its configuration has no `created`",
        "The image was built reproducibly, without a time.",
        "Order by version or by number instead, or build with a time.",
    ),
    "E509": _Page(
        "Tags are ordered as numbers, and one that the filter lets through is none.",
        "tag 'latest' is not a number [E509]: of registry.example/app",
        "The filter is too wide.",
        "Narrow filterTags, or extract the number with a group.",
    ),
    "E510": _Page(
        "An annotation that sets an image policy on a workload can't be read, so nothing is selected for that "
        "container.",
        "fluxcd.io/tag.app can't be read [E510] Deployment shop/web at web.yaml:6@a1b2c3d: 'semvr:~1' is no filter",
        "A typing error, or a filter of another tool.",
        "Write `glob:…`, `semver:…` or `regexp:…`.",
    ),
    "E511": _Page(
        "The fields of an ImagePolicy do not make a policy.",
        "spec.policy sets semver and numerical [E511] ImagePolicy shop/web; fix: keep one of them",
        "Two kinds of policy at once, or none.",
        "Keep exactly one.",
    ),
    "E520": _Page(
        "The registry refused the credentials, or wants some and there are none.",
        "registry.example refused the credentials [E520]; fix: check the Secret that spec.secretRef names",
        "A token that has run out, a Secret for another host, or a private repository without a Secret.",
        "Renew the Secret (type kubernetes.io/dockerconfigjson); its host must be the registry's own.",
    ),
    "E521": _Page(
        "The registry answered, and has no such repository; or it does not show it to these credentials.",
        "registry.example has no repository team/ap [E521]; fix: correct spec.image",
        "A typing error in the image's name, or missing rights.",
        "Correct spec.image, or use credentials that may read it.",
    ),
    "E522": _Page(
        "The registry did not answer, or answered with an error. It is tried again by itself.",
        "registry.example did not answer [E522]: connection refused",
        "It is down, a network policy or proxy is in the way, or its name is not known in the cluster.",
        "Nothing, if it passes; else check the way from the operator's pod to it.",
    ),
    "E523": _Page(
        "The registry asked for fewer requests, and it is given time.",
        "registry.example asked to wait 60s [E523]",
        "Its rate limit; anonymous pulls have a low one.",
        "Use credentials, or scan less often: spec.interval.",
    ),
    "E524": _Page(
        "What the registry sent can't be read, or is more than is taken.",
        "the answer of registry.example can't be read [E524]: not JSON",
        "A login page or a proxy in between; a manifest of an unknown type.",
        "Check the address; what answers there is not a registry.",
    ),
    "E525": _Page(
        "The registry sent other bytes than the digest names. They were not used.",
        "registry.example sent something else for sha256:ab… [E525]",
        "A broken cache or mirror, or somebody in between.",
        "Find out which one; pull the image by its digest elsewhere and compare.",
    ),
    "E526": _Page(
        "The registry wants the credentials sent to a host that is not its own. They were not sent.",
        "registry.example wants the credentials sent to tokens.invalid [E526]",
        "An unusual token service, or an attack.",
        "If it is meant, name that host as trusted; else ask who runs the registry.",
    ),
    "E528": _Page(
        "The list of tags does not end, or is longer than allowed.",
        "the list of tags of registry.example/app is too long [E528]: over 100,000",
        "Tags that nobody cleans up, or a registry that repeats its pages.",
        "Remove old tags, or narrow the scan with spec.exclusionList.",
    ),
    "E529": _Page(
        "The registry does not have the tag or digest that was asked for.",
        "registry.example/app has no tag 2.3.0 [E529]",
        "It was never pushed, or has been deleted since it was listed.",
        "Push it, or correct the tag.",
    ),
    "E530": _Page(
        "The registry redirects to where a client must not follow.",
        "registry.example redirects to http://10.0.0.1 [E530]",
        "From https to plain http, or to an address inside.",
        "Use the address that it redirects to, if that is right.",
    ),
    "E531": _Page(
        "Credentials, certificates or a proxy for the registry were found and can't be used.",
        "Secret shop/pull can't be used for registry.example [E531]: .dockerconfigjson is not JSON",
        "A Secret of another type or form, or a certificate without its key.",
        "Make it anew: `kubectl create secret docker-registry`.",
    ),
    "E532": _Page(
        "A cloud's token service gave no credentials for its registry.",
        "no token for 1234.dkr.ecr.eu-west-1.amazonaws.com [E532]: AccessDenied",
        "The pod's cloud identity is missing or lacks the right to pull.",
        "Give the operator's service account an identity that may read the registry.",
    ),
    "E533": _Page(
        "A label of the image holds a creation time that can't be read; the image's own time is taken.",
        "the label org.opencontainers.image.created of app:2 can't be read [E533]: 'yesterday'",
        "A build script that writes another form.",
        "Write RFC 3339: `2026-01-31T12:00:00Z`.",
    ),
    "E534": _Page(
        "The cache of tags was lost or can't be kept. It is made again; only time is lost.",
        "the cache of image tags can't be read [E534]: file is not a database",
        "The disk was lost or is full.",
        "Nothing, unless it repeats: then give the storage folder more room.",
    ),
    "E535": _Page(
        "The repository could not be scanned in its time; what was known before stays.",
        "registry.example/app could not be scanned in 60s [E535]",
        "A slow registry, or very many tags.",
        "Raise spec.timeout, or narrow the scan.",
    ),
    "E550": _Page(
        "The value to be changed is shared, so a change would also change something else. Nothing was edited.",
        "the image is shared through an anchor [E550] Deployment shop/web at web.yaml:12@a1b2c3d",
        "A YAML anchor, alias or merge key.",
        "Write the value out where it is to be updated.",
    ),
    "E551": _Page(
        "The value to be changed is written in a form that can't be changed in place.",
        "the value is a block of text [E551] Deployment shop/web at web.yaml:12@a1b2c3d",
        "A block scalar, or a value over several lines.",
        "Write it as plain or quoted text on one line.",
    ),
    "E552": _Page(
        "The file, read again after the edit, differs in more or less than was meant. Nothing was committed.",
        "the edit would change more than the image [E552] at web.yaml:12@a1b2c3d",
        "A form of YAML that the editor does not know well enough.",
        "Simplify the line, and report it with the file.",
    ),
    "E553": _Page(
        "A marker can't be read, so its line is left alone.",
        "the marker can't be read [E553] at web.yaml:12@a1b2c3d: 'shop' has no policy's name",
        "A typing error in the comment.",
        'Write `# {"$imagepolicy": "NAMESPACE:NAME"}`, with `:tag`, `:name` or `:digest` behind it if only that is '
        "meant.",
    ),
    "E554": _Page(
        "A marker names a policy that does not exist or is not selected.",
        "there is no policy shop:wbe [E554] at web.yaml:12@a1b2c3d; fix: did you mean shop:web?",
        "A typing error, another namespace, or a policySelector that leaves it out.",
        "Correct the marker, or the selector.",
    ),
    "E555": _Page(
        "A marker stands where there is no single value that it could mean.",
        "the marker is behind a map [E555] at web.yaml:10@a1b2c3d",
        "It is on the line of a key whose value follows below.",
        "Put it behind the value itself.",
    ),
    "E556": _Page(
        "One value has two markers.",
        "the value has two markers [E556] at web.yaml:12@a1b2c3d",
        "A copied line.",
        "Keep one.",
    ),
    "E557": _Page(
        "The policy has not chosen what the marker asks for.",
        "policy shop:web has chosen no digest [E557] at web.yaml:12@a1b2c3d",
        "The policy is not ready, or does not reflect digests.",
        "Look at the ImagePolicy: `sluice get images all`.",
    ),
    "E558": _Page(
        "No file of the repository defines the workload.",
        "no file defines Deployment shop/web [E558]",
        "It is made by a generator or a chart, lies outside the path, or is in a file that several kustomizations take "
        "in: a shared base is not changed for one of them. The message has the file, its line and who shares it.",
        "Name the path that holds it; for a shared base, add an `images:` entry to the overlay, and change annotations "
        "in the base itself (`--local base`), for all of them.",
    ),
    "E559": _Page(
        "The workload has no such container, or its image can't be read.",
        "Deployment shop/web has no container app [E559] at web.yaml:1@a1b2c3d: it has web, sidecar",
        "A typing error, or a container that was renamed.",
        "Use one of the names in the message.",
    ),
    "E560": _Page(
        "The file has another image than the one that was to be replaced.",
        "web.yaml has registry.example/other, not registry.example/web [E560] at web.yaml:12@a1b2c3d",
        "Somebody changed it meanwhile.",
        "Look at the file; then release again.",
    ),
    "E561": _Page(
        "An image is given in a form that an update can't write there.",
        "the value takes a tag, not a whole image [E561] at values.yaml:3@a1b2c3d",
        "A marker for a part on a line that holds the whole, or the other way round.",
        "Correct the marker.",
    ),
    "E562": _Page(
        "The annotations of the object can't be changed where they are.",
        "metadata.annotations is an alias [E562] Deployment shop/web at web.yaml:5@a1b2c3d",
        "Anchors or unusual forms around metadata.",
        "Write the annotations out.",
    ),
    "E563": _Page(
        "The template of the commit message can't be parsed. Nothing was committed.",
        "the template can't be parsed [E563]: unclosed action in line 2",
        "A brace left open, or an unknown function.",
        "Correct spec.git.commit.messageTemplate.",
    ),
    "E564": _Page(
        "The template of the commit message stopped with an error. Nothing was committed.",
        "the template stopped [E564]: index out of range in line 3",
        "It expects something that this update does not have.",
        "Guard it with `if` or `with`.",
    ),
    "E565": _Page(
        "The template of the commit message needs too much time or room.",
        "the template is over its limit [E565]: 64 KiB of text",
        "A loop in a loop, or very many changes.",
        "Make it shorter.",
    ),
    "E566": _Page(
        "The template uses a field that Flux removed.",
        "the template uses .Updated, which is no longer there [E566]; fix: use .Changed",
        "It was written for an older version.",
        "Use the field that the message names.",
    ),
    "E567": _Page(
        "More than one file, or document, defines the workload, so which one to edit is not known.",
        "two files define Deployment shop/web [E567]: web.yaml:1 and old/web.yaml:1",
        "Overlays or copies for several clusters.",
        "Narrow the path.",
    ),
    "E568": _Page(
        "The image is replaced by an `images:` entry of a kustomization, and that entry can't be changed for it.",
        "several entries of images: replace the image [E568] at apps/kustomization.yaml:7@a1b2c3d",
        "Several entries replace the image one after another, others take the kustomization in, too, or other "
        "containers that were not asked for take their image from the same entry.",
        "Keep one entry in the kustomization of the sync's path; release all workloads of an entry together.",
    ),
    "E648": _Page(
        "An image was to be written into a base, and its overlay would build another one all the same.",
        "the image is not what comes out of the build [E648] at base/web.yaml:12@a1b2c3d: shop:deployment/web main "
        "would become web:1.0, not web:1.1",
        "A patch of the overlay, a replacement or a transformer sets the image, so that the base's does not count.",
        "Change the image there, or take it out there and let the base say it.",
    ),
    "E570": _Page(
        "The git host refused the push by a rule of its own.",
        "the git host declined the push [E570]: pre-receive hook declined: message needs a ticket",
        "A hook or a push rule; its words are in the message.",
        "Meet the rule (the commit message's template, the author), or exempt the operator.",
    ),
    "E571": _Page(
        "The branch is protected against this push.",
        "branch main is protected [E571]; fix: push to another branch with spec.git.push.branch",
        "Only merges of reviewed changes are let in.",
        "Let the operator push to a branch of its own: spec.git.push.branch; or allow it.",
    ),
    "E572": _Page(
        "The credentials may read the repository and not write to it.",
        "the deploy key may not write [E572]; fix: give it write access",
        "A read-only deploy key, or a token without that right.",
        "Give it write access; images can't be updated without.",
    ),
    "E573": _Page(
        "Others kept pushing, so that no commit found its place. It is tried again.",
        "no commit found its place on main in 5 tries [E573]",
        "A very busy branch.",
        "Nothing, if it passes; else push to a branch of its own.",
    ),
    "E574": _Page(
        "The branch to push to has commits that Sluice did not make, and they are not overwritten.",
        "branch image-updates has a commit of ana [E574]; fix: merge or delete it",
        "Somebody committed to it.",
        "Merge or delete the branch, or name another.",
    ),
    "E575": _Page(
        "The branch or refspec to push to is not valid, or would force or delete.",
        "spec.git.push.refspec begins with '+' [E575]; fix: remove it",
        "A forced push or a deletion, which an update never needs.",
        "Write `refs/heads/SOURCE:refs/heads/TARGET`.",
    ),
    "E576": _Page(
        "A push option can't be sent, or the host takes none.",
        "the git host takes no push options [E576]",
        "spec.git.push.options with a host that does not know them.",
        "Remove them.",
    ),
    "E577": _Page(
        "The key to sign commits with is missing or can't be used. Nothing was committed.",
        "Secret shop/signing has no usable key [E577]: git.asc wants a passphrase",
        "A wrong Secret, a public key in place of the private one, or a missing passphrase.",
        "Put the private key into `git.asc`, and its passphrase beside it.",
    ),
    "E578": _Page(
        "Commits must be signed here, and the head or the new one would not be.",
        "the head of main is not signed by a trusted key [E578]",
        "Somebody pushed without a signature, or no signing key is set.",
        "Sign the head, or set a signing key.",
    ),
    "E579": _Page(
        "A file that must not be written was to be changed. Nothing was committed.",
        "'../x.yaml' is outside of the path [E579]",
        "A path that leads out, a symlink, or a submodule.",
        "Correct the path.",
    ),
    "E580": _Page(
        "The leader's lease could end before the push does, so it was not begun. It is tried again.",
        "the lease ends in 2s, before a push could [E580]",
        "A slow API server or git host.",
        "Nothing, if it passes.",
    ),
    "E581": _Page(
        "Something would be committed, and git is read-only here.",
        "git is read-only here [E581]: --git-readonly",
        "The operator was started so.",
        "Start it without, if updates are meant.",
    ),
    "E582": _Page(
        "The commit's author or message can't be used.",
        "the author's e-mail address is not valid [E582]: 'ana'",
        "spec.git.commit.author without an address, or an empty message.",
        "Correct it.",
    ),
    "E583": _Page(
        "Nothing says which branch to push to.",
        "no branch to push to [E583]; fix: set spec.git.push.branch",
        "The source follows a tag or a commit.",
        "Set spec.git.push.branch, or spec.git.checkout.ref.branch.",
    ),
    "E584": _Page(
        "The git host can't move two refs by one push that is all or nothing.",
        "the git host has no atomic pushes [E584]",
        "An old host.",
        "Push to one branch only.",
    ),
    "E585": _Page(
        "Two writers change an image to and fro, so it is left as it is until somebody decides.",
        "the image of Deployment shop/web goes to and fro [E585] at web.yaml:12@a1b2c3d: policy shop:web and ana",
        "Two automations with different policies mark the same value, or a person sets it back each time.",
        "Leave the value to one of them: remove a marker, or lock the workload.",
    ),
    "E591": _Page(
        "Somebody changed a value that an image update had written, so it is left to them.",
        "the value at web.yaml:12 was set back by ana [E591] at web.yaml:12@a1b2c3d",
        "A person reverted the update.",
        "Nothing, if that is meant. The next tag that the policy chooses is written again.",
    ),
    "E592": _Page(
        "A workload failed on an image that an update had written; it is not written again by itself.",
        "web:2 failed for Deployment shop/web, and is not written again by itself [E592] at web.yaml:12@a1b2c3d",
        "The revision with the image was undone, because that object's own health failed.",
        "Push a newer image, or ask for a run of the automation to have this one once more. "
        "spec.revertFailed: false leaves the value in git.",
    ),
    "E595": _Page(
        "A CEL expression can't be read, or has no answer for what it is asked about.",
        "spec.resourceFilter is not a CEL expression [E595] Receiver shop/hook: undeclared reference to 'rse'",
        "A typing error, or a field that the object or the request does not have.",
        "Correct the expression; guard fields that may be missing with `has(…)`.",
    ),
    "E590": _Page(
        "An ImageRepository does not let the namespace of a policy refer to it.",
        "ImageRepository infra/web lets nobody of shop refer to it [E590] ImagePolicy shop/web",
        "spec.accessFrom of the ImageRepository does not name the namespace.",
        "Add the namespace's labels to spec.accessFrom, or make the ImageRepository in the policy's own namespace.",
    ),
    "E652": _Page(
        "An image is written with a tag and with a digest, and the registry has another image under that tag. "
        "What runs is the digest's: nothing looks at the tag. A release of such an image is refused; one that git has "
        "stays.",
        "ghcr.io/acme/web:1.2.0 is another image than sha256:3f0d…, by which it is pinned [E652]: the registry has "
        "sha256:77ab… for the tag, which was moved or is a slip; the digest is what runs; "
        "fix: write ghcr.io/acme/web:1.2.0@sha256:77ab…, or the tag that the digest is of",
        "Somebody pushed another image to the tag; a digest was copied from another tag; it is that of one platform, "
        "where the tag has an index of several.",
        "Find out who moved the tag before you follow it. Then write the digest that the tag has, or the digest alone.",
    ),
    "E653": _Page(
        "An ImageRepository names a cloud (spec.provider) and a ServiceAccount (spec.serviceAccountName): it asks for "
        "the identity that this account has in the cloud. The operator was not started to use others' identities, and "
        "its own is no substitute: nothing is scanned.",
        "the identity of ServiceAccount shop/images in its cloud is not used [E653]: spec.provider with "
        "spec.serviceAccountName asks for it, and the operator does not allow it; fix: start the operator with "
        "--feature-gates=ObjectLevelWorkloadIdentity=true, or remove one of the two fields",
        "The flag was not given, as it is not with Flux either.",
        "Give the flag and the right to create tokens of ServiceAccounts; or use the operator's identity by leaving "
        "serviceAccountName out, or the account's imagePullSecrets by leaving provider out.",
    ),
    "E660": _Page(
        "An image policy has chosen an image, and no file that its automation may edit names the policy.",
        "no file names ImagePolicy shop/web [E660]: ghcr.io/acme/web:1.2.0 is chosen; no marker for it is below ./apps",
        "The marker was never written, names another policy, or stands in a folder outside of spec.update.path.",
        "Put the marker behind the image, correct spec.update.path, or leave the policy out of spec.policySelector.",
    ),
}
