"""Laws of update requests: what is written is read back, and whatever is read is either a request or refused."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.errors import StateError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.image import parse
from sluice.core.image_update.policy_annotation import PolicyUpdate
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import STATUSES, WorkloadResult
from sluice.core.image_update.workload import WorkloadId
from sluice.core.job import LAST_RESULTS, Job, decode_jobs, encode_jobs, kept
from sluice.core.update_read import decode_update_spec, result_of, update_spec_of
from sluice.core.update_request import UpdateRequest, nonce_of, read_request, request_text
from sluice.core.update_spec import (
    AutoSpec,
    Cause,
    ContainerSpec,
    ImageSpec,
    JobStatus,
    PolicySpec,
    Spec,
    SyncSpec,
    UpdateSpec,
)
from sluice.core.update_wire import encode_update_spec, result_fields

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)
WORKLOADS = st.builds(WorkloadId, NAMES, st.sampled_from(["deployment", "cronjob", "helmrelease"]), NAMES)
IMAGES = st.builds(
    lambda name, tag: parse(f"{name}:{tag}"),
    st.sampled_from(["web", "acme/web", "ghcr.io/acme/web", "localhost:5000/a/b/c"]),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
)
TEXTS = st.text(max_size=200)
MODES = st.sampled_from(["plan", "execute"])
POLICIES = st.one_of(
    st.sampled_from(["automated", "locked", "locked_user", "locked_msg", "ignore", "tag_all"]),
    NAMES.map(lambda name: f"tag.{name}"),
)


def once(updates: list[Any]) -> tuple[Any, ...]:
    """Each workload once, for a request names it once; those of one workload one after the other."""
    return tuple({update.workload: update for update in updates}.values())


def together(updates: list[ContainerUpdate]) -> tuple[ContainerUpdate, ...]:
    order = list(dict.fromkeys(update.workload for update in updates))
    return tuple(sorted(updates, key=lambda update: order.index(update.workload)))


CONTAINERS = st.builds(ContainerUpdate, WORKLOADS, NAMES, IMAGES, st.none() | IMAGES)
CHANGES = st.builds(ContainerUpdate, WORKLOADS, NAMES, IMAGES, IMAGES)
SPECS: st.SearchStrategy[Spec] = st.one_of(
    st.builds(
        ImageSpec,
        st.none() | IMAGES,
        st.lists(WORKLOADS, max_size=4).map(tuple),
        st.lists(WORKLOADS, max_size=4).map(tuple),
        MODES,
        st.booleans(),
    ),
    st.builds(ContainerSpec, st.lists(CONTAINERS, max_size=5).map(together), MODES, st.booleans(), st.booleans()),
    st.builds(
        PolicySpec,
        st.lists(
            st.builds(PolicyUpdate, WORKLOADS, st.dictionaries(POLICIES, TEXTS, max_size=3), st.frozensets(POLICIES)),
            max_size=3,
        ).map(once),
    ),
    st.builds(AutoSpec, st.lists(CHANGES, max_size=4).map(tuple)),
    st.just(SyncSpec()),
)
REQUESTS = st.builds(UpdateSpec, SPECS, st.builds(Cause, TEXTS, TEXTS))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)


@given(REQUESTS)
def test_a_request_that_is_written_is_read_back(spec: UpdateSpec) -> None:
    assert decode_update_spec(encode_update_spec(spec)) == spec


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    with suppress(UserError):
        assert isinstance(decode_update_spec(data), UpdateSpec)


@given(st.sampled_from(["image", "containers", "policy", "auto", "sync"]), JSON, JSON)
def test_any_json_is_a_request_or_refused(kind: str, cause: Any, spec: Any) -> None:
    with suppress(UserError):
        found = update_spec_of({"type": kind, "cause": cause, "spec": spec})
        assert decode_update_spec(encode_update_spec(found)) == found


@given(
    st.builds(
        UpdateRequest,
        st.from_regex(r"[A-Za-z0-9._:+-]{8,64}", fullmatch=True),
        REQUESTS,
        st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
        st.booleans(),
    )
)
def test_an_annotation_that_is_written_is_read_back_and_keeps_its_nonce(request: UpdateRequest) -> None:
    text = request_text(request)
    assert read_request(text) == request
    assert nonce_of(text) == request.nonce


@given(st.text(max_size=300) | JSON.map(json.dumps))
def test_any_annotation_has_a_nonce_and_is_a_request_or_refused(text: str) -> None:
    assert 8 <= len(nonce_of(text)) <= 64
    with suppress(UserError):
        assert read_request(text).nonce == nonce_of(text)


RESULTS = st.lists(WORKLOADS, max_size=4, unique=True).flatmap(
    lambda names: st.fixed_dictionaries(
        {
            str(name): st.builds(
                WorkloadResult,
                st.just(name),
                st.sampled_from(STATUSES),
                TEXTS,
                st.lists(st.builds(ContainerUpdate, st.just(name), NAMES, IMAGES, IMAGES), max_size=2).map(tuple),
            )
            for name in names
        }
    )
)


@given(RESULTS)
def test_a_result_that_is_written_is_read_back(result: dict[str, WorkloadResult]) -> None:
    assert result_of(result_fields(result)) == result


STATUSES_OF_JOBS = st.builds(
    JobStatus, st.sampled_from(["queued", "running", "failed", "succeeded"]), st.none(), TEXTS, REQUESTS, RESULTS
)
KEYS = st.builds(NamespacedName, NAMES, NAMES)
JOBS = st.lists(st.builds(Job, st.uuids().map(str), KEYS, STATUSES_OF_JOBS, st.none() | KEYS, TEXTS), max_size=4)


@given(JOBS)
def test_jobs_that_are_stored_are_read_back(jobs: list[Job]) -> None:
    assert decode_jobs(encode_jobs(jobs)) == tuple(jobs)


@given(st.binary(max_size=200))
def test_a_record_of_jobs_that_somebody_edited_is_never_guessed_at(data: bytes) -> None:
    with suppress(StateError):
        assert decode_jobs(data) == ()


@given(st.lists(st.sampled_from(["queued", "running", "failed", "succeeded"]), max_size=250))
def test_what_waits_is_kept_with_the_last_results_in_order(states: list[Any]) -> None:
    jobs = [
        Job(str(number), NamespacedName("a", "b"), JobStatus(state, spec=UpdateSpec(SyncSpec())))
        for number, state in enumerate(states)
    ]
    left, _ = kept(jobs)
    assert [job for job in left if not job.is_done] == [job for job in jobs if not job.is_done]
    assert [job for job in left if job.is_done] == [job for job in jobs if job.is_done][-LAST_RESULTS:]
    assert list(left) == sorted(left, key=lambda job: int(job.id))
