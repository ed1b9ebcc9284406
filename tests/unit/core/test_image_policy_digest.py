"""Digest reflection: when a digest is left out, kept, or asked of the registry."""

from __future__ import annotations

import pytest

from sluice.core.image import parse
from sluice.core.image_policy.digest_reflection import DigestStep, ReflectionPolicy, digest_step

SHA = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("policy", "reported", "step"),
    [
        ("Never", None, DigestStep.OMIT),
        ("Never", f"web:1@{SHA}", DigestStep.OMIT),
        ("IfNotPresent", None, DigestStep.FETCH),
        ("IfNotPresent", "web:1", DigestStep.FETCH),
        ("IfNotPresent", f"web:1@{SHA}", DigestStep.KEEP),
        ("IfNotPresent", f"web:2@{SHA}", DigestStep.FETCH),
        ("IfNotPresent", f"other/web:1@{SHA}", DigestStep.FETCH),
        ("Always", f"web:1@{SHA}", DigestStep.FETCH),
    ],
)
def test_a_digest_is_asked_for_when_the_policy_and_what_is_known_call_for_it(
    policy: ReflectionPolicy, reported: str | None, step: DigestStep
) -> None:
    assert digest_step(policy, parse("web:1"), parse(reported) if reported else None) is step
