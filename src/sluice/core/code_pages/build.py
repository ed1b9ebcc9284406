"""E2xx: pages of what keeps a revision from being built, or makes it invalid. In none of these is anything written."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E201": _Page(
        "The revision was fetched and has no folder of the name in spec.path.",
        "no folder 'apps/wbe' [E201] Kustomization shop/web: it is not in main@a1b2c3d; fix: did you mean apps/web?",
        "The folder was renamed or never committed, or ignore rules leave it out.",
        "Correct spec.path, or bring the folder back.",
    ),
    "E202": _Page(
        "A file can't be read as YAML. All such files of the revision are told at once.",
        "not valid YAML [E202] at apps/web/svc.yaml:12:9@a1b2c3d: mapping values are not allowed here; "
        'fix: quote the value: "8080:http"',
        "A colon or a `#` in a value without quotes, a tab, indentation that does not line up, a bracket left open.",
        "`sluice validate PATH` shows the line with a caret before you push.",
    ),
    "E203": _Page(
        "A kustomization lists a file or folder that is not there.",
        "'deploy.yml' does not exist [E203] at apps/web/kustomization.yaml:4@a1b2c3d: looked for apps/web/deploy.yml; "
        "fix: did you mean deploy.yaml?",
        "It was renamed, its ending is another, or it was not committed.",
        "Correct the entry, or `git add` the file.",
    ),
    "E204": _Page(
        "An object has a field that its schema does not, which the API server would silently drop.",
        "unknown field spec.replica [E204] Deployment shop/web at apps/web/deploy.yaml:12:3@a1b2c3d: its schema has no "
        'such field; fix: did you mean "replicas"?',
        "A typing error, wrong indentation, or a field of another version of the kind.",
        "Correct it; `kubectl explain KIND.spec` lists the fields.",
    ),
    "E205": _Page(
        "A manifest uses a variable that has no value.",
        "variable TAG has no value [E205] Deployment shop/web at apps/web/deploy.yaml:27@a1b2c3d: known variables: "
        "ENV, "
        "REGION; fix: add it, or give a default: ${TAG:=…}",
        "It is in none of the ConfigMaps and Secrets of postBuild, or the text was not meant as a variable.",
        "Add it, give a default `${TAG:=v}`, or write `$${TAG}` for the text itself.",
    ),
    "E206": _Page(
        "An encrypted file or value can't be decrypted.",
        "the file can't be decrypted [E206] at apps/db/secret.yaml@a1b2c3d: no key of the operator opens it",
        "It was encrypted for another key than the operator has.",
        "Encrypt it anew for the operator's key, or give the operator the key.",
    ),
    "E207": _Page(
        "The cluster does not know this kind, and no CRD of this revision brings it.",
        "kind Certificate (cert-manager.io/v1) is not installed [E207] Certificate shop/web at cert.yaml:1@a1b2c3d: "
        "the "
        "API server does not serve it; fix: install its CRD first, or add it to this revision",
        "The CRD comes from another sync, which has not run yet; the apiVersion is one that this cluster no longer "
        "serves; or it is a kind of Flux on which this version does not act, like HelmRelease: the title then says so.",
        "Add `dependsOn` on the sync that brings the CRD, or correct the apiVersion. Take what is not acted on out of "
        "the path: commit what `helm template` prints.",
    ),
    "E208": _Page(
        "Two manifests of the revision are the same object; which one counts would be chance.",
        "Service shop/web is defined twice [E208] Service shop/web at apps/web/svc.yaml:1@a1b2c3d: also at "
        "base/svc.yaml:1; fix: remove one of them",
        "A file is listed twice, a base is read by two overlays, or a copy was left behind.",
        "Remove one, or make it a patch.",
    ),
    "E209": _Page(
        "One key stands twice in a map; readers disagree on which one counts.",
        "key 'image' is given twice [E209] at web.yaml:14:9@a1b2c3d; fix: remove one of them",
        "A merge that kept both sides, or a copied block.",
        "Remove one.",
    ),
    "E210": _Page(
        "A YAML tag asks for a type of a programming language, which a manifest never needs.",
        "the tag is not allowed [E210] at web.yaml:3:7@a1b2c3d: !!python/object names a program's type; fix: remove it",
        "The file was written by a program's own serialiser, or somebody tries what happens.",
        "Remove the tag.",
    ),
    "E211": _Page(
        "Aliases or documents of a file come to more than is allowed.",
        "aliases expand too far [E211] at bomb.yaml:9@a1b2c3d: over 100,000 nodes; fix: write it out",
        "Aliases of aliases, which multiply.",
        "Write the values out, or split the file.",
    ),
    "E212": _Page(
        "Maps and lists are nested deeper than allowed.",
        "nested too deep [E212] at web.yaml:101@a1b2c3d: depth over 100; fix: flatten the document",
        "A generated or hostile file.",
        "Flatten it.",
    ),
    "E213": _Page(
        "A file, or what a renderer made, is over its limit.",
        "the kustomization reads too much [E213] at kustomization.yaml@a1b2c3d: 80 MiB; fix: split it",
        "Big generated files, often bundles of CRDs, or one folder that lists all the others.",
        "Split it into several Kustomizations.",
    ),
    "E214": _Page(
        "A field that is needed is missing.",
        "metadata.name is missing [E214] at web.yaml:1@a1b2c3d: every object needs it; fix: add metadata.name",
        "The file is not a manifest (a values file, a patch), or a field was forgotten.",
        "Add the field; keep files that are no manifests out of the folder, by .sourceignore or a kustomization.",
    ),
    "E215": _Page(
        "A field has a value of another type than its schema.",
        "spec.replicas is text [E215] Deployment shop/web at web.yaml:7:13@a1b2c3d: it must be a whole number",
        "Quotes around a number, a list where a map should be, `yes` where text is meant.",
        "Correct the value; in YAML, quotes make text.",
    ),
    "E216": _Page(
        "An object without a fixed name can't be kept in step with git: each apply would make another.",
        "generateName is not declarative [E216] Job shop/ at job.yaml:4@a1b2c3d; fix: set metadata.name",
        "The manifest was meant for `kubectl create`.",
        "Set metadata.name; to run a Job again, change its name in git.",
    ),
    "E217": _Page(
        "A name breaks Kubernetes' rules.",
        "'Web_1' can't be a name [E217] at web.yaml:4:9@a1b2c3d: it holds '_'; fix: use lower case, digits and '-'",
        "Upper case, underscores, too long, or a dot where none may be.",
        "Rename it.",
    ),
    "E218": _Page(
        "A label or annotation breaks Kubernetes' rules.",
        "label version is a number [E218] Deployment shop/web at web.yaml:6@a1b2c3d: it must be text; fix: quote it",
        "A value that YAML reads as a number or a boolean, or a key or value that is too long.",
        "Quote it, or shorten it.",
    ),
    "E219": _Page(
        "The kind belongs to the whole cluster, and a namespace is named.",
        "ClusterRole reader is cluster-scoped, but names namespace shop [E219] ClusterRole reader at "
        "role.yaml:4@a1b2c3d; "
        "fix: remove metadata.namespace",
        "A Role was made a ClusterRole, or the line was copied.",
        "Remove metadata.namespace.",
    ),
    "E220": _Page(
        "The kind needs a namespace, and there is none to be had.",
        "Deployment web names no namespace [E220] Deployment web at web.yaml:1@a1b2c3d; "
        "fix: set metadata.namespace, or spec.targetNamespace of the Kustomization",
        "Nothing sets it: neither the manifest, nor its kustomization, nor spec.targetNamespace. What kubectl's "
        "context "
        "would add is never guessed.",
        "Set one of the three.",
    ),
    "E221": _Page(
        "A field that only the API server may set stands in git.",
        "resourceVersion is set [E221] ConfigMap shop/a at a.yaml:5@a1b2c3d: only the API server sets it; fix: "
        "remove it",
        "The manifest was copied from a live object.",
        "Remove it; `sluice export` leaves such fields out.",
    ),
    "E222": _Page(
        "An owner is named that is not in this revision; Kubernetes would delete the object as an orphan.",
        "ownerReferences name an unknown object [E222] ConfigMap shop/a at a.yaml:6@a1b2c3d; fix: remove "
        "ownerReferences",
        "The manifest was copied from a live object.",
        "Remove metadata.ownerReferences.",
    ),
    "E223": _Page(
        "A label, annotation or finalizer that the operator itself sets, or that means something else than is written.",
        "kustomize.toolkit.fluxcd.io/name is set by hand [E223] ConfigMap shop/a at a.yaml:6@a1b2c3d; fix: remove it",
        "Copied from a live object, or a typing error in one of our annotations.",
        "Remove it; the message lists the known ones.",
    ),
    "E224": _Page(
        "A value in a Secret's data is not base64. The value is not shown.",
        "data.password is not base64 [E224] Secret shop/db at db.yaml:6@a1b2c3d: the value is not shown; "
        "fix: encode it, or move it to stringData",
        "Plain text under data.",
        "Move it to stringData, or encode it: `base64 -w0`.",
    ),
    "E225": _Page(
        "The object is larger than the API server stores.",
        "the ConfigMap is too big [E225] ConfigMap shop/board at board.yaml:1@a1b2c3d: 1.4 MiB; fix: split it",
        "Dashboards, certificates or scripts in one ConfigMap or Secret, whose limit is 1 MiB.",
        "Split it.",
    ),
    "E226": _Page(
        "The file is not UTF-8 text.",
        "the file is not UTF-8 text [E226] at web.yaml@a1b2c3d: byte 0xff at 0; fix: save it as UTF-8",
        "It was saved as UTF-16 or in an old code page, or is no text at all.",
        "Save it as UTF-8; keep binary files out with .sourceignore.",
    ),
    "E227": _Page(
        "A path holds characters that could deceive a reader of a log or a terminal.",
        "the file name is not allowed [E227] at a\\u202eb.yaml@a1b2c3d; fix: rename the file",
        "Control characters or direction marks in a name.",
        "Rename it.",
    ),
    "E228": _Page(
        "A number that JSON, and so the API server, can't hold.",
        "the number does not fit JSON [E228] ConfigMap shop/a at a.yaml:6@a1b2c3d: .inf; fix: quote it if text is "
        "meant",
        "`.inf`, `.nan`, or more digits than a 64-bit number has: often a version or an id without quotes.",
        "Quote it.",
    ),
    "E229": _Page(
        "A .json file is not JSON.",
        "not valid JSON [E229] at web.json:3:1@a1b2c3d: a comma is missing",
        "A comment, a trailing comma, single quotes.",
        "Correct it, or name the file .yaml.",
    ),
    "E230": _Page(
        "A path leads out of the source. Nothing outside was read.",
        "'../../secrets' leaves the source [E230] at kustomization.yaml:5@a1b2c3d; fix: keep it inside",
        "`..` above the top of the repository, an absolute path, or a symlink that points out.",
        "Move what is needed into the repository, or include it with spec.include of the source.",
    ),
    "E231": _Page(
        "A kustomization names something on the network; builds have none, so that a revision is what its commit says.",
        "'https://github.com/x/y//base' is remote [E231] at kustomization.yaml:3@a1b2c3d: builds have no network; "
        "fix: commit it, or make it a source of its own",
        "A remote base or resource.",
        "Commit it, or make it a GitRepository and include it with spec.include.",
    ),
    "E232": _Page(
        "Kustomizations refer to each other in a circle.",
        "kustomizations refer in a circle [E232] at a/kustomization.yaml:2@a1b2c3d: a → b → a; fix: cut it",
        "A base lists its overlay.",
        "Remove one of the references.",
    ),
    "E233": _Page(
        "A folder has more than one kustomization file.",
        "there are two kustomization files [E233] at apps/web@a1b2c3d: kustomize would not choose; fix: keep one",
        "kustomization.yaml and kustomization.yml, or Kustomization.",
        "Keep one.",
    ),
    "E234": _Page(
        "A patch matches no object.",
        "a patch matches no object [E234] at kustomization.yaml:8@a1b2c3d: target Deployment wbe",
        "The target's name, kind or label changed, or a nameprefix was added.",
        "Correct the patch's target.",
    ),
    "E235": _Page(
        "A patch can't be read or applied.",
        "the patch is not valid [E235] at patch.yaml:1@a1b2c3d: it is neither a map nor a list of operations",
        "Broken YAML, a JSON patch on a path that is not there, or both kinds mixed.",
        "Correct it; `sluice validate PATH` builds the folder here.",
    ),
    "E236": _Page(
        "A kustomization wants to run a program or inflate a chart, which is switched off.",
        "helmCharts is switched off [E236] at kustomization.yaml:5@a1b2c3d; fix: render it before the commit",
        "A plugin, a function, an exec generator or helmCharts.",
        "Render it before the commit.",
    ),
    "E237": _Page(
        "A replacement of a kustomization finds no source or no target.",
        "a replacement finds no source [E237] at kustomization.yaml:12@a1b2c3d: ConfigMap vars",
        "A name or a field path changed.",
        "Correct the replacement's selectors.",
    ),
    "E238": _Page(
        "kustomize could not build the folder, for a reason of its own.",
        "kustomize could not build [E238] at apps/web@a1b2c3d: invalid Kustomization",
        "The cause is kustomize's last line.",
        "`kubectl kustomize PATH` shows the same here.",
    ),
    "E239": _Page(
        "An apiVersion that is no longer, or not yet, known.",
        "unknown apiVersion [E239] at kustomization.yaml:1@a1b2c3d: kustomize.config.k8s.io/v2; fix: correct it",
        "A file for another version of kustomize.",
        "Write kustomize.config.k8s.io/v1beta1.",
    ),
    "E240": _Page(
        "A variable's name or an expression in `${…}` is not valid.",
        "the substitution is not valid [E240] Deployment shop/web at web.yaml:9@a1b2c3d: '}' is missing",
        "A brace left open, or shell text that was not meant as a variable.",
        "Correct it; write `$${` for a `${` that is meant as text.",
    ),
    "E241": _Page(
        "Lists of objects are nested too deep.",
        "Lists are nested too deep [E241] at all.yaml:1@a1b2c3d; fix: write the objects out",
        "A List in a List in a List.",
        "Write the objects as documents of their own.",
    ),
    "E242": _Page(
        "Rendering took longer than its limit, and was stopped.",
        "rendering took longer than 60s [E242] at apps@a1b2c3d; fix: split the folder",
        "A very large kustomization.",
        "Split it into several Kustomizations.",
    ),
    "E243": _Page(
        "A CRD of the revision was refused, so objects of its kind were not checked.",
        "CustomResourceDefinition widgets.example.com was refused [E243] Widget shop/a at a.yaml:1@a1b2c3d",
        "The CRD has a problem of its own, which is told beside this.",
        "Correct the CRD; this goes away with it.",
    ),
    "E244": _Page(
        "The spec asks for something that this version does not do. It is refused by name, never silently ignored.",
        "spec.decryption is not supported by this version [E244] Kustomization flux-system/shop; "
        "fix: remove spec.decryption",
        "A field of Flux that is not there yet, or a kind of credentials.",
        "Remove the field; the documentation lists all that is not yet honoured.",
    ),
    "E245": _Page(
        "A field of the spec has a value that is not allowed.",
        "spec.interval 1s is too short [E245] Kustomization shop/web; fix: write 5s or longer",
        "A duration, path or number out of its limits.",
        "Correct it where the object is defined: usually in git, too.",
    ),
    "E246": _Page(
        "Two fields or flags exclude each other.",
        "--path and --branch exclude each other [E246]; fix: give one of them",
        "Both were given.",
        "Give one of them.",
    ),
    "E247": _Page(
        "The spec names an object that does not exist.",
        "ConfigMap shop/vars does not exist [E247] Kustomization shop/web: its values are substituted into the "
        "manifests; fix: create it, correct the name, or set optional: true",
        "A name or namespace that is wrong, or an object that arrives later.",
        "Create it, or correct the name. The sync is tried again by itself.",
    ),
    "E248": _Page(
        "The spec refers to another namespace, which the operator's flags do not allow.",
        "spec.sourceRef names another namespace [E248] Kustomization team-a/web: --no-cross-namespace-refs; "
        "fix: use an object of namespace team-a",
        "Tenants are kept apart in this cluster (`--no-cross-namespace-refs`). An Alert tells of its own namespace "
        "only, unless the operator runs with `--allow-cross-namespace-alerts`.",
        "Use a source of your own namespace; move the Alert and its Provider to the objects that it tells of, or have "
        "the operator started with the flag.",
    ),
    "E249": _Page(
        "A Secret is still encrypted with SOPS. It was not sent, because workloads would read the encrypted text.",
        "the object is encrypted with SOPS [E249] Secret shop/db at db.yaml:6:1@a1b2c3d: decryption is not honoured "
        "yet, and workloads would read the encrypted text; fix: take it out of this path until it is, and apply it by "
        "hand: sops -d FILE | kubectl apply -f -",
        "The file has a `sops` block, and nothing decrypts it.",
        "Take it out of the path until decryption is honoured, and apply it by hand. Do not commit it decrypted.",
    ),
    "E441": _Page(
        "A folder in the path of the sync is a Helm chart. Its templates are no YAML yet, so the revision can't be "
        "built; nothing was written.",
        "charts/web is a Helm chart [E441] at charts/web/Chart.yaml:1@a1b2c3d: its templates become manifests only "
        "when Helm renders them; fix: leave it out by spec.path or spec.ignore of the source, or commit what `helm "
        "template` prints",
        "spec.path is the chart itself, or a folder above it that has no kustomization.",
        "Point spec.path at the manifests, leave the chart out with spec.ignore or a .sourceignore file, or render it "
        "with `helm template` and commit that.",
    ),
}
