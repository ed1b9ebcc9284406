"""Policies of workloads, set and taken away as annotations in their files."""

from __future__ import annotations

import pytest

from sluice.core.image_update.policy_annotation import (
    PolicyUpdate,
    automate,
    deautomate,
    lock,
    unlock,
    update_policies,
)
from sluice.core.image_update.workload import WorkloadId

NGINX = WorkloadId("default", "deployment", "nginx")
TEXT = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: # comment really close
  name: nginx{annotations}
spec:
  template:
    metadata: # comment2
      labels: {{name: nginx}}
    spec:
      containers:
      - image: nginx  # These keys are purposefully un-sorted.
        name: nginx   # And these comments are testing comments.
      - {{name: sidecar, image: side:v1}}
"""


def deployment(*annotations: str) -> str:
    lines = "".join(f"\n    {line}" for line in annotations)
    return TEXT.format(annotations=f"\n  annotations:{lines}" if lines else "")


CASES: list[tuple[tuple[str, ...], PolicyUpdate, tuple[str, ...]]] = [
    (
        ("prometheus.io/scrape: 'false'",),
        automate(NGINX),
        ("prometheus.io/scrape: 'false'", "fluxcd.io/automated: 'true'"),
    ),
    (("flux.weave.works/automated: 'true'",), automate(NGINX), ("flux.weave.works/automated: 'true'",)),
    (("flux.weave.works/automated: 'false'",), automate(NGINX), ("flux.weave.works/automated: 'true'",)),
    ((), automate(NGINX), ("fluxcd.io/automated: 'true'",)),
    (("fluxcd.io/automated: true", "a: b"), deautomate(NGINX), ("a: b",)),
    (("fluxcd.io/automated: 'true'",), deautomate(NGINX), ()),
    (("fluxcd.io/automated: 'true'", "flux.weave.works/automated: 'true'"), deautomate(NGINX), ()),
    ((), deautomate(NGINX), ()),
    (("a: b",), deautomate(NGINX), ("a: b",)),
    (
        ("flux.weave.works/automated: 'true'", "a: 'b'"),
        PolicyUpdate(NGINX, {"locked": "true"}, frozenset({"automated"})),
        ("a: 'b'", "fluxcd.io/locked: 'true'"),
    ),
    ((), PolicyUpdate(NGINX, {"locked": "true"}, frozenset({"locked"})), ()),
    (
        (),
        lock(NGINX, "Ann <ann@example.com>", "it's\nbroken"),
        (
            "fluxcd.io/locked: 'true'",
            "fluxcd.io/locked_user: Ann <ann@example.com>",
            'fluxcd.io/locked_msg: "it\'s\\nbroken"',
        ),
    ),
    (("fluxcd.io/locked: 'true'", "fluxcd.io/locked_msg: |-", "  first", "", "  third"), unlock(NGINX), ()),
    ((), PolicyUpdate(NGINX, {"tag.nginx": "glob:*"}), ("fluxcd.io/tag.nginx: glob:*",)),
    ((), PolicyUpdate(NGINX, {"tag.nginx": "semver:>=1.2, <2"}), ("fluxcd.io/tag.nginx: semver:>=1.2, <2",)),
    ((), PolicyUpdate(NGINX, {"tag.nginx": "regexp:(.*?)"}), ("fluxcd.io/tag.nginx: regexp:(.*?)",)),
    (
        ("filter.fluxcd.io/nginx: glob:*",),
        PolicyUpdate(NGINX, {"tag.nginx": "glob:1.*"}),
        ("filter.fluxcd.io/nginx: glob:1.*",),
    ),
    (
        (),
        PolicyUpdate(NGINX, {"tag_all": "semver:~1"}),
        ("fluxcd.io/tag.nginx: semver:~1", "fluxcd.io/tag.sidecar: semver:~1"),
    ),
    (("fluxcd.io/tag.nginx: a", "filter.fluxcd.io/sidecar: b"), PolicyUpdate(NGINX, {"tag_all": "*"}), ()),
    (("fluxcd.io/tag.nginx: a",), PolicyUpdate(NGINX, remove=frozenset({"tag_all"})), ()),
]


@pytest.mark.parametrize(("before", "update", "after"), CASES)
def test_policies_are_written_as_fluxctl_wrote_them(
    before: tuple[str, ...], update: PolicyUpdate, after: tuple[str, ...]
) -> None:
    done = update_policies({"a.yaml": deployment(*before).encode()}, [update])
    assert not done.skipped
    assert done.files.get("a.yaml", deployment(*before).encode()).decode() == deployment(*after)
    assert bool(done.changes) == bool(done.files)
    again = update_policies({"a.yaml": deployment(*after).encode()}, [update])
    assert (again.files, again.changes) == ({}, ())


def test_a_change_names_the_annotation_with_its_old_and_its_new_value() -> None:
    text = deployment("fluxcd.io/tag.nginx: glob:*")
    done = update_policies(
        {"a.yaml": text.encode()}, [PolicyUpdate(NGINX, {"tag.nginx": "glob:1.*", "automated": "true"})]
    )
    told = [(change.field, change.policy, change.old, change.new) for change in done.changes]
    assert told == [
        ("fluxcd.io/tag.nginx", "tag.nginx", "glob:*", "glob:1.*"),
        ("fluxcd.io/automated", "automated", "", "true"),
    ]


def test_two_workloads_of_one_file_are_both_edited() -> None:
    other = WorkloadId("default", "deployment", "other")
    text = deployment() + deployment().replace("name: nginx\nspec", "name: other\nspec")
    done = update_policies({"a.yaml": text.encode()}, [automate(NGINX), automate(other)])
    first = deployment("fluxcd.io/automated: 'true'")
    assert done.files["a.yaml"].decode() == first + first.replace("name: nginx\n  ann", "name: other\n  ann")


def test_a_workload_that_can_not_be_edited_is_left_whole_and_says_why() -> None:
    text = deployment("<<: &shared {fluxcd.io/locked_msg: x}", "fluxcd.io/locked: 'true'")
    done = update_policies({"a.yaml": text.encode()}, [unlock(NGINX)])
    assert (done.files, done.changes) == ({}, ())
    assert (done.skipped[0].problem.code.number, done.skipped[0].policy) == ("E550", "locked, locked_msg, locked_user")


def test_a_workload_that_is_in_no_file_is_told() -> None:
    done = update_policies({"a.yaml": deployment().encode()}, [automate(WorkloadId("prod", "deployment", "nginx"))])
    assert done.skipped[0].reason == "the workload is not in git: prod:deployment/nginx is in no file"
