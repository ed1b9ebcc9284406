"""A value that somebody set back is told from one that is new, moved, or never was ours."""

from __future__ import annotations

import pytest

from sluice.core.ids import NamespacedName
from sluice.core.image import parse
from sluice.core.image_update.set_back import Rejected, set_back
from sluice.core.image_update.setters import update_marked

POLICY = NamespacedName("apps", "web")
CHOSEN = {POLICY: parse("example.com/web:2")}
MARK = '# {"$imagepolicy": "apps:web"}'
TAG = '# {"$imagepolicy": "apps:web:tag"}'


def config(value: str, marker: str = MARK, key: str = "image") -> bytes:
    return f"kind: ConfigMap\nmetadata: {{name: web}}\ndata:\n  {key}: {value} {marker}\n".encode()


def found(now: bytes, written: bytes) -> frozenset[Rejected]:
    return set_back(update_marked({"a.yaml": now}, CHOSEN).changes, {"a.yaml": written})


@pytest.mark.parametrize(
    ("now", "written", "rejected"),
    [
        (config("example.com/web:1"), config("example.com/web:2"), True),
        (config('"1"', TAG), config('"2"', TAG), True),
        (config("example.com/web:3"), config("example.com/web:2"), True),
        (config("example.com/web:1"), config("example.com/web:1"), False),
        (config("example.com/web:1"), config("example.com/web:2", ""), False),
        (config("example.com/web:1"), config("example.com/web:2", key="other"), False),
        (config("example.com/web:1"), config("example.com/web:2", '# {"$imagepolicy": "apps:other"}'), False),
        (config("example.com/web:1"), b"", False),
        (config("example.com/web:1"), b'a: b: c # {"$imagepolicy": "apps:web"}', False),
        (config("example.com/web:2"), config("example.com/web:2"), False),
    ],
    ids=["back", "tag", "elsewhere", "never", "no marker", "moved", "other policy", "no file", "broken", "as wanted"],
)
def test_only_what_we_wrote_as_it_is_wanted_was_set_back(now: bytes, written: bytes, rejected: bool) -> None:
    assert found(now, written) == ({("a.yaml", POLICY)} if rejected else set())
