"""`sluice policy`: which tags the containers of a workload may get, with automation and lock in the same change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags, usage
from sluice.cli.local_edit import editing_options
from sluice.cli.policy_edit import EVERYTHING, edit_policies, pattern_of
from sluice.cli.workload_names import workload_option
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image_policy.workload_policies import AUTOMATED, LOCKED, LOCKED_MESSAGE, LOCKED_USER, TAG, TAG_ALL
from sluice.core.image_update.policy_annotation import PolicyUpdate
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.problem import Problem, printable


@click.command(short_help="Which tags the containers of a workload may get.")
@click.argument("words", nargs=-1, metavar="[WORKLOAD]...")
@workload_option()
@click.option("--automate", is_flag=True, help="As `sluice automate`.")
@click.option("--deautomate", is_flag=True, help="As `sluice deautomate`.")
@click.option("--lock", is_flag=True, help="As `sluice lock`.")
@click.option("--unlock", is_flag=True, help="As `sluice unlock`.")
@click.option("--tag", "tags", multiple=True, metavar="CONTAINER=PATTERN", help="A container's pattern; * removes it.")
@click.option("--tag-all", "tag_all", default="", metavar="PATTERN", help="The pattern of all its containers.")
@editing_options
@click.pass_obj
def policy(flags: Flags, /, **given: Any) -> ExitCode:
    """Set patterns as fluxd's annotations: glob:1.*, semver:~1.2 or regexp:^v[0-9]. --local edits a checkout alone.

    \b
    Example: sluice policy -w shop:deploy/web --tag 'web=semver:~1.2' --automate
    """
    for one, other in (("automate", "deautomate"), ("lock", "unlock")):
        if given[one] and given[other]:
            raise usage(f"--{one} and --{other} exclude each other", code=codes.FIELD_CONFLICT, fix="give one of them")
    tags = _patterns(given["tags"])
    if given["tag_all"]:
        tags[TAG_ALL] = pattern_of(given["tag_all"], "--tag-all")
    if not tags and not any(given[flag] for flag in ("automate", "deautomate", "lock", "unlock")):
        raise usage("nothing is to change", fix="give --tag, --tag-all, --automate, --lock or one of their opposites")

    def make(name: WorkloadId, user: str, why: str) -> PolicyUpdate:
        return _update(name, given, tags, user, why)

    def check(workload: Workload) -> None:
        _check_containers(workload, tags)

    return edit_policies(flags, "policy", given, make, check)


def _patterns(texts: Sequence[str]) -> dict[str, str]:
    """Split at the first `=`, so that `web=semver:>=1.2` is a pattern, too: fluxctl split at every one."""
    found = {}
    for text in texts:
        container, equals, pattern = text.partition("=")
        if not equals or not container or not pattern:
            fix = "write --tag CONTAINER=PATTERN"
            raise usage(f"--tag {printable(text)!r} is no container with its pattern", field="--tag", fix=fix)
        found[TAG + container] = pattern_of(pattern, f"--tag {container}")
    return found


def _update(name: WorkloadId, given: dict[str, Any], tags: dict[str, str], user: str, why: str) -> PolicyUpdate:
    add = {key: pattern for key, pattern in tags.items() if pattern != EVERYTHING}
    remove = {key for key, pattern in tags.items() if pattern == EVERYTHING}
    if given["automate"]:
        add[AUTOMATED] = "true"
    if given["deautomate"]:
        remove.add(AUTOMATED)
    if given["lock"]:
        said = ((LOCKED, "true"), (LOCKED_USER, user), (LOCKED_MESSAGE, why))
        add |= {key: text for key, text in said if text}
    if given["unlock"]:
        remove |= {LOCKED, LOCKED_USER, LOCKED_MESSAGE}
    return PolicyUpdate(name, add, frozenset(remove))


def _check_containers(workload: Workload, tags: dict[str, str]) -> None:
    """Refuse a pattern for a container that the workload does not have: it would hold for nobody."""
    names = {container.name for container in workload.containers}
    for key, pattern in tags.items():
        container = key.removeprefix(TAG)
        if key != TAG_ALL and pattern != EVERYTHING and container not in names:
            title = f"{workload.id} has no container {printable(container)!r}"
            fix = f"name one of {', '.join(sorted(map(printable, names))) or 'none'}"
            raise UserError(Problem(codes.CONTAINER_MISSING, title, workload.subject.id, field="--tag", fix=fix))
