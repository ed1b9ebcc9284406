"""E61x: pages of automation by annotations. They are told in the log and by `sluice images why`."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E610": _Page(
        "A workload is annotated as automated in git, but does not run in the cluster, so its images stay as they are.",
        "shop:deployment/web is automated in git, but not in the cluster [E610] Deployment shop/web at web.yaml:3@a1b2",
        "Its revision is still being rolled out or was refused; or the file is in no path that is synced; or the file "
        "names no namespace, and the cluster has the workload in another.",
        "Nothing during a rollout. Else look with `sluice why deployment/web`, and write the namespace into the file.",
    ),
    "E611": _Page(
        "The tags of an image are not looked at, because a flag of the operator says so.",
        "k8s.gcr.io/pause is not scanned [E611]: it is excluded by --registry-exclude-image k8s.gcr.io/*",
        "--registry-exclude-image, --registry-include-image or --registry-disable-scanning.",
        "Change the flag, if the image is to be updated.",
    ),
    "E612": _Page(
        "A Secret that a workload's pods pull their images with is no login that can be read; it is left out.",
        "imagePullSecrets of shop can't be used [E612] Secret shop/regcred: 'auth' of 'ghcr.io' is not user:password",
        "The Secret is of neither of Kubernetes' two forms, or was encoded wrongly.",
        "Make it anew with `kubectl create secret docker-registry`.",
    ),
    "E613": _Page(
        "A file that a flag names can't be read, or holds nothing that can be used.",
        "--git-gpg-key-import can't be used [E613] at /root/gpg-import/private.key: No such file or directory",
        "The file is not mounted, or not readable for the operator's user.",
        "Mount it, or correct the flag.",
    ),
}
