"""E3xx: pages of what the API server refused, of objects that did not become healthy, and of undoing and drift."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E301": _Page(
        "A field that can't be changed once the object exists. Nothing of the revision was written.",
        "spec.selector can't be changed [E301] Deployment shop/web at web.yaml:8@a1b2c3d: field is immutable; "
        "fix: take the change back, or recreate the object with force",
        "A new selector of a workload, template of a Job, storage size of a StatefulSet, type of a Secret.",
        "Take the change back, give the object a new name, or allow recreation: the annotation "
        "kustomize.toolkit.fluxcd.io/force: enabled. `sluice plan` shows what would be replaced.",
    ),
    "E302": _Page(
        "An admission webhook or policy refused the object in its dry-run. Nothing of the revision was written.",
        "policy require-limits refused the object [E302] Deployment shop/web at web.yaml:1@a1b2c3d: limits are needed; "
        "fix: meet the policy",
        "A rule of this cluster; the text is its own.",
        "Change the manifest as the text says, or talk to who keeps the policy.",
    ),
    "E303": _Page(
        "An object of the revision says that it failed. With the default onFailure the revision is undone, and not "
        "tried "
        "again until git or the spec changes.",
        "Job shop/migrate failed [E303] Job shop/migrate at job.yaml:1@a1b2c3d: container main exits with 1 [E712]; "
        "fix: correct it in git, or make the cluster able to run it",
        "The cause behind it has a code of its own (E711 to E717): an image that can't be pulled, a program that "
        "exits.",
        "Correct that cause in git and push. The next commit is tried at once.",
    ),
    "E304": _Page(
        "Objects were still not healthy when spec.timeout was over. With the default onFailure the revision is undone.",
        "Deployment shop/pay is not healthy after 300s [E304] Deployment shop/pay at pay.yaml:27@a1b2c3d: container "
        "main "
        'can\'t pull image "pay:2.3" [E711]; fix: look at the object, or give it more time with spec.timeout',
        "The cause behind it has a code of its own (E711 to E717); or it only takes long.",
        "Correct that cause, or raise spec.timeout.",
    ),
    "E305": _Page(
        "A ResourceQuota has no room for what the revision creates. Nothing was written.",
        "ResourceQuota compute has no room for it [E305] Pod shop/a at a.yaml:1@a1b2c3d: pods: hard 10, used 10, and "
        "this revision wants 1 more; fix: raise the quota, or create less",
        "The namespace is full.",
        "Raise the quota, or remove the old objects in a commit of its own: pruning comes last.",
    ),
    "E306": _Page(
        "The sync waits for another one that spec.dependsOn names. It starts by itself when that is ready.",
        "dependency 'shop/payments' is not ready [E306] Kustomization shop/checkout: not valid YAML [E202]; "
        "fix: look at Kustomization shop/payments",
        "The other one fails, waits itself, is suspended, does not exist, or is still at another revision.",
        "`sluice why` follows the chain to the one that fails. Mend that one.",
    ),
    "E307": _Page(
        "Another field manager owns the field, and it was not taken from it.",
        "spec.replicas is owned by hpa-controller [E307] Deployment shop/web at web.yaml:7@a1b2c3d; "
        "fix: leave the field to it, or take it by force",
        "Another controller or a person sets the same field.",
        "Remove the line from git, or leave the field to the other: spec.ignore.",
    ),
    "E308": _Page(
        "The account that applies may not do this. Nothing of the revision was written.",
        "ServiceAccount shop/deployer may not patch configmaps in namespace pay [E308] ConfigMap pay/web at "
        'web.yaml:1@a1b2c3d: …; fix: bind a Role in namespace pay with {apiGroups: [""], resources: [configmaps], '
        "verbs: [patch]} to it, if it should",
        "spec.serviceAccountName (or --default-service-account) names an account whose roles do not cover this; or the "
        "operator was installed without cluster-admin; or a role would grant more than the account has.",
        "Bind a Role or ClusterRole to the account in the message; `kubectl auth can-i` checks it.",
    ),
    "E309": _Page(
        "An object left git and could not be deleted. It stays in the inventory and is tried again; Ready is False "
        "until "
        "it is gone.",
        "ConfigMap shop/old left git, but could not be deleted [E309] ConfigMap shop/old: a webhook denied it",
        "A webhook or policy denies deletions, or the account may not delete.",
        "Mend that; or keep the object and let go of it: the annotation kustomize.toolkit.fluxcd.io/prune: disabled.",
    ),
    "E310": _Page(
        "The API server's own validation refused the object. Nothing of the revision was written.",
        "spec.ports[0].port is not valid [E310] Service shop/web at svc.yaml:9@a1b2c3d: must be between 1 and 65535",
        "A value out of its limits, fields that do not go together.",
        "Correct the field in git.",
    ),
    "E311": _Page(
        "An admission or conversion webhook did not answer, so the API server refuses. It is tried again by itself.",
        "webhook policy.example.com did not answer [E311] Deployment shop/web: no endpoints available for service; "
        "fix: look at the webhook's Service and pods",
        "Its pods are down or just starting, its certificate is wrong, or a network policy blocks it.",
        "Look at the Service and pods that the message names.",
    ),
    "E312": _Page(
        "The API server did not answer, or asked to wait. It is tried again by itself, and nothing is lost.",
        "the API server https://10.0.0.1 did not answer [E312]: connection refused; "
        "fix: check that it runs and can be reached from here; it is tried again",
        "It restarts, is overloaded, or an aggregated API is down.",
        "Nothing, if it passes. `kubectl get --raw /readyz` and `kubectl get apiservice` show what is down.",
    ),
    "E313": _Page(
        "The revision has no objects, and there are some in the cluster: applying it would delete all of them.",
        "the revision has no objects, but 12 are in the cluster [E313] Kustomization shop/web: applying it would "
        "delete "
        "all of them; fix: restore the files, or set spec.allowEmpty: true to confirm",
        "A wrong path, an ignore rule, or a commit that moved the folder.",
        "Restore the files, or confirm with spec.allowEmpty: true.",
    ),
    "E314": _Page(
        "The revision would prune more objects than spec.pruneLimit allows. Nothing was written.",
        "the revision would prune 9 of 10 objects, over the limit of 50 % [E314] Kustomization shop/web; "
        "fix: raise spec.pruneLimit for this revision",
        "A folder was removed or renamed, perhaps by accident.",
        "Look at `sluice plan`; then raise spec.pruneLimit for this revision, or bring the files back.",
    ),
    "E315": _Page(
        "Two syncs have the same object in their desired state. It stays with the one that has it.",
        "Service shop/web belongs to Kustomization shop/base [E315] Service shop/web at svc.yaml:1@a1b2c3d: both syncs "
        "have it in their desired state; fix: remove it from one of them",
        "Two paths that overlap, or a base that two Kustomizations read.",
        "Remove it from one of them: it is then handed over without a restart.",
    ),
    "E316": _Page(
        "The object is part of the operator itself, which a sync may not change.",
        "Deployment flux-system/sluice is part of the operator itself [E316] Deployment flux-system/sluice at "
        "install.yaml:9@a1b2c3d; fix: remove it from this sync; install and upgrade the operator with `sluice install`",
        "The installation's manifests are in the repository.",
        "Remove them from the path, and upgrade with `sluice install`.",
    ),
    "E317": _Page(
        "Syncs wait for each other in a circle, so none of them can start.",
        "Kustomizations depend on each other in a circle [E317] Kustomization shop/a: shop/a → shop/b → shop/a; "
        "fix: remove one of these dependencies",
        "The dependsOn fields of two or more Kustomizations.",
        "Remove one of the dependencies in the message.",
    ),
    "E318": _Page(
        "The namespace is being deleted, and takes nothing new. It is tried again by itself.",
        "the namespace is being deleted [E318] ConfigMap shop/a at a.yaml:1@a1b2c3d",
        "Somebody deleted it, and a finalizer holds it; or it goes and comes back.",
        "`kubectl get ns NAME -o yaml` says in its conditions what it waits for.",
    ),
    "E319": _Page(
        "The object can't be dry-run, because the server behind its kind might write it for real.",
        "the object can't be dry-run [E319] Thing shop/a at a.yaml:1@a1b2c3d: its API does not declare dryRun",
        "An aggregated API that does not declare dry-run.",
        "Apply such objects another way.",
    ),
    "E320": _Page(
        "The operator's own record of this sync can't be read. Nothing is pruned by guess.",
        "the operator's record of this sync can't be read [E320] Kustomization shop/web: it is cut short; "
        "fix: restore the Secret from a backup; or delete it",
        "The Secret was edited, restored in part, or written by a newer version.",
        "Restore the Secret. If it is deleted, the inventory in status is taken, and what that lacks is left in place.",
    ),
    "E321": _Page(
        "An object must be recreated, and the old one does not go.",
        "Job shop/migrate must be recreated, and its deletion has not ended after 30s [E321] Job shop/migrate: a "
        "finalizer holds it; fix: let the finalizer's controller finish, or remove the finalizer",
        "The controller of a finalizer does not run.",
        "Start that controller, or remove the finalizer and what it guards by hand.",
    ),
    "E322": _Page(
        "The namespace does not exist, and this revision does not create it.",
        "namespace shop does not exist [E322] ConfigMap shop/a at a.yaml:4@a1b2c3d; "
        "fix: add it to this revision, or depend on the sync that creates it",
        "It comes from another sync, or was forgotten.",
        "Add the Namespace, or `dependsOn` the sync that has it.",
    ),
    "E323": _Page(
        "An undo could not take an object back. It is tried again until it is done, and Ready says so meanwhile.",
        "Deployment shop/web is not as it was before [E323] Deployment shop/web: an admission webhook denied it",
        "A webhook, a policy or a right that is missing stands in the way.",
        "Mend that; or correct the object by hand.",
    ),
    "E324": _Page(
        "An undo left an object as it is: taking it back could take somebody else's data, or can't be done.",
        "PersistentVolumeClaim shop/disk is kept [E324] PersistentVolumeClaim shop/disk: it may hold data; "
        "fix: delete it by hand if nobody needs it",
        "A volume claim, a namespace or a CRD with others' objects in it; a field that the API server does not let "
        "change back; a Job, which would run again; a namespace or CRD that somebody has deleted.",
        "Delete it by hand if nobody needs it, or say in git what becomes of it; it stays in the inventory until then.",
    ),
    "E325": _Page(
        "Somebody changed the object at the same moment. It is read again and tried again by itself.",
        "the object changed meanwhile [E325] Deployment shop/web; fix: it is read and tried again",
        "A person or a controller was faster.",
        "Nothing. When it does not end, see E330.",
    ),
    "E326": _Page(
        "A revision was being applied when the operator died, or another one came; and what git has now can't be "
        "applied. What had been applied was taken back, so that the cluster is as it was.",
        "revision main@sha1:1111111 was cut short, and taken back [E326] : main@sha1:2222222 can't be applied, so that "
        "nothing would have ended it; fix: correct what git has now",
        "Nothing failed in the revision that was taken back.",
        "Correct what git has now; `sluice why` says what is wrong with it.",
    ),
    "E330": _Page(
        "Another writer keeps changing what git says. It is set right at most once a minute, to spare the cluster.",
        "Deployment shop/web: spec.replicas is 5 in place of 3, by hpa, again and again [E330] Deployment shop/web at "
        "web.yaml:7@a1b2c3d: hpa and git want different things; fix: leave the field to it with spec.ignore",
        "An autoscaler, another operator or a script sets the same field.",
        "Remove the line from git, or add the rule that the message prints to spec.ignore.",
    ),
    "E331": _Page(
        "An object is not as it was applied, and drift is set to be told only.",
        "Deployment shop/web: spec.replicas is 5 in place of 3, by kubectl-edit [E331] Deployment shop/web at "
        "web.yaml:7@a1b2c3d: drift is Warn: it is told and left as it is",
        "Somebody changed it by hand.",
        "Put the change into git, undo it, or set spec.drift: Correct.",
    ),
    "E332": _Page(
        "The annotation that says what happens to drift has a value that means nothing.",
        "sluice.dev/drift is not a drift mode [E332] Deployment shop/web at web.yaml:6@a1b2c3d: it is 'off'; "
        "fix: write Correct, Warn or Ignore",
        "A typing error.",
        "Write Correct, Warn or Ignore.",
    ),
    "E340": _Page(
        "The object exists, somebody else made it, and spec.adopt does not let it be taken over. Nothing was written.",
        "Service shop/web exists and is not this Kustomization's [E340] Service shop/web at svc.yaml:1@a1b2c3d: it "
        "seems "
        "to belong to Helm; fix: set spec.adopt: Always to take it over",
        "It was installed by Helm, Argo CD, another Flux or by hand.",
        "Set spec.adopt, remove it from git, or delete it in the cluster.",
    ),
    "E341": _Page(
        "A Kustomization that is deleted still has an object that git has moved to another one. It is kept for that "
        "one, and the Kustomization goes once that has taken it; if nobody wants it any more, it is deleted.",
        "ConfigMap shop/x holds up the deletion of Kustomization shop/old [E341] Kustomization shop/old: git has moved "
        "it, or may have: shop/new takes it over; that has not happened yet",
        "The other Kustomization fails, was undone, is not reconciled yet, or still waits for health.",
        "Mend that one (`sluice why`), remove the object from it in git, or delete it, too. With spec.deletionPolicy: "
        "Orphan this one goes at once and leaves the object.",
    ),
    "E350": _Page(
        "The revision that a rollback asks for can't be gone back to. Nothing was changed.",
        "can't roll back to main@9f8e7d6c [E350] Kustomization shop/web: it never was applied; "
        "fix: see `sluice history web -n shop`",
        "It was never applied wholly, is no longer remembered, or its commit is gone from git.",
        "`sluice history NAME` lists what can be gone back to.",
    ),
    "E351": _Page(
        "What was asked for is written on a Kustomization, and an operator that runs by flags alone has none. "
        "Nothing was changed.",
        "flag is applied by an operator that runs without CRDs, so it follows git alone [E351]; fix: take git back to "
        "main@9f8e7d6c, in a checkout: git revert ...",
        "A rollback of what `sluice run --git-url` applies.",
        "Run the printed command: the operator follows it as any commit.",
    ),
    "E360": _Page(
        "The annotation that makes Kustomizations one transaction has a value that can't be a group's name.",
        "sluice.dev/group is not a group's name [E360] Kustomization shop/web: it is 'My Group'",
        "A typing error.",
        "Write a name of lower-case letters, digits and dashes.",
    ),
    "E361": _Page(
        "The Kustomizations of a group read different sources, so no revision is common to them. None is applied.",
        "it reads GitRepository shop/other, but shop/api of group 'front' reads GitRepository shop/fleet [E361] "
        "Kustomization shop/web: a group is taken from one revision of one source to the next",
        "A member with another spec.sourceRef.",
        "Give all members the same source, or take the odd one out of the group.",
    ),
    "E362": _Page(
        "A member of a group asks for another onFailure than Undo; a group is all or nothing.",
        "spec.onFailure: Stop in group 'front' [E362] Kustomization shop/web: a group takes effect wholly or is undone "
        "wholly; fix: remove spec.onFailure, or the annotation sluice.dev/group",
        "spec.onFailure of a member.",
        "Remove it, or take the member out of the group.",
    ),
    "E363": _Page(
        "A member depends on another member; they are applied together.",
        "it depends on Kustomization shop/api, which is of group 'front' like itself [E363] Kustomization shop/web",
        "spec.dependsOn from before the group.",
        "Remove the dependency; order inside a group by the wave annotation.",
    ),
    "E364": _Page(
        "A member is suspended, so the whole group stands still.",
        "Kustomization shop/api of group 'front' is suspended, so the group stands still [E364] Kustomization shop/api",
        "`sluice suspend` on one member.",
        "`sluice resume ks NAME`, or take the member out of the group.",
    ),
    "E365": _Page(
        "Another member of the group failed, or waits, so none is applied. Its cause is the one to mend.",
        "Kustomization shop/api of group 'front' failed, and the group with it [E365] Kustomization shop/web: "
        "not valid YAML",
        "The member that the message names.",
        "Mend that one: `sluice why`.",
    ),
    "E366": _Page(
        "A member left its group in the middle of a transaction, which is ended first.",
        "shop/api left the group in the middle of a transaction [E366] Kustomization shop/api",
        "The annotation was removed, or the Kustomization deleted, meanwhile.",
        "Nothing: it goes on by itself.",
    ),
    "E367": _Page(
        "Members of a group are asked to be at different revisions.",
        "it is asked to go back to main@sha1:9f8e7d6c, but not all of group 'front' are [E367] Kustomization shop/web",
        "A rollback asked of one member by annotation; `sluice rollback` asks all of them.",
        "Roll all members back, or resume the one.",
    ),
    "E370": _Page(
        "The record of this sync was written by another version of Sluice, and is not read by guess. Nothing is "
        "pruned.",
        "the operator's record of this sync is of a newer version [E370] Kustomization shop/web: it has format 9",
        "A newer operator ran here before.",
        "Run that version or a later one again.",
    ),
    "E371": _Page(
        "The record of this sync would be too large to be written, so nothing was begun.",
        "the operator's record of this sync is too large [E371] Kustomization shop/web: 70 MiB",
        "Very many, or very large, objects in one sync.",
        "Split it into several Kustomizations.",
    ),
    "E372": _Page(
        "Somebody else has written the record of this sync. It is read again before anything goes on.",
        "the operator's record of this sync was changed by somebody [E372] Kustomization shop/web",
        "Another operator that was leading until a moment ago, or a person.",
        "Nothing, if it passes; leave the Secrets of records alone.",
    ),
    "E373": _Page(
        "The revision has a change that can't be undone, and a person has to agree to it first. Nothing was written.",
        "Job shop/migrate must be recreated [E373] Job shop/migrate at job.yaml:1@a1b2c3d: what it did is not undone",
        "An object that must be deleted and made anew, or a new stored version of a CRD.",
        "Look at `sluice plan`, and give the word as the message says.",
    ),
    "E374": _Page(
        "Objects have left the Kustomization, and another one that stands still may be to take them over: git may have "
        "moved them there. They are kept, with all that is in them, until that one can be rendered or goes on. What it "
        "then wants it takes over; what nobody wants is pruned. So it is with one that is still to be made by a "
        "Kustomization which is not ready.",
        "PersistentVolumeClaim shop/data has left and is not pruned [E374]: Kustomization shop/new may define that, "
        "and can't be rendered: invalid YAML [E202] at new/web.yaml:7@a1b2c3d; fix: mend shop/new: it then takes over "
        "what it wants, and the rest is pruned; or delete by hand what nobody needs",
        "A typing error in another file of the Kustomization that objects were moved to, or in one beside its own "
        "manifest; or that one, or the one that makes it, is suspended, rolled back or not ready.",
        "Mend that Kustomization, resume it, or delete the object by hand if it is not needed any more.",
    ),
    "E375": _Page(
        "Working on this sync ended the operator three times, without ever coming to an end in between, so it is left "
        "alone and the others go on. Only ends that came from inside are counted: a crash, memory that ran out, an "
        "event loop that stood still; never a restart, nor that somebody killed the process. What was applied before "
        "stays.",
        "it is left alone, since working on it ends the operator [E375] Kustomization shop/web: the operator died 3 "
        "times while it read or planned this: it ran out of memory; fix: take out what is too much in git, or give the "
        "operator more memory; `sluice sync web -n shop` has it tried once more, and so does a new revision",
        "Manifests that need more memory than the operator may have, or that a library can't cope with.",
        "Look at what the last commits brought; the log of the process after says where it stood. A new revision, a "
        "changed spec or a request gives it one more try, and one that goes well forgets the rest.",
    ),
    "E376": _Page(
        "A program that the operator needs (git, kustomize) could not be started, since the machine or the container "
        "allows no more processes, open files or memory. It is tried again.",
        "git can't be started: no more processes [E376]: Resource temporarily unavailable; fix: raise the limit on "
        "processes (pids of the container, or ulimit -u)",
        "A low limit on pids of the pod or the node, or something else in it that takes them all.",
        "Raise that limit, or look at what uses it up.",
    ),
    "E440": _Page(
        "What the revision takes out of git would take objects along that are still in it: a Namespace everything "
        "inside, a CRD every object of its kind. Nothing was written.",
        "Namespace shop has left git, and objects that are still there need it [E440] Namespace shop at "
        "web.yaml:1@a1b2c3d: pruning it would delete Deployment shop/web; fix: restore it in git, or take them "
        "out, too",
        "A file with a namespace or a CRD was removed, renamed or left out of the kustomization by mistake; or it "
        "is somebody else's to keep from now on.",
        "Restore the file, or remove the objects in the same commit. To leave it in the cluster without an owner, "
        "annotate it there with kustomize.toolkit.fluxcd.io/prune: disabled; then `sluice sync`.",
    ),
    "E442": _Page(
        "A Namespace left git, and deleting it would delete what other Kustomizations have in it. Nothing was "
        "written; it is tried again.",
        "Namespace shop has left git, and other Kustomizations have objects in it [E442] Namespace shop: pruning it "
        "would delete Deployment shop/web of flux-system/apps; fix: take them out of git, too, or restore it",
        "The file with the namespace was removed by mistake, or before what is in it.",
        "Restore the file, or take the others' objects out of git as well (a Kustomization that is suspended or "
        "failing keeps what it has). To leave the namespace in the cluster without an owner, annotate it there with "
        "kustomize.toolkit.fluxcd.io/prune: disabled.",
    ),
}
