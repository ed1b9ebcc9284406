"""The folder docs/ says what the code says, and what it names exists."""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import resolve_name

import click
import msgspec
import pytest

from docs.generate import FOLDER, raised_constants, rendered
from sluice.api.alert import AlertSpec
from sluice.api.git_repository import GitRepositorySpec, GitRepositoryStatus
from sluice.api.image_policy import ImagePolicySpec, ImagePolicyStatus
from sluice.api.image_repository import ImageRepositorySpec, ImageRepositoryStatus
from sluice.api.image_update_automation import ImageUpdateAutomationSpec, ImageUpdateAutomationStatus
from sluice.api.kustomization import KustomizationSpec, KustomizationStatus
from sluice.api.provider import ProviderSpec
from sluice.api.schema import schema_of
from sluice.cli.exit_codes import MEANINGS
from sluice.cli.fluxd_flags import REFUSED
from sluice.cli.main import root
from sluice.core import codes

DOCS = FOLDER.parent
ROOT = DOCS.parent
SOURCE = ROOT / "src" / "sluice"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
REPOSITORY_PATH = re.compile(r"`((?:src|tests|docs|deploy|devcluster|bench)/[\w./-]*|pyproject\.toml)`")
SOURCE_PATH = re.compile(r"`((?!src/|tests/|docs/|deploy/|devcluster/|bench/)[a-z_]+(?:/[a-z_]+)*\.py)`")
CODE_NAME = re.compile(r"`(sluice\.[a-z_.]+(?:\.[A-Za-z_]\w*)*)`")
# Followed command by command, as `tests/e2e/test_migration.py` does; its one transcript is of another tool.
FOLLOWED = {"how-to/take-over-from-flux.md"}
# Their transcripts were taken from a run of their time; no test holds them.
SHOWN_ONLY = {
    "decisions/0009-devcluster-instead-of-fakes.md",
    "decisions/0015-a-shared-base-is-nobodys-to-edit.md",
    "how-to/automate-by-annotations.md",
    "how-to/generate-manifests.md",
    "how-to/sync-a-private-repository.md",
    "how-to/use-fluxctl.md",
    "reference/bench.md",
    "reference/faults.md",
}
KINDS = [
    ("provider.md", "spec", ProviderSpec),
    ("alert.md", "spec", AlertSpec),
    ("kustomization.md", "spec", KustomizationSpec),
    ("kustomization.md", "status", KustomizationStatus),
    ("git-repository.md", "spec", GitRepositorySpec),
    ("git-repository.md", "status", GitRepositoryStatus),
    ("image-repository.md", "spec", ImageRepositorySpec),
    ("image-repository.md", "status", ImageRepositoryStatus),
    ("image-policy.md", "spec", ImagePolicySpec),
    ("image-policy.md", "status", ImagePolicyStatus),
    ("image-update-automation.md", "spec", ImageUpdateAutomationSpec),
    ("image-update-automation.md", "status", ImageUpdateAutomationStatus),
]


def prose(page: Path) -> str:
    """The text outside of code blocks."""
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown reader makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named(page: Path) -> str:
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize("path", sorted(rendered()), ids=lambda path: path.name)
def test_a_generated_page_is_current(path: Path) -> None:
    assert path.read_text() == rendered()[path], "run: python -m docs.generate"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_of_the_repository_that_a_page_names_exists(page: Path) -> None:
    text = prose(page)
    missing = [path for path in REPOSITORY_PATH.findall(text) if not (ROOT / path).exists()]
    assert missing + [path for path in SOURCE_PATH.findall(text) if not (SOURCE / path).exists()] == []


def test_the_map_of_changes_names_enough_to_be_one() -> None:
    assert len(set(REPOSITORY_PATH.findall((DOCS / "where-to-change.md").read_text()))) > 50


def test_every_limit_is_named_as_it_is_in_the_code() -> None:
    names = CODE_NAME.findall((FOLDER / "files-and-limits.md").read_text())
    assert len(names) > 50
    for name in names:
        resolve_name(name)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_name_of_the_code_that_a_page_names_exists(page: Path) -> None:
    for name in CODE_NAME.findall(prose(page)):
        resolve_name(name)


def test_a_page_with_a_transcript_is_run_by_a_test_or_is_on_the_list_of_those_that_are_not() -> None:
    text = "".join((ROOT / "tests" / file).read_text() for file in ("e2e/test_transcripts.py", "cli/test_install.py"))
    run = set(re.findall(r'"((?:how-to|tutorial|reference|explanation|decisions)/[a-z0-9-]+\.md)"', text)) | FOLLOWED
    shown = {str(page.relative_to(DOCS)) for page in PAGES if re.search(r"^ *\$ ", page.read_text(), re.MULTILINE)}
    assert shown - run == SHOWN_ONLY
    assert not SHOWN_ONLY & run


def test_every_page_is_on_the_map() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall((DOCS / "README.md").read_text())}
    assert {page for page in PAGES if page.parent != DOCS or page.name != "README.md"} <= linked


@pytest.mark.parametrize(("page", "part", "struct"), KINDS)
def test_every_served_field_of_a_kind_is_in_the_reference(page: str, part: str, struct: type[msgspec.Struct]) -> None:
    text = (FOLDER / page).read_text()
    assert [name for name in schema_of(struct)["properties"] if f"| `{part}.{name}` |" not in text] == []


def test_every_error_code_is_in_the_reference() -> None:
    text = (FOLDER / "errors.md").read_text()
    assert [code.number for code in codes.CODES if f"| {code.number} | {code.name} |" not in text] == []


def test_every_code_that_the_source_names_is_in_the_registry() -> None:
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))
    used = set(re.findall(r"\bcodes\.([A-Z][A-Z_0-9]*)\b", text))
    assert len(used) > 50
    assert used - {"CODES"} <= raised_constants()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_code_that_a_page_mentions_is_in_the_registry(page: Path) -> None:
    mentioned = set(re.findall(r"\b[EW][0-9]{3}\b", page.read_text()))
    assert mentioned <= {code.number for code in codes.CODES}


def test_every_verb_and_exit_code_is_in_the_reference() -> None:
    text = (FOLDER / "cli.md").read_text()
    verbs = root.list_commands(click.Context(root))
    assert [verb for verb in verbs if f"## sluice {verb}\n" not in text] == []
    assert [code for code in MEANINGS if f"| {code.value} | " not in text] == []


def test_every_refused_flag_of_fluxd_is_in_the_list() -> None:
    text = (FOLDER / "not-yet-honoured.md").read_text()
    assert [flag for flag in REFUSED if f"| `{flag}` |" not in text] == []


def test_a_decision_has_its_five_parts_in_order() -> None:
    wanted = ["Status: ", "## Example\n", "## Decision\n", "## Alternatives\n", "## Consequences\n"]
    decisions = sorted((DOCS / "decisions").iterdir())
    assert [int(page.name[:4]) for page in decisions] == list(range(1, len(decisions) + 1))
    for page in decisions:
        places = [page.read_text().find(part) for part in wanted]
        assert -1 not in places, page.name
        assert places == sorted(places), page.name
