"""A ServiceAccount of the cluster as who we are to a cloud: Kubernetes' token of it is traded for one of the cloud.

Flux calls this object-level workload identity; the annotations that name the cloud's identity are those of the clouds
themselves, and for Google outside of GKE Flux's own. All of them are written by whoever owns the namespace.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from sluice.registry.cloud.exchange import no_identity

ROLE_ARN = "eks.amazonaws.com/role-arn"
CLIENT_ID, TENANT_ID = "azure.workload.identity/client-id", "azure.workload.identity/tenant-id"
GOOGLE_ACCOUNT, GOOGLE_PROVIDER = "iam.gke.io/gcp-service-account", "gcp.auth.fluxcd.io/workload-identity-provider"
_FORMS = {
    ROLE_ARN: r"arn:aws[a-z-]*:iam::[0-9]{1,30}:role/[\w+=,.@/-]{1,600}",
    CLIENT_ID: r"[0-9A-Za-z-]{1,100}",
    TENANT_ID: r"[0-9A-Za-z.-]{1,100}",
    GOOGLE_ACCOUNT: r"[a-zA-Z0-9-]{1,100}@[a-zA-Z0-9-]{1,100}\.iam\.gserviceaccount\.com",
    GOOGLE_PROVIDER: r"projects/[0-9]{1,30}/locations/global/workloadIdentityPools/[\w-]{1,100}/providers/[\w-]{1,100}",
}


@dataclass(frozen=True, slots=True)
class CloudAccount:
    """One of them. `token` asks Kubernetes for a token of it, for an audience."""

    namespace: str
    name: str
    annotations: Mapping[str, str] = field(hash=False)
    token: Callable[[str], Awaitable[str]] = field(compare=False, repr=False)

    @property
    def identity(self) -> str:
        """The account, and who it says that it is in the clouds; two with the same get the same logins."""
        said = (f"{key}={self.annotations[key]}" for key in _FORMS if key in self.annotations)
        return " ".join((f"{self.namespace}/{self.name}", *said))

    def optional(self, annotation: str) -> str:
        """What an annotation says, empty without it. Raises RegistryError (CloudToken) when it can't be so."""
        value = self.annotations.get(annotation, "")
        if value and not re.fullmatch(_FORMS[annotation], value, re.ASCII):
            cause = f"the annotation {annotation} of ServiceAccount {self.namespace}/{self.name} has no form of one"
            raise no_identity(cause, "write it as the cloud's documentation says")
        return value

    def required(self, annotation: str) -> str:
        """The same where there must be one."""
        value = self.optional(annotation)
        if not value:
            cause = f"ServiceAccount {self.namespace}/{self.name} has no annotation {annotation}"
            raise no_identity(cause, "name the identity in the cloud that the account is to have")
        return value
