"""The annotations of an object that steer us."""

from __future__ import annotations

import pytest

from sluice.core.manifest import DEFAULT_DIRECTIVES, Directives

P = "kustomize.toolkit.fluxcd.io/"


@pytest.mark.parametrize(
    ("annotations", "wants"),
    [
        ({}, Directives()),
        ({P + "prune": "disabled"}, Directives(prune=False)),
        ({P + "prune": "Disabled"}, Directives(prune=False)),
        ({P + "prune": "enabled"}, Directives()),
        ({P + "reconcile": "disabled"}, Directives(reconcile=False)),
        ({P + "force": "Enabled"}, Directives(force=True)),
        ({P + "ssa": "IfNotPresent"}, Directives(ssa="ifnotpresent")),
        ({P + "ssa": "Merge"}, Directives(ssa="merge")),
        ({P + "ssa": "Ignore"}, Directives(ssa="ignore")),
        ({"sluice.dev/wave": "-3"}, Directives(wave=-3)),
        ({"sluice.dev/wave": "soon"}, Directives()),
        ({"sluice.dev/wave": "--1"}, Directives()),
        ({"sluice.dev/wave": "²"}, Directives()),
        ({"sluice.dev/wave": "9" * 5000}, Directives()),
        ({"other": "x"}, Directives()),
    ],
)
def test_directives_are_read_without_regard_to_case(annotations: dict[str, str], wants: Directives) -> None:
    assert Directives.of({}, annotations) == wants


def test_a_label_says_the_same_and_an_annotation_goes_before_it() -> None:
    assert Directives.of({P + "prune": "disabled"}, {}) == Directives(prune=False)
    assert Directives.of({P + "prune": "disabled"}, {P + "prune": "enabled"}) == Directives()


def test_objects_without_directives_share_one_value() -> None:
    assert Directives.of({"app": "web"}, {"note": "x"}) is DEFAULT_DIRECTIVES
