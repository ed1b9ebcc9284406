"""Image policies: an image's tags → the one to run, by Flux v2's policies or fluxd's annotations.

Owns the words *policy*, *filter*, *order*, *candidate* and *choice*. A policy enters as fields of a spec
(`dialect_v2`) or as annotations of a workload (`dialect_fluxd`) and becomes one `TagPolicy`; `decide` takes it with the
tags that a registry lists, and gives a `Choice` with a reason. Nothing here asks a registry, reads a file or knows the
time: build times and digests are part of the tags.
"""

from __future__ import annotations

from sluice.core.image_policy.choice import Choice, Previous, Verdict, decide, explain
from sluice.core.image_policy.digest_reflection import DigestStep, digest_step
from sluice.core.image_policy.policy import InvalidPolicy, Policy, TagPolicy

__all__ = [
    "Choice",
    "DigestStep",
    "InvalidPolicy",
    "Policy",
    "Previous",
    "TagPolicy",
    "Verdict",
    "decide",
    "digest_step",
    "explain",
]
