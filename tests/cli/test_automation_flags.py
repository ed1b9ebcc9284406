"""The flags of fluxd about automated images, registries and commits."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.cli.exit_codes import UsageRefused
from sluice.cli.flags import Flags
from sluice.cli.run import run, settings_of
from sluice.core import codes
from sluice.core.automation_flags import AutomationFlags, GitWriting
from sluice.core.errors import UserError
from sluice.settings import Settings

URL = "--git-url=https://git.example/x"


def settings_from(*arguments: str) -> Settings:
    context = run.make_context("run", list(arguments), obj=Flags())
    return settings_of(context.obj, context.params)


def test_a_repository_by_flags_is_automated_with_fluxds_defaults() -> None:
    chosen = settings_from(URL)
    assert chosen.automation == AutomationFlags(is_on=True)
    assert (chosen.automation.interval, chosen.automation.exclude) == (300.0, ("k8s.gcr.io/*",))
    assert chosen.git_writing == GitWriting()
    assert (chosen.git_writing.user, chosen.git_writing.email) == ("Weave Flux", "support@weave.works")


def test_with_kinds_annotations_are_acted_on_only_when_asked_for() -> None:
    assert not settings_from().automation.is_on
    assert settings_from("--workload-annotations", "--git-email=bot@example.com").automation.is_on


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--automation-interval=1m",), AutomationFlags(is_on=True, interval=60.0)),
        (("--registry-poll-interval=90s",), AutomationFlags(is_on=True, interval=90.0)),
        (("--automation-interval=1m", "--registry-poll-interval=90s"), AutomationFlags(is_on=True, interval=60.0)),
        (
            ("--registry-exclude-image=a/*,b/*", "--registry-exclude-image", "c/*"),
            AutomationFlags(is_on=True, exclude=("a/*", "b/*", "c/*")),
        ),
        (("--registry-include-image=a/*",), AutomationFlags(is_on=True, include=("a/*",))),
        (("--registry-use-labels=a/*",), AutomationFlags(is_on=True, by_labels=("a/*",))),
        (("--registry-disable-scanning",), AutomationFlags(is_on=True, scans=False)),
        (("--registry-disable-scanning=false",), AutomationFlags(is_on=True)),
        (
            ("--registry-ecr-region=eu-west-1", "--registry-ecr-include-id=1,2", "--registry-ecr-exclude-id=3"),
            AutomationFlags(is_on=True, ecr_regions=("eu-west-1",), ecr_include=("1", "2"), ecr_exclude=("3",)),
        ),
        (("--docker-config=/etc/docker.json",), AutomationFlags(is_on=True, docker_config="/etc/docker.json")),
        (("--revert-failed=false",), AutomationFlags(is_on=True, revert_failed=False)),
    ],
)
def test_flags_of_registries_and_automation(arguments: tuple[str, ...], expected: AutomationFlags) -> None:
    assert settings_from(URL, *arguments).automation == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--git-user=Bot", "--git-email=bot@x.io"), GitWriting(user="Bot", email="bot@x.io")),
        (("--git-ci-skip",), GitWriting(skip_message="\n\n[ci skip]")),
        (("--git-ci-skip", "--git-ci-skip-message= ***NO_CI***"), GitWriting(skip_message=" ***NO_CI***")),
        (("--git-set-author",), GitWriting(set_author=True)),
        (("--git-sync-tag=here", "--git-notes-ref=jobs"), GitWriting(sync_tag="here", notes_ref="jobs")),
        (("--git-label=prod", "--git-sync-tag=here"), GitWriting(sync_tag="prod", notes_ref="prod")),
    ],
)
def test_flags_of_commits(arguments: tuple[str, ...], expected: GitWriting) -> None:
    assert settings_from(URL, *arguments).git_writing == expected


def test_a_timeout_of_syncs_is_taken() -> None:
    source = settings_from(URL, "--sync-timeout=2m").flag_source
    assert source is not None
    assert source.sync_timeout == "2m"


def test_keys_are_read_from_files_and_folders_and_shown_nowhere(tmp_path: Path) -> None:
    for name in ("one.asc", "two.asc"):
        (tmp_path / name).write_text(f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{name}\n")
    writing = settings_from(URL, f"--git-gpg-key-import={tmp_path}", "--git-signing-key=ABCD").git_writing
    assert writing.key_id == "ABCD"
    assert b"one.asc" in writing.key
    assert b"two.asc" in writing.key
    assert "PRIVATE" not in repr(writing)


def test_a_key_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        settings_from(URL, f"--git-gpg-key-import={tmp_path}/none", "--git-signing-key=ABCD")
    [problem] = refused.value.problems
    assert problem.code is codes.FLAG_FILE
    assert str(tmp_path) in str(problem)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--git-user=x",), "--git-user"),
        (("--docker-config=x",), "--docker-config"),
        (("--automation-interval=5m",), "--automation-interval"),
        (("--workload-annotations", "--git-sync-tag=x"), "--git-sync-tag"),
        (("--sync-timeout=1m",), "--sync-timeout"),
        ((URL, "--automation-interval=5"), "--automation-interval"),
        ((URL, "--automation-interval=1ms"), "--automation-interval"),
        ((URL, "--git-sync-tag=a..b"), "a..b"),
        ((URL, "--git-label=-x"), "-x"),
        ((URL, "--git-email=<>"), "address"),
        ((URL, "--git-signing-key=ABCD"), "--git-signing-key"),
    ],
)
def test_flags_that_can_not_be_used_are_usage_errors(arguments: tuple[str, ...], named: str) -> None:
    with pytest.raises(UsageRefused) as refused:
        settings_from(*arguments)
    assert named in str(refused.value)
