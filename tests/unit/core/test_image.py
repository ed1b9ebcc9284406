"""Image references: Docker's short names and the OCI grammar, and errors that say where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.codes import IMAGE_REF
from sluice.core.image import ImageRefError, is_digest, is_tag, parse

SHA = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("library/alpine:1", "docker.io/library/alpine:1"),
        ("docker.io/alpine:1", "docker.io/library/alpine:1"),
        ("index.docker.io/acme/web", "docker.io/acme/web"),
        ("acme/web:v1", "docker.io/acme/web:v1"),
        ("acme/group/web", "docker.io/acme/group/web"),
        ("localhost/web:1", "localhost/web:1"),
        ("localhost:5000/web:1", "localhost:5000/web:1"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("ghcr.io/acme/web", "ghcr.io/acme/web"),
        ("registry:5000/web", "registry:5000/web"),
        ("Registry.example.com/web:A", "Registry.example.com/web:A"),
        ("[::1]:5000/web:1", "[::1]:5000/web:1"),
        (f"alpine@{SHA}", f"docker.io/library/alpine@{SHA}"),
        (f"acme/web:v1@{SHA}", f"docker.io/acme/web:v1@{SHA}"),
        ("a__b/c---d.e_f:_x", "docker.io/a__b/c---d.e_f:_x"),
        ("web:" + "t" * 128, "docker.io/library/web:" + "t" * 128),
    ],
)
def test_a_reference_is_read_as_docker_reads_it_and_keeps_the_written_form(text: str, canonical: str) -> None:
    ref = parse(text)
    assert ref.canonical == canonical
    assert str(ref) == text
    assert parse(canonical).canonical == canonical


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("", 1, "empty"),
        (":latest", 1, "empty"),
        ("UPPER/case", 1, "lower case"),
        ("acme/Web:1", 6, "lower case"),
        ("a:b:c", 4, "a tag has"),
        ("web:", 5, "the tag is empty"),
        ("web:" + "t" * 200, 133, "200 characters, limit 128"),
        ("web:.x", 5, "starts with"),
        ("web:v1\n", 7, "a tag has"),
        ("web:\u0661", 5, "a tag has"),
        ("web @x", 6, "a digest starts"),
        ("web tag", 4, "joined by"),
        ("acme//web", 6, "empty"),
        ("acme/web/", 10, "empty"),
        ("/web", 1, "empty"),
        ("ghcr.io/", 9, "empty"),
        ("-web", 1, "joined by"),
        ("web-", 4, "joined by"),
        ("we___b", 3, "joined by"),
        ("https://ghcr.io/web", 1, "host"),
        ("ghcr.io:http/web", 1, "host"),
        ("-ghcr.io/web", 1, "host"),
        ("web@sha256:12", 5, "64 hexadecimal"),
        ("web@md5:12", 5, "starts with sha256:"),
        (f"web@{SHA.upper()}", 5, "starts with sha256:"),
        (f"web@{SHA}:tag", 5, "64 hexadecimal"),
        ("0123456789abcdef" * 4, 1, "id"),
        ("a/" * 200 + "b", 256, "limit 255"),
        ("h" * 250 + ".com/web", 254, "limit 253"),
        ("a" * 2000, 1025, "more than 1024"),
    ],
)
def test_what_is_no_reference_is_refused_with_rule_and_position(text: str, position: int, rule: str) -> None:
    with pytest.raises(ImageRefError) as caught:
        parse(text)
    assert (caught.value.position, rule in caught.value.reason) == (position, True)


def test_an_error_becomes_a_problem_that_a_hostile_text_cannot_disturb() -> None:
    with pytest.raises(ImageRefError) as caught:
        parse("web:\x1b[31m" + "x" * 900)
    problem = caught.value.problem(field="spec.image")
    assert problem.code is IMAGE_REF
    assert "\x1b" not in problem.cause
    assert len(problem.cause) < 300


@pytest.mark.parametrize(
    ("text", "tag", "digest", "changed"),
    [
        ("web", "1", None, "web:1"),
        ("web:1", None, None, "web"),
        (f"web:1@{SHA}", "2", None, "web:2"),
        ("ghcr.io/acme/web:1", "2", SHA, f"ghcr.io/acme/web:2@{SHA}"),
        ("localhost:5000/web", None, SHA, f"localhost:5000/web@{SHA}"),
    ],
)
def test_a_new_tag_keeps_the_name_as_it_is_written(
    text: str, tag: str | None, digest: str | None, changed: str
) -> None:
    assert str(parse(text).with_tag(tag, digest)) == changed


@pytest.mark.parametrize(("tag", "digest"), [("a b", None), ("", None), ("1", "sha256:x"), ("1\n", None)])
def test_a_bad_tag_or_digest_cannot_be_put_into_a_reference(tag: str, digest: str | None) -> None:
    with pytest.raises(ImageRefError):
        parse("web").with_tag(tag, digest)


PARTS = st.from_regex(r"[a-z0-9]+((\.|_|__|-{1,3})[a-z0-9]+){0,2}", fullmatch=True)
REFERENCES = st.builds(
    lambda host, parts, tag, digest: host + "/".join(parts) + tag + digest,
    st.sampled_from(["", "docker.io/", "localhost/", "localhost:5000/", "ghcr.io/", "10.0.0.1:80/", "[fe80::1]/"]),
    st.lists(PARTS.filter(lambda part: len(part) < 60), min_size=1, max_size=3),
    st.sampled_from(["", ":1", ":v1.2.3-rc.1", ":latest"]),
    st.sampled_from(["", f"@{SHA}"]),
).filter(lambda text: not _looks_like_a_bad_host(text.partition("/")[0]))


def _looks_like_a_bad_host(first: str) -> bool:
    """A dot makes the first part a host, and no host has an underscore."""
    return "." in first and "_" in first


@given(REFERENCES)
def test_a_reference_reads_back_as_itself_and_its_canonical_form_is_stable(text: str) -> None:
    ref = parse(text)
    assert str(ref) == text
    canonical = parse(ref.canonical)
    assert (canonical.host, canonical.repository, canonical.tag, canonical.digest) == (
        ref.host,
        ref.repository,
        ref.tag,
        ref.digest,
    )
    assert canonical.canonical == ref.canonical


@given(st.text(max_size=80) | st.text("aA0.:/@_-[]x", max_size=40))
def test_any_text_is_a_reference_or_an_image_ref_error(text: str) -> None:
    position, read = 1, text
    try:
        read = str(parse(text))
    except ImageRefError as error:
        position = error.position
    assert read == text
    assert 1 <= position <= len(text) + 1


def test_tags_and_digests_can_be_checked_alone() -> None:
    assert [is_tag(text) for text in ("1", "a" * 129, "a b", "", "\x1b")] == [True, False, False, False, False]
    assert [is_digest(text) for text in (SHA, "sha256:", "sha256:" + "G" * 64)] == [True, False, False]
