"""E68x: pages of manifests that the commands of a `.flux.yaml` make, and of updates of them."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E680": _Page(
        "A `.flux.yaml` was found and can't be used. Nothing was run and nothing applied.",
        "'generator' is no key of a .flux.yaml [E680] at apps/.flux.yaml:3@a1b2c3d; fix: did you mean generators?",
        "A typing error, another version than 1, or two of `patchUpdated`, `commandUpdated` and `scanForFiles`.",
        "Correct the file; `docs/reference/flux-yaml.md` has the whole form. `sluice validate --manifest-generation` "
        "checks it before a push.",
    ),
    "E681": _Page(
        "A generator or an updater ended with an error. Nothing was applied, or, of an updater, committed.",
        "`kustomize build .` ended with status 1 [E681] at apps/.flux.yaml:4@a1b2c3d: Error: accumulating resources; "
        "fix: run it in apps/prod",
        "The command is wrong for the folder, or its program is not in the image. A command has none of the operator's "
        "variables and files, and there is no `.git` beside the files.",
        "Run the command in the same folder of a fresh clone. Programs are found in `--generator-path`.",
    ),
    "E682": _Page(
        "A command used more than it may, and was ended with all it had started. Nothing was applied or committed.",
        "`./generate` was ended: it went over 60 s [E682] at apps/.flux.yaml:4@a1b2c3d; "
        "fix: make it do less, or give it a longer `timeout`",
        "A download that hangs, an endless loop, or output of another size than manifests have.",
        "`timeout: 5m` beside the command gives it longer, up to 10 minutes; the other limits are fixed.",
    ),
    "E683": _Page(
        "A generator ended well, but what it printed is no YAML that Kubernetes would read. Nothing was applied.",
        "generator 1 prints what can't be read as manifests [E683] at apps/.flux.yaml:4@a1b2c3d (from generator 1): "
        "line 7 of its output: a tab character used for indentation; fix: run `./generate` in apps",
        "Words for people on stdout, or a template that gives broken YAML.",
        "Let the command print manifests only, and everything else to stderr.",
    ),
    "E684": _Page(
        "The patches of a `patchUpdated` path can't be put onto what is generated. Nothing was applied.",
        "a patch is for an object that is not generated [E684] Deployment shop/web at apps/flux-patch.yaml:12@a1b2c3d; "
        "fix: remove the patch",
        "The object was renamed or is gone from what is generated, and its patch was left.",
        "Remove the patch from the patch file, or correct its apiVersion, kind, namespace or name.",
    ),
    "E685": _Page(
        "An image or a policy of a generated workload was to be changed, and its `.flux.yaml` has no command for that. "
        "Nothing was committed.",
        "no updater changes images [E685] at apps/.flux.yaml@a1b2c3d; fix: add `containerImage` to an updater",
        "`commandUpdated` without `updaters`, or with updaters that change something else.",
        "Add an updater, or use `patchUpdated`, which needs none.",
    ),
    "E686": _Page(
        "After an update the manifests were generated again, and other containers or policies had changed than were "
        "meant, or none. Nothing was committed.",
        "the update of shop:deployment/web did not do what was meant [E686] at apps/.flux.yaml:9@a1b2c3d: "
        "shop:deployment/web main: nginx:1.26, wanted nginx:1.27; fix: correct the updater",
        "An updater that looks for another text than the file has, or that changes an image which others share.",
        "Run the updater's command by hand with the variables of `docs/reference/flux-yaml.md`, and see what the "
        "generators print then.",
    ),
    "E687": _Page(
        "An updater left the repository's files in a state that can't be committed. Nothing was committed.",
        "an updater deleted a file [E687] at apps/values.yaml; fix: let the updater change files in place",
        "It moves files, makes links, or leaves a cache between the manifests.",
        "Let it change files in place; what it needs for itself belongs below `$TMPDIR` or `$HOME`.",
    ),
    "E688": _Page(
        "The operator could not start a command at all. It is tried again.",
        "a command could not be started [E688] at apps/.flux.yaml:4@a1b2c3d: No space left on device",
        "The disk of `--storage-path` is full, or the machine has no room for another process.",
        "Look at the node and the volume of the operator.",
    ),
}
