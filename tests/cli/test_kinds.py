"""The words after a verb: every form that people type, to kinds and names."""

from __future__ import annotations

import pytest

from sluice.cli.exit_codes import UsageRefused
from sluice.cli.kinds import (
    ALERTS,
    GIT,
    IMAGE_AUTOMATIONS,
    IMAGE_POLICIES,
    IMAGE_REPOSITORIES,
    IMAGES,
    PROVIDERS,
    RECEIVERS,
    SYNCS,
    Kind,
    choose,
)


@pytest.mark.parametrize(
    ("words", "kinds", "names"),
    [
        (("ks",), (SYNCS,), ()),
        (("kustomization", "apps"), (SYNCS,), ("apps",)),
        (("kustomizations", "a", "b"), (SYNCS,), ("a", "b")),
        (("ks/apps",), (SYNCS,), ("apps",)),
        (("git/fleet", "gitrepository/other"), (GIT,), ("fleet", "other")),
        (("sources",), (GIT,), ()),
        (("sources", "git"), (GIT,), ()),
        (("source", "git", "fleet"), (GIT,), ("fleet",)),
        (("sources", "all"), (GIT,), ()),
        (("all",), (GIT, SYNCS, *IMAGES, RECEIVERS), ()),
        (("receivers",), (RECEIVERS,), ()),
        (("alert", "chat"), (ALERTS,), ("chat",)),
        (("alerts",), (ALERTS,), ()),
        (("alert-providers",), (PROVIDERS,), ()),
        (("provider/slack",), (PROVIDERS,), ("slack",)),
        (("images",), IMAGES, ()),
        (("image", "all"), IMAGES, ()),
        (("images", "policy"), (IMAGE_POLICIES,), ()),
        (("image", "repository", "app"), (IMAGE_REPOSITORIES,), ("app",)),
        (("image", "update", "fleet"), (IMAGE_AUTOMATIONS,), ("fleet",)),
        (("imgpol/app",), (IMAGE_POLICIES,), ("app",)),
        (("iua", "fleet"), (IMAGE_AUTOMATIONS,), ("fleet",)),
        (("imagerepo", "app"), (IMAGE_REPOSITORIES,), ("app",)),
        (("apps",), (SYNCS,), ()),
        (("gitrepo", "x"), (GIT,), ("x",)),
    ],
)
def test_kinds_and_names_are_read_in_every_form(
    words: tuple[str, ...], kinds: tuple[Kind, ...], names: tuple[str, ...]
) -> None:
    chosen = choose(words)
    assert (chosen.kinds, chosen.names) == (kinds, names)


@pytest.mark.parametrize(
    ("words", "kinds", "names"),
    [
        ((), (SYNCS,), ()),
        (("apps",), (SYNCS,), ("apps",)),
        (("ks",), (SYNCS,), ("ks",)),
        (("apps", "web"), (SYNCS,), ("apps", "web")),
        (("ks", "apps"), (SYNCS,), ("apps",)),
        (("source", "git", "fleet"), (GIT,), ("fleet",)),
        (("kustomization", "apps"), (SYNCS,), ("apps",)),
    ],
)
def test_with_a_default_kind_one_word_is_a_name(
    words: tuple[str, ...], kinds: tuple[Kind, ...], names: tuple[str, ...]
) -> None:
    chosen = choose(words, default="ks")
    assert (chosen.kinds, chosen.names) == (kinds, names)


@pytest.mark.parametrize(
    "words",
    [
        *((), ("pods",), ("ks/a", "git/b"), ("sources", "oci"), ("ks", "../x"), ("all/x",)),
        *(("image", "tag"), ("images", "all", "app"), ("images", "app"), ("image/app",), ("imgpol/a", "imgrepo/a")),
    ],
)
def test_what_can_not_be_meant_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageRefused):
        choose(words)


def test_a_name_in_the_place_of_a_kind_is_no_misspelt_kind() -> None:
    with pytest.raises(UsageRefused) as caught:
        choose(["infra"])
    assert caught.value.problems[0].fix.startswith("name a kind first, as in ks/infra; kinds are ks, git, ")
    with pytest.raises(UsageRefused) as caught:
        choose(["kustomizaton", "infra"])
    assert "did you mean kustomization" in caught.value.problems[0].fix
