"""The flags of fluxd about automated images, registries and commits: to values, with all rules in this one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sluice.cli.flags import seconds_of, usage
from sluice.core import codes
from sluice.core.automation_flags import AutomationFlags, GitWriting

SKIP = "\n\n[ci skip]"
MAX_KEY = 1 << 20
# What these say is of use only where something is automated.
FLAGS = (
    "git_user",
    "git_email",
    "git_set_author",
    "git_label",
    "git_notes_ref",
    "git_ci_skip",
    "git_ci_skip_message",
    "git_gpg_key_import",
    "git_signing_key",
    "automation_interval",
    "registry_poll_interval",
    "registry_exclude_image",
    "registry_include_image",
    "registry_disable_scanning",
    "registry_use_labels",
    "registry_ecr_region",
    "registry_ecr_include_id",
    "registry_ecr_exclude_id",
    "docker_config",
)

_OPTIONS = (
    click.option("--git-user", metavar="NAME", help="Committer of automated commits. [Weave Flux]"),
    click.option("--git-email", metavar="ADDRESS", help="Its address. [support@weave.works]"),
    click.option(
        "--git-set-author", type=bool, is_flag=False, flag_value="true", help="Who asked is the author of a commit."
    ),
    click.option("--git-label", metavar="NAME", help="Names both the sync tag and the notes."),
    click.option("--git-sync-tag", metavar="NAME", help="Flag mode: tag that is moved to what was applied. [none]"),
    click.option("--git-notes-ref", metavar="NAME", help="Notes that say what a commit was asked to do. [flux]"),
    click.option(
        "--git-ci-skip", type=bool, is_flag=False, flag_value="true", help="Put `[ci skip]` after commit messages."
    ),
    click.option("--git-ci-skip-message", metavar="TEXT", help="Put this text after commit messages."),
    click.option(
        "--git-gpg-key-import",
        multiple=True,
        metavar="PATH",
        help="OpenPGP keys that commits are verified with, or signed: files or folders; repeatable.",
    ),
    click.option("--git-signing-key", metavar="ID", help="Which of them signs commits."),
    click.option("--automation-interval", metavar="DURATION", help="How often automated workloads are looked at. [5m]"),
    click.option("--registry-poll-interval", metavar="DURATION", help="The older name of --automation-interval."),
    click.option("--registry-exclude-image", multiple=True, metavar="GLOB", help="Images not to scan. [k8s.gcr.io/*]"),
    click.option("--registry-include-image", multiple=True, metavar="GLOB", help="Scan these images only."),
    click.option("--registry-disable-scanning", type=bool, is_flag=False, flag_value="true", help="Scan no images."),
    click.option(
        "--registry-use-labels",
        multiple=True,
        metavar="GLOB",
        help="Images whose build time is in their labels. [those of weaveworks and fluxcd]",
    ),
    click.option("--registry-ecr-region", multiple=True, metavar="REGION", help="Only these regions of ECR. [all]"),
    click.option("--registry-ecr-include-id", multiple=True, metavar="ID", help="Only these accounts of ECR. [all]"),
    click.option("--registry-ecr-exclude-id", multiple=True, metavar="ID", help="Not these accounts of ECR. [EKS']"),
    click.option("--docker-config", metavar="FILE", help="Default logins, as Docker keeps them."),
    click.option(
        "--revert-failed",
        type=bool,
        is_flag=False,
        flag_value="true",
        default=True,
        help="Take an automated image back in git, once, when its workload failed on it. [true]",
    ),
    click.option(
        "--workload-annotations",
        type=bool,
        is_flag=False,
        flag_value="true",
        default=False,
        help="Automate workloads by fluxd's annotations also where there are CRDs.",
    ),
)


def automation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def automation_of(given: dict[str, Any]) -> AutomationFlags:
    """Whether and how annotated workloads are automated. Raises UsageRefused."""
    is_on = bool(given["git_url"]) or given["workload_annotations"]
    if not is_on:
        _refuse_useless(given)
    values = {
        "interval": _interval(given),
        "include": _words(given["registry_include_image"]),
        "exclude": _words(given["registry_exclude_image"]),
        "by_labels": _words(given["registry_use_labels"]),
        "docker_config": given["docker_config"],
        "ecr_regions": _words(given["registry_ecr_region"]),
        "ecr_include": _words(given["registry_ecr_include_id"]),
        "ecr_exclude": _words(given["registry_ecr_exclude_id"]),
    }
    chosen = {name: value for name, value in values.items() if value}
    scans = not given["registry_disable_scanning"]
    return AutomationFlags(is_on, scans=scans, revert_failed=given["revert_failed"], **chosen)


def git_writing_of(given: dict[str, Any]) -> GitWriting:
    """How commits are made. Raises UsageRefused, and UserError (FlagFile) for keys that can't be read."""
    label = given["git_label"]
    values = {
        "user": given["git_user"],
        "email": given["git_email"],
        "sync_tag": _ref(label or given["git_sync_tag"], "--git-label" if label else "--git-sync-tag"),
        "notes_ref": _ref(label or given["git_notes_ref"], "--git-label" if label else "--git-notes-ref"),
        "skip_message": given["git_ci_skip_message"] or (SKIP if given["git_ci_skip"] else ""),
        "key_id": given["git_signing_key"],
    }
    key = b""
    if given["git_signing_key"]:
        key = _keys(_words(given["git_gpg_key_import"]))
    chosen = {name: value for name, value in values.items() if value}
    style = GitWriting(set_author=bool(given["git_set_author"]), key=key, **chosen)
    _check_author(style)
    return style


