"""URLs and ref names: what reaches the git command line."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.codes import REF_SYNTAX, URL_BLOCKED, URL_SCHEME, URL_SYNTAX
from sluice.core.errors import UserError
from sluice.core.git_url import (
    GitUrl,
    blocked_reason,
    check_ref_name,
    is_commit,
    is_loopback,
    mask_userinfo,
    parse_url,
    ref_name_fault,
)
from sluice.core.problem import Code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/me/fleet", GitUrl("https", "", "github.com", 0, "/me/fleet")),
        ("https://GitHub.com/me/fleet.git", GitUrl("https", "", "github.com", 0, "/me/fleet.git")),
        ("HTTPS://github.com/x", GitUrl("https", "", "github.com", 0, "/x")),
        ("ssh://git@github.com/me/fleet", GitUrl("ssh", "git", "github.com", 0, "/me/fleet")),
        ("ssh://github.com:2222/me/fleet", GitUrl("ssh", "", "github.com", 2222, "/me/fleet")),
        ("http://gitea.svc.cluster.local.:3000/a", GitUrl("http", "", "gitea.svc.cluster.local.", 3000, "/a")),
        ("https://[2001:db8::1]:8443/x", GitUrl("https", "", "2001:db8::1", 8443, "/x")),
        ("https://dev.azure.com/My%20Project/_git/x", GitUrl("https", "", "dev.azure.com", 0, "/My%20Project/_git/x")),
        ("https://10.0.0.7/x", GitUrl("https", "", "10.0.0.7", 0, "/x")),
        ("https://my_host/x~y", GitUrl("https", "", "my_host", 0, "/x~y")),
    ],
)  # fmt: skip
def test_a_good_url_is_taken_apart(text: str, expected: GitUrl) -> None:
    assert parse_url(text) == expected


def test_the_short_ssh_form_is_read_where_it_is_asked_for() -> None:
    assert str(parse_url("git@github.com:me/fleet.git", scp=True)) == "ssh://git@github.com/me/fleet.git"
    with pytest.raises(UserError):
        parse_url("git@github.com:me/fleet.git")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("-oProxyCommand=touch${IFS}x", URL_SYNTAX),
        ("--upload-pack=touch x", URL_SYNTAX),
        ("--upload-pack=x", URL_SYNTAX),
        ("ext::sh -c true", URL_SYNTAX),
        ("ext::sh", URL_SCHEME),
        ("EXT::sh", URL_SCHEME),
        ("eXt::sh", URL_SCHEME),
        ("git+ext::sh", URL_SCHEME),
        ("fd::7", URL_SCHEME),
        ("file:///etc", URL_SCHEME),
        ("/etc", URL_SCHEME),
        ("git://host/x", URL_SCHEME),
        ("ftp://host/x", URL_SCHEME),
        ("https::https://host/x", URL_SYNTAX),
        ("https:/host/x", URL_SYNTAX),
        ("https://-oProxyCommand=x/y", URL_SYNTAX),
        ("ssh://-oProxyCommand=x/y", URL_SYNTAX),
        ("ssh://-l@host/y", URL_SYNTAX),
        ("ssh://git:hunter2@host/y", URL_SYNTAX),
        ("https://me:hunter2@host/x", URL_SYNTAX),
        ("https://hunter2@host/x", URL_SYNTAX),
        ("https://a@b:hunter2@host/x", URL_SYNTAX),
        ("https://host/x\n", URL_SYNTAX),
        ("https://host/x\r\n--upload-pack=y", URL_SYNTAX),
        ("https://host/a b", URL_SYNTAX),
        (" https://host/x", URL_SYNTAX),
        ("https://host/a\\b", URL_SYNTAX),
        ("https://host/%0ax", URL_SYNTAX),
        ("https://host/%0D%0Ax", URL_SYNTAX),
        ("https://host/%00", URL_SYNTAX),
        ("https://host/%5cx", URL_SYNTAX),
        ("https://host/x?y=z", URL_SYNTAX),
        ("https://host/x#y", URL_SYNTAX),
        ("https://host", URL_SYNTAX),
        ("https:///x", URL_SYNTAX),
        ("https://host:0/x", URL_SYNTAX),
        ("https://host:99999/x", URL_SYNTAX),
        ("https://host:22a/x", URL_SYNTAX),
        ("https://h\u00f6st/x", URL_SYNTAX),
        ("https://ho..st/x", URL_SYNTAX),
        ("ssh://host/-x", URL_SYNTAX),
        ("https://host/" + "x" * 3000, URL_SYNTAX),
        ("", URL_SYNTAX),
        ("https://2130706433/x", URL_BLOCKED),
        ("https://0x7f000001/x", URL_BLOCKED),
        ("https://0177.0.0.1/x", URL_BLOCKED),
        ("https://127.1/x", URL_BLOCKED),
    ],
)
def test_a_bad_url_is_refused_by_our_own_grammar(text: str, code: Code) -> None:
    with pytest.raises(UserError) as caught:
        parse_url(text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (code, "spec.url")
    assert problem.cause
    assert "hunter2" not in str(caught.value)


def test_userinfo_is_masked_wherever_it_stands() -> None:
    text = "fatal: https://me:hunter2@host/x and ssh://t0k@h, http://a:b@c@d/e"
    assert mask_userinfo(text) == "fatal: https://***@host/x and ssh://***@h, http://***@d/e"


@given(st.text(max_size=60))
def test_whatever_is_accepted_reads_back_as_the_same_url(text: str) -> None:
    try:
        url = parse_url("https://" + text)
    except UserError:
        return
    assert parse_url(str(url)) == url
    assert str(url).isascii()


@pytest.mark.parametrize("address", [
    "169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "168.63.129.16",
    "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
])  # fmt: skip
def test_link_local_metadata_and_odd_addresses_are_always_refused(address: str) -> None:
    assert blocked_reason(address, allow_loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "0.1.2.3", "::"])  # noqa: S104
def test_the_machine_itself_is_refused_unless_allowed(address: str) -> None:
    assert blocked_reason(address, allow_loopback=False)
    assert not blocked_reason(address, allow_loopback=True)


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.0.1", "172.16.0.1", "140.82.121.3", "2606:50c0::1", "fd12::1"]
)
def test_public_and_private_addresses_are_allowed(address: str) -> None:
    assert blocked_reason(address, allow_loopback=False) == ""


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_judged_the_same_inside_ipv6(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    assert blocked_reason(str(plain), allow_loopback=False) == blocked_reason(str(mapped), allow_loopback=False)


def test_loopback_names_are_known() -> None:
    assert [is_loopback(h) for h in ("localhost", "a.localhost", "127.0.0.2", "::1", "10.0.0.1", "host")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["main", "feature/x", "v1.2.3", "refs/pull/4/head", "a@b", "-".join("ab"), "ü"])
def test_git_s_ref_names_are_allowed(name: str) -> None:
    assert check_ref_name(name, "spec.ref.branch") == name


@pytest.mark.parametrize("name", [
    "", "-x", "--upload-pack=x", "a..b", "refs/heads/../x", "@{1}", "a@{1}", "@", "a b", "a~1", "a^", "a:b", "a?", "a*",
    "a[b", "a\\b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "a\n", "a\x7f", "a\u202eb", "x" * 2000,
])  # fmt: skip
def test_a_ref_name_that_git_refuses_is_refused(name: str) -> None:
    assert ref_name_fault(name)
    with pytest.raises(UserError) as caught:
        check_ref_name(name, "spec.ref.branch")
    assert caught.value.problems[0].code is REF_SYNTAX


def test_only_a_full_hash_is_a_commit() -> None:
    assert [is_commit(t) for t in ("a" * 40, "a" * 64, "a" * 39, "A" * 40, "g" * 40)] == [
        True,
        True,
        False,
        False,
        False,
    ]
