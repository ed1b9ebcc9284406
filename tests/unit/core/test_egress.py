"""Where notifications may go: outwards always, inwards only where a flag names it, to metadata services never."""

from __future__ import annotations

import pytest

from sluice.core.egress import EgressPolicy, parse_egress

EVERYTHING = parse_egress(("0.0.0.0/0", "::/0", "*.internal", "metadata"))


@pytest.mark.parametrize("address", ["1.1.1.1", "140.82.112.3", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_the_public_network_needs_no_flag(address: str) -> None:
    assert EgressPolicy().refusal("hooks.example.com", address) == ""


INSIDE = [
    *("10.96.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "127.0.0.1", "0.1.2.3", "fd00::1", "::1"),
    *("::ffff:10.0.0.1", "198.18.0.1", "::", "64:ff9b::a00:1", "2002:a00:1::1"),
]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_refused_and_the_flag_is_named(address: str) -> None:
    assert "--egress-allow" in EgressPolicy().refusal("alertmanager", address)


@pytest.mark.parametrize("address", INSIDE)
def test_what_a_flag_names_is_allowed(address: str) -> None:
    assert EVERYTHING.refusal("any.internal", address) == ""
    assert parse_egress(("0.0.0.0/0", "::/0")).refusal("x", address) == ""


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"),
        *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "224.0.0.1", "ff02::1", "255.255.255.255"),
    ],
)
def test_no_flag_opens_what_holds_credentials_of_the_machine(address: str) -> None:
    assert EVERYTHING.refusal("metadata", address)
    assert EVERYTHING.refusal("any.internal", address)


@pytest.mark.parametrize(
    ("entry", "host", "allowed"),
    [
        ("alertmanager.monitoring.svc", "alertmanager.monitoring.svc", True),
        ("alertmanager.monitoring.svc", "Alertmanager.monitoring.svc.", True),
        ("alertmanager.monitoring.svc", "x.alertmanager.monitoring.svc", False),
        ("*.svc.cluster.local", "am.monitoring.svc.cluster.local", True),
        ("*.svc.cluster.local", "svc.cluster.local", False),
        ("*.svc.cluster.local", "evilsvc.cluster.local", False),
        ("10.0.0.0/8", "am", True),
        ("10.1.2.3", "am", True),
        ("10.1.2.4", "am", False),
        ("fd00::/8", "am", False),
    ],
)
def test_a_host_is_allowed_by_its_name_or_by_its_network(entry: str, host: str, allowed: bool) -> None:
    assert (parse_egress((entry,)).refusal(host, "10.1.2.3") == "") is allowed


@pytest.mark.parametrize("entry", ["", "*", "10.0.0.1/8", "a b", "http://x", "10.0.0.0/33", "*.*.x", "a:443"])
def test_what_is_neither_network_nor_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a network nor a host name"):
        parse_egress((entry,))
