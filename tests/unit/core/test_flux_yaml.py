"""fluxd's `.flux.yaml`: what is read of it, and what is refused with which line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.errors import UserError
from sluice.core.flux_yaml import FluxYaml, candidates, parse_flux_yaml
from sluice.core.problem import Problem

PATCH_UPDATED = """\
version: 1
patchUpdated:
  generators:
  - command: kustomize build .
  - command: helm template chart
    timeout: 3m
  patchFile: flux-patch.yaml
"""
COMMAND_UPDATED = """\
version: 1
commandUpdated:
  generators:
  - command: ./generate
  updaters:
  - containerImage: {command: ./image}
    policy: {command: ./policy}
  - containerImage:
      command: ./again
"""


def parsed(text: str) -> FluxYaml:
    return parse_flux_yaml(text.encode(), "apps/.flux.yaml", "a1b2c3d")


def refused(text: str) -> list[str]:
    with pytest.raises(UserError) as error:
        parsed(text)
    return [str(problem) for problem in error.value.problems]


def test_patch_updated_has_generators_with_their_lines_and_times_and_a_patch_file() -> None:
    found = parsed(PATCH_UPDATED)
    assert [(c.text, c.line, c.seconds) for c in found.generators] == [
        ("kustomize build .", 4, 60.0),
        ("helm template chart", 5, 180.0),
    ]
    assert (found.patch_file, found.updaters, found.scan_for_files) == ("flux-patch.yaml", (), False)


def test_command_updated_has_updaters_of_either_kind() -> None:
    found = parsed(COMMAND_UPDATED)
    kinds = [(u.container_image and u.container_image.text, u.policy and u.policy.text) for u in found.updaters]
    assert kinds == [("./image", "./policy"), ("./again", None)]
    assert found.updaters[1].container_image is not None
    assert found.updaters[1].container_image.line == 8


@pytest.mark.parametrize("text", ["version: 1\nscanForFiles: {}\n", "version: 1\nscanForFiles:\n"])
def test_scan_for_files_says_to_act_as_if_there_were_no_file(text: str) -> None:
    assert parsed(text).scan_for_files


def test_a_timeout_under_a_second_is_none_as_in_fluxd() -> None:
    assert parsed(PATCH_UPDATED.replace("3m", "500ms")).generators[1].seconds == 60.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a .flux.yaml is one YAML document [E680] at apps/.flux.yaml:1@a1b2c3d: this one has 0"),
        ("version: 1\nscanForFiles: {}\n---\nversion: 1\n", "this one has 2"),
        ("- a\n", "a .flux.yaml must be a map [E680] at apps/.flux.yaml:1@a1b2c3d: it is ['a']"),
        ("scanForFiles: {}\n", "version of a .flux.yaml must be 1 [E680] at apps/.flux.yaml:1@a1b2c3d: it is missing"),
        ("version: 2\nscanForFiles: {}\n", "must be 1 [E680] at apps/.flux.yaml:1@a1b2c3d: it is 2"),
        ("version: '1'\nscanForFiles: {}\n", "it is '1'; fix: write `version: 1`"),
        ("version: true\nscanForFiles: {}\n", "it is True"),
        ("version: 1\n", "exactly one of patchUpdated, commandUpdated and scanForFiles [E680]"),
        (PATCH_UPDATED + "scanForFiles: {}\n", "at apps/.flux.yaml:8@a1b2c3d: it has patchUpdated and scanForFiles"),
        (PATCH_UPDATED.replace("generators", "generator"), ".flux.yaml:3@a1b2c3d; fix: did you mean generators?"),
        (PATCH_UPDATED.replace("generators", "generator"), "generators must be a list of commands"),
        (PATCH_UPDATED.replace("patchFile", "patchfile"), "did you mean patchFile?"),
        (PATCH_UPDATED.replace("flux-patch.yaml", "/etc/passwd"), "patchFile must be a relative path [E680]"),
        (PATCH_UPDATED.replace("flux-patch.yaml", "''"), "patchFile must be a relative path [E680]"),
        (PATCH_UPDATED.replace("kustomize build .", "[kustomize]"), ":4@a1b2c3d: it is ['kustomize']"),
        (PATCH_UPDATED.replace("command: kustomize build .", "shell: x"), "'shell' is no key"),
        (PATCH_UPDATED.replace("3m", "3 minutes"), "the timeout can't be used [E680] at apps/.flux.yaml:6@a1b2c3d"),
        (PATCH_UPDATED.replace("3m", "11m"), "write a duration of 1s to 10m"),
        (COMMAND_UPDATED.replace("containerImage:\n", "image:\n"), "'image' is no key of a .flux.yaml"),
        (COMMAND_UPDATED + "  - {}\n", "an updater needs containerImage or policy [E680] at apps/.flux.yaml:10"),
        ("version: 1\nscanForFiles: {deep: true}\n", "'deep' is no key of a .flux.yaml"),
        ("version: 1\nversion: 1\nscanForFiles: {}\n", "[E209]"),
        ("version: 1\n\tscanForFiles: {}\n", "[E202]"),
        ("version: !!python/object/apply:os.system [ls]\n", "[E210]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_what_was_meant(text: str, said: str) -> None:
    assert said in "\n".join(refused(text))


def test_all_problems_are_told_at_once() -> None:
    assert len(refused("version: 3\npatchUpdated: {generator: [], patchFile: 5}\n")) == 4


@pytest.mark.parametrize(
    ("path", "folder", "places"),
    [
        ("", "", (".flux.yaml",)),
        ("apps", "apps", ("apps/.flux.yaml", ".flux.yaml")),
        ("a/b/c", "a/b/c", ("a/b/c/.flux.yaml", "a/b/.flux.yaml", "a/.flux.yaml", ".flux.yaml")),
        ("a/.flux.yaml", "a", ("a/.flux.yaml",)),
        (".flux.yaml", "", (".flux.yaml",)),
    ],
)
def test_the_file_of_a_path_is_its_own_or_the_nearest_above(path: str, folder: str, places: tuple[str, ...]) -> None:
    assert candidates(path) == (folder, places)


KEYS = (
    *("version", "patchUpdated", "commandUpdated", "scanForFiles", "generators", "updaters", "command", "timeout"),
    *("patchFile", "containerImage", "policy"),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)


@given(st.recursive(LEAVES, nested, max_leaves=12))
def test_any_value_is_read_or_refused_and_never_a_crash(value: object) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        found = parse_flux_yaml(json.dumps(value).encode(), ".flux.yaml")
    except UserError as error:
        problems = error.problems
    else:
        assert found.scan_for_files or isinstance(value, dict)
        return
    assert problems
