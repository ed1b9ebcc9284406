"""The images among the causes of a failed rollout are told from those that are well, a person's, or another sync's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.image import parse
from sluice.core.image_update.unhealthy import FailedRollout, Versions, left_in_place, take_back, unhealthy

WEB, API = NamespacedName("apps", "web"), NamespacedName("apps", "api")
CHOSEN = {WEB: parse("example.com/web:2"), API: parse("example.com/api:2")}
SYNC = NamespacedName("flux-system", "fleet")


def object_of(name: str, tag: int, *, kind: str = "Deployment", namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    marker = f'# {{"$imagepolicy": "apps:{name}"}}'
    return f"""apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}{where}}}
spec:
  image: example.com/{name}:{tag} {marker}
"""


def both(web: int, api: int) -> dict[str, bytes]:
    return {"a/all.yaml": f"{object_of('web', web)}---\n{object_of('api', api)}".encode()}


def live(name: str, namespace: str = "prod") -> ResourceId:
    return ResourceId("apps", "Deployment", namespace, name)


def failing(*names: str, folder: str = "") -> FailedRollout:
    return FailedRollout(SYNC, "c2", "c1", (folder,), {live(name): "it said so" for name in names})


@pytest.mark.parametrize(
    ("now", "failed", "good", "objects", "found"),
    [
        (both(2, 2), both(2, 2), both(1, 1), ["web"], {WEB}),
        (both(2, 2), both(2, 2), both(1, 1), ["web", "api"], {WEB, API}),
        (both(2, 2), both(2, 2), both(1, 1), ["new-web"], {WEB, API}),
        (both(2, 2), both(2, 2), both(1, 2), ["new-web"], {WEB}),
        (both(2, 2), both(2, 2), both(1, 2), ["api"], {WEB}),
        (both(1, 2), both(2, 2), both(1, 1), ["web"], set()),
        (both(2, 2), both(1, 2), both(1, 2), ["web"], set()),
        (both(2, 2), both(2, 2), {}, ["web"], {WEB}),
        (both(3, 2), both(3, 2), both(1, 2), ["web"], set()),
        (both(2, 2), both(2, 2), both(2, 2), ["web"], set()),
    ],
    ids=[
        "one of two",
        "both",
        "a name from outside",
        "only what is new",
        "the one that is new, of a commit of nothing else",
        "taken back meanwhile",
        "not in what failed",
        "a first install",
        "not what is wanted",
        "it was there before",
    ],
)
def test_what_is_blamed_is_ours_and_new_and_belongs_to_an_object_that_failed(
    now: dict[str, bytes],
    failed: dict[str, bytes],
    good: dict[str, bytes],
    objects: list[str],
    found: set[NamespacedName],
) -> None:
    images = unhealthy(Versions(now, failed, good), CHOSEN, failing(*objects), is_update=True)
    assert {image.policy for image in images} == found


def test_a_commit_of_a_person_blames_only_what_its_objects_name() -> None:
    versions = Versions(both(2, 2), both(2, 2), both(1, 1))
    assert unhealthy(versions, CHOSEN, failing("new-web"), is_update=False) == ()
    assert len(unhealthy(versions, CHOSEN, failing("web"), is_update=False)) == 1


def test_an_entry_that_replaces_the_image_of_what_failed_is_blamed_and_no_other_entry() -> None:
    def entries(tag: int) -> bytes:
        return "".join(
            f'{start} name: example.com/{name}\n  newTag: \'{tag}\' # {{"$imagepolicy": "apps:{name}:tag"}}\n'
            for start, name in (("images:\n-", "web"), ("-", "api"))
        ).encode()

    now, then = ({"kustomization.yaml": entries(tag)} for tag in (2, 1))
    failed = failing("web")
    [live] = failed.objects
    for is_update in (True, False):
        images = unhealthy(
            Versions(now, now, then),
            CHOSEN,
            failed,
            is_update=is_update,
            entries={("kustomization.yaml", "images[0]"): live},
        )
        assert {image.policy for image in images} == {WEB}


def test_of_equal_names_the_one_of_the_syncs_own_folder_and_namespace_is_blamed() -> None:
    def tree(tag: int) -> dict[str, bytes]:
        return {
            "prod/web.yaml": object_of("web", tag).encode(),
            "stage/web.yaml": object_of("web", tag).encode(),
            "prod/other.yaml": object_of("web", tag, namespace="elsewhere").encode(),
        }

    images = unhealthy(Versions(tree(2), tree(2), tree(1)), CHOSEN, failing("web", folder="prod"), is_update=True)
    assert {image.path for image in images} == {"prod/web.yaml"}


def test_where_an_object_can_be_any_members_of_a_group_the_files_of_all_of_them_are_looked_at() -> None:
    now, then = (
        {f"{folder}/{name}.yaml": object_of(name, tag).encode() for folder, name in (("a", "web"), ("b", "api"))}
        for tag in (2, 1)
    )
    failed = replace(failing("web"), folders=("b", "a"))
    images = unhealthy(Versions(now, now, then), CHOSEN, failed, is_update=True)
    assert {image.path for image in images} == {"a/web.yaml"}


def test_only_the_rejected_values_are_put_back_and_every_other_byte_stays() -> None:
    now = {"a/all.yaml": both(2, 2)["a/all.yaml"] + b"# a comment  of a person\n"}
    back = take_back(now, [("a/all.yaml", WEB)], both(1, 1))
    assert back.files == {"a/all.yaml": both(1, 2)["a/all.yaml"] + b"# a comment  of a person\n"}
    assert [(change.old, change.new) for change in back.changes] == [("example.com/web:2", "example.com/web:1")]
    assert take_back(back.files, [("a/all.yaml", WEB)], both(1, 1)).files == {}


def test_parts_of_one_image_are_put_back_together_or_not_at_all() -> None:
    def values(name: str, tag: int) -> bytes:
        return (
            f'image: {name} # {{"$imagepolicy": "apps:web:name"}}\ntag: "{tag}" # {{"$imagepolicy": "apps:web:tag"}}\n'
        ).encode()

    key = ("v.yaml", WEB)
    assert take_back({"v.yaml": values("new", 2)}, [key], {"v.yaml": values("old", 1)}).files == {
        "v.yaml": values("old", 1)
    }
    half = values("old", 1).splitlines(keepends=True)[0]
    assert take_back({"v.yaml": values("new", 2)}, [key], {"v.yaml": half}).files == {}


def test_what_has_nothing_to_go_back_to_or_can_not_be_read_is_left_and_told() -> None:
    now = both(2, 2)
    images = unhealthy(Versions(now, now, {}), CHOSEN, failing("web"), is_update=True)
    assert take_back(now, [image.key for image in images], {}).files == {}
    told = left_in_place(now, images, "c2")
    assert [(each.line, each.problem.code.number) for each in told] == [(5, "E592")]
    assert take_back({"a.yaml": b'a: b: c # {"$imagepolicy": "apps:web"}'}, [("a.yaml", WEB)], now).files == {}
