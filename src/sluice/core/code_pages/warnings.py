"""W4xx: pages of warnings: the revision is applied, and something about it should be known."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "W401": _Page(
        "A field that only the cluster writes was left out of what is applied.",
        "status is ignored [W401] Deployment shop/web at web.yaml:30@a1b2c3d: only the cluster writes it; fix: "
        "remove it",
        "The manifest was copied from `kubectl get -o yaml`.",
        "Remove the field; `sluice export` prints objects without such fields.",
    ),
    "W402": _Page(
        "One key stands in data and in stringData of a Secret; stringData wins.",
        "password is in data and in stringData [W402] Secret shop/db at db.yaml:8@a1b2c3d: stringData wins, as the API "
        "server has it; fix: remove one of them",
        "Two people, or two tools, wrote the Secret.",
        "Remove one of the two.",
    ),
    "W403": _Page(
        "Attributes that change files on checkout are not followed: files are read as they are in git.",
        "docs/.gitattributes asks git to change files on checkout; Sluice reads them as they are in git [W403] at "
        "docs/.gitattributes@a1b2c3d",
        "`eol`, `ident`, `filter` or `working-tree-encoding` in .gitattributes.",
        "Nothing, unless manifests rely on it: then commit them as they should be read.",
    ),
    "W404": _Page(
        "Two paths differ only in case; on some machines one hides the other.",
        "Web.yaml and web.yaml differ only in case [W404] at web.yaml@a1b2c3d; fix: rename one",
        "They were made on a file system that tells them apart.",
        "`git mv` one of them.",
    ),
    "W405": _Page(
        "The objects will be accepted, but their pods have no room in a ResourceQuota.",
        "ResourceQuota shop/compute has not enough for the pods of this revision's new workloads [W405]: cpu: hard 4, "
        "used 3, and they ask for 2; fix: raise the quota, or ask for less: pods without room are not created",
        "New workloads ask for more than is left.",
        "Raise the quota, or lower the requests.",
    ),
    "W406": _Page(
        "If this revision fails, an undo can't take this part of it back.",
        "what this Job does can't be undone [W406] Job shop/migrate at job.yaml:1@a1b2c3d: it runs before the revision "
        "is known to be healthy; fix: make it safe to run again, and the revision before able to live with it",
        "A Job that runs, a new stored version of a CRD, an object that must be recreated.",
        "Make it so that the revision before can live with its outcome.",
    ),
    "W407": _Page(
        "Something new needs what an object still holds that the same revision prunes, and pruning comes last.",
        "nodePort 30080 still belongs to Service shop/old, which this revision prunes [W407] Service shop/new at "
        "svc.yaml:1@a1b2c3d: pruning comes last; fix: remove Service shop/old in a commit of its own first",
        "A node port, a host and path, or a quota moves from an old object to a new one in one commit.",
        "Remove the old object in a commit of its own first, or choose another port or host.",
    ),
    "W408": _Page(
        "Objects carry a sync's labels, and nothing proves that they are its own, so they are left in place.",
        "3 objects carry the labels of shop/web [W408] Kustomization shop/web: no record or inventory names them",
        "The record was lost, or somebody copied the labels.",
        "Delete them by hand if nobody needs them, or put them into git to have them adopted.",
    ),
    "W409": _Page(
        "The API server took the object, and warns of something in it; it warns every client that applies it.",
        'would violate PodSecurity "restricted:latest": runAsNonRoot != true [W409] Deployment shop/web at '
        "web.yaml:1@a1b2c3d: the API server accepts it, and warns of it, and of 2 more objects; fix: do what it says "
        "before an upgrade of the cluster or a stricter policy refuses it",
        "An API version or a field that is deprecated, a namespace that warns of pods which a stricter level of Pod "
        "Security would refuse, or an admission webhook that has something to say.",
        "Do what the warning says. `sluice plan` and `sluice diff` tell it beforehand; each revision that writes the "
        "object tells it as an event.",
    ),
}