def _refuse_useless(given: dict[str, Any]) -> None:
    for name in FLAGS:
        if given[name]:
            flag = f"--{name.replace('_', '-')}"
            fix = "give --git-url, or --workload-annotations where there are CRDs"
            raise usage(f"{flag} means nothing where no workload is automated by annotations", field=flag, fix=fix)


def _interval(given: dict[str, Any]) -> float:
    for name in ("automation_interval", "registry_poll_interval"):
        if given[name]:
            flag = f"--{name.replace('_', '-')}"
            seconds = seconds_of(given[name], flag)
            if seconds < 1:
                raise usage(f"{flag} {given[name]} is too short", field=flag, fix="give 1s or more")
            return seconds
    return 0.0


def _words(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for text in given for word in text.split(",") if word.strip()))


def _ref(name: str | None, flag: str) -> str:
    if not name:
        return ""
    from sluice.cli.exit_codes import UsageRefused
    from sluice.core.errors import UserError
    from sluice.core.git_url import check_ref_name

    try:
        return check_ref_name(name, flag)
    except UserError as error:
        raise UsageRefused(*error.problems) from None


def _check_author(style: GitWriting) -> None:
    from sluice.cli.exit_codes import UsageRefused
    from sluice.core.commit_text import identity
    from sluice.core.errors import UserError

    try:
        identity(style.user, style.email, field="--git")
    except UserError as error:
        raise UsageRefused(*error.problems) from None


def _keys(paths: tuple[str, ...]) -> bytes:
    """The keys of all files, as gpg imports them together."""
    if not paths:
        fix = "name the file of the private key with --git-gpg-key-import"
        raise usage("--git-signing-key names a key that is nowhere", field="--git-signing-key", fix=fix)
    contents = [_read(file) for path in paths for file in _files(Path(path))]
    if len(contents) > 1 and not all(content.lstrip().startswith(b"-----BEGIN PGP") for content in contents):
        fix = "export them with --armor"
        raise usage("several keys must be in text form", field="--git-gpg-key-import", fix=fix)
    return b"\n".join(contents)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))


def _read(path: Path) -> bytes:
    from sluice.core.errors import UserError
    from sluice.core.problem import Origin, Problem

    why = f"it is larger than {MAX_KEY} bytes"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_KEY + 1)
        if len(content) <= MAX_KEY:
            return content
    except OSError as error:
        why = error.strerror or type(error).__name__
    title, flag = "--git-gpg-key-import can't be used", "--git-gpg-key-import"
    raise UserError(Problem(codes.FLAG_FILE, title, origin=Origin(str(path)), field=flag, cause=why))
