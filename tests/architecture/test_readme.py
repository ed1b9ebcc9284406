"""What the pages say that can be checked: links lead somewhere, commands exist, what is missing is told whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sluice.api import honoured
from sluice.cli.main import root

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
README = (ROOT / "README.md").read_text()
REFUSED = sorted(
    {
        *honoured.KUSTOMIZATION_FIELDS_REFUSED,
        *honoured.KUSTOMIZATION_VALUES,
        *honoured.GIT_REPOSITORY_FIELDS_REFUSED,
        *honoured.GIT_REPOSITORY_VALUES,
    }
)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_into_the_repository_leads_to_a_file(page: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("field", REFUSED)
def test_every_field_that_is_refused_is_named_in_the_readme(field: str) -> None:
    _, _, missing = README.partition("## What does not work yet")
    assert f"`{field}`" in missing


def test_the_readme_claims_no_more_than_is_refused() -> None:
    _, _, rest = README.partition("## What does not work yet")
    bullets = "\n".join(line for line in rest.partition("\n## ")[0].splitlines())
    named = set(re.findall(r"`([a-zA-Z.\[\]]+)`", bullets))
    values = {"Stop", "Always", "generic", "github", "GitRepository", "Ready"}
    assert named - values == set(REFUSED)


def test_every_verb_in_the_readme_exists() -> None:
    verbs = set(re.findall(r"(?:^|`)sluice ([a-z]+)", README, re.MULTILINE))
    assert verbs
    assert verbs <= set(root.list_commands(root.make_context("sluice", ["version"], resilient_parsing=True)))


def test_every_target_in_the_pages_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {
        name for page in PAGES for name in re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / page).read_text(), re.MULTILINE)
    }
    assert targets
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
