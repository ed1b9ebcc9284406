"""Image references are read as Docker's own library reads them, and numbers as Go does."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sluice.core.image import MAX_HOST, ImageRefError, parse
from sluice.core.image_policy.orders import parse_number
from tests.differential.go_originals import Originals

ASKING = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

DIGESTS = [
    "sha256:" + "ab" * 32,
    "sha512:" + "0" * 128,
    "sha384:" + "c" * 96,
    "sha256:" + "AB" * 32,
    "sha256:12",
    "md5:" + "a" * 32,
]
PIECES = [
    *("a", "B", "0", "web", "library", "docker.io", "index.docker.io", "localhost", "ghcr.io", "Host.com", "10.0.0.1"),
    *(
        "/",
        "/",
        ":",
        "@",
        ".",
        "-",
        "_",
        "__",
        "___",
        "--",
        "80",
        ":5000",
        "[::1]",
        "[fe80::1%eth0]",
        "é",
        " ",
        "\n",
        "latest",
    ),
    *DIGESTS,
]
REFERENCES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.builds(
    lambda host, path, tag, digest: host + "/".join(path) + tag + digest,
    st.sampled_from(
        [
            "",
            "localhost/",
            "localhost:1/",
            "ghcr.io/",
            "a:80/",
            "a/",
            "[::1]:80/",
            "[::1]/",
            "-a.b/",
            "a..b/",
            "docker.io/",
        ]
    ),
    st.lists(
        st.sampled_from(["a", "a-b", "a--b", "a__b", "a_b", "a.b", "a_.b", "-a", "a-", "aB", "a" * 200, ""]),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["", ":1", ":v1.2", ":-1", ":_1", ":", ":" + "t" * 128, ":" + "t" * 129, ":a:b"]),
    st.sampled_from(["", "@", *(f"@{digest}" for digest in DIGESTS)]),
)


@given(REFERENCES)
@ASKING
def test_a_reference_is_what_it_is_to_docker(originals: Originals, text: str) -> None:
    host = text.partition("/")[0]
    # Two deviations: a host needs a dot, a colon or to be localhost, capitals are no sign of one; and it has a limit.
    assume(not ("/" in text and host != host.lower() and not {".", ":"} & set(host)))
    assume(len(host) <= MAX_HOST or "/" not in text)
    expected = originals.ask("reference.parse", text)
    try:
        ref = parse(text)
    except ImageRefError:
        assert expected is None
        return
    assert [ref.host, ref.repository, ref.tag or "", ref.digest or ""] == expected


NUMBERS = st.lists(
    st.sampled_from(
        [
            "0",
            "1",
            "9",
            "12",
            "_",
            ".",
            "e",
            "E",
            "+",
            "-",
            "0x",
            "0X",
            "f",
            "p",
            "P",
            "inf",
            "Infinity",
            "NaN",
            "308",
            " ",
            "e400",
        ]
    ),
    max_size=7,
).map("".join) | st.floats(allow_nan=False).map(repr)


@given(NUMBERS)
@ASKING
def test_a_number_is_what_it_is_to_go(originals: Originals, text: str) -> None:
    (expected,) = originals.ask("strconv.float", text)
    number = parse_number(text)
    # Go reads NaN as a number that is in no order with any other.
    theirs = None if expected in {None, "NaN"} else float.fromhex(expected)
    assert number == theirs
