"""E71x: pages of what is found by looking at the objects themselves: why a workload is not well, and who acts."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E710": _Page(
        "No operator is at work, so nothing is fetched or applied. What runs in the cluster goes on running.",
        "no operator acts on this cluster [E710]: nobody holds Lease flux-system/sluice-leader-election; "
        "fix: look at it: kubectl get pods -n flux-system -l app.kubernetes.io/component=sluice",
        "Its pod does not run, can't reach the API server, or was scaled to 0.",
        "`sluice check` names what is wrong with it; `sluice install` puts it back.",
    ),
    "E711": _Page(
        "A pod was scheduled, and its node can't pull an image, so the container never started. With the default "
        "onFailure the revision is undone.",
        'container main can\'t pull image "registry.example/pay:2.3" [E711] Pod shop/pay-6c9f-x2k: manifest unknown; '
        "fix: push that image, or correct its name or tag in git",
        "The tag was never pushed, the name has a typing error, the registry wants credentials (imagePullSecrets), or "
        "the node can't reach it.",
        "Push the image, or correct it in git. With a private registry: check imagePullSecrets.",
    ),
    "E712": _Page(
        "A container starts and ends again and again, or its Job gave up.",
        "container main exits with 1, restarted 6 times [E712] Pod shop/web-7d9-abc: Error; "
        "fix: read its last words: kubectl logs -n shop web-7d9-abc -c main --previous",
        "The program fails at its start: a wrong flag or environment variable, something it needs that is not there; "
        "or it is killed for want of memory (OOMKilled, 137).",
        "Read the log of its last run: `sluice logs KIND/NAME --pods`; then correct git, or `sluice rollback`.",
    ),
    "E713": _Page(
        "No node takes the pod.",
        "no node takes pod web-7d9-abc [E713] Pod shop/web-7d9-abc: 0/5 nodes are available: 3 Insufficient cpu; "
        "fix: ask for less, or add nodes",
        "It asks for more CPU or memory than any node has left; a nodeSelector, affinity or taint leaves none; its "
        "volume is in another zone.",
        "Lower resources.requests, correct the selector, or add nodes.",
    ),
    "E714": _Page(
        "The containers run, and at least one does not report that it is ready, so no traffic reaches the pod.",
        "container main runs and is not ready [E714] Pod shop/web-7d9-abc: Readiness probe failed; "
        "fix: look at its readiness probe and its log",
        "The readiness probe asks the wrong port or path, the program is slow to start, or waits for something.",
        "`sluice logs KIND/NAME --pods`; correct the probe or the program, or give it more time with spec.timeout.",
    ),
    "E715": _Page(
        "The workload's controller is not allowed to create its pods.",
        "its pods can't be created [E715] Deployment shop/web: exceeded quota: compute; "
        "fix: raise the quota or change the policy that refuses them, or ask in git for what it allows",
        "A ResourceQuota is used up, an admission policy refuses the pods, or their ServiceAccount does not exist.",
        "The message is the API server's own: it names the quota or the policy.",
    ),
    "E716": _Page(
        "A container can't be made, because what it takes its configuration from is not there.",
        'container main lacks its configuration [E716] Pod shop/web-7d9-abc: secret "db" not found; '
        "fix: create what it names, or correct the reference",
        "A ConfigMap, Secret or key named in env, envFrom or a volume does not exist in the pod's namespace.",
        "Create it, or correct the name; to have both arrive together, put them into the same revision.",
    ),
    "E717": _Page(
        "A pod waits for a volume.",
        "PersistentVolumeClaim shop/data is not bound [E717] PersistentVolumeClaim shop/data: no storage class; "
        "fix: name a StorageClass that exists, or provide a volume",
        "No StorageClass of that name, none is the default, or the provisioner has no room.",
        "`kubectl get storageclass`; correct storageClassName.",
    ),
    "E718": _Page(
        "The object is in the cluster, and no sync has applied it. Exit code 1.",
        "Deployment shop/old is not managed by a sync [E718] Deployment shop/old: neither it nor an owner of it has "
        "the labels of a Kustomization",
        "It was made by hand or by another tool, or its sync let go of it.",
        "Nothing, if that is meant. To take it over, put it into git: the next sync adopts it.",
    ),
    "E719": _Page(
        "The commit is fetched and its turn has not come: nothing is wrong, look again in a moment.",
        "ks/web has not tried main@a1b2c3d4 yet [E719] Kustomization shop/web: it is at main@9f8e7d6c",
        "It was fetched a moment ago; the operator works on others; or the sync waits for its next interval.",
        "`sluice sync NAME` asks for it now and waits.",
    ),
    "E720": _Page(
        "The object is being deleted and waits for a finalizer.",
        "ks/web is being deleted [E720] Kustomization shop/web: it waits for finalizers.fluxcd.io; "
        "fix: see what holds it: sluice events --for ks/web",
        "What it applied is being pruned and an object of that can't go; or no operator runs to do it.",
        "Mend what holds the objects. Removing the finalizer by hand leaves them in the cluster.",
    ),
    "E721": _Page(
        "The sync is at an earlier revision than git, because somebody asked for that.",
        "ks/web was rolled back to main@9f8e7d6c [E721] Kustomization shop/web: by ana; git is at main@a1b2c3d4; "
        "fix: sluice resume ks web -n shop",
        "`sluice rollback`.",
        "`sluice resume ks NAME` goes back to git's head; a new commit ends it, too.",
    ),
    "E722": _Page(
        "The operator's installation is not whole, or can't work with this cluster.",
        "Deployment flux-system/sluice is not available [E722]: Available: 0/1; fix: look at its pods",
        "Its pod does not start, a CRD is missing or older than the operator, or Kubernetes is older than what is "
        "tested.",
        "The message names the part; `sluice install` repairs what it installs.",
    ),
    "E723": _Page(
        "Origins need the git repository, and this command could not read it. All else is shown.",
        "the file can't be named [E723]: Could not resolve host: git.example; fix: run it where git can be reached",
        "This machine can't reach the git host, or you may not read the Secret with its credentials.",
        "Run it where both are possible, or leave origins out with --no-git.",
    ),
}
