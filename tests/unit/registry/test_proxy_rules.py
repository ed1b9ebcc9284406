"""Which proxy a request goes through."""

from __future__ import annotations

import pytest
from yarl import URL

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.registry.proxy_rules import NO_PROXIES, proxy_rules

PROXY = {"HTTPS_PROXY": "http://secure:3128", "HTTP_PROXY": "plain:8080"}


@pytest.mark.parametrize(
    ("no_proxy", "url", "expected"),
    [
        ("", "https://ghcr.io/v2/", "http://secure:3128"),
        ("", "http://reg.example/v2/", "http://plain:8080"),
        ("", "https://localhost:5000/v2/", ""),
        ("", "https://127.0.0.1/v2/", ""),
        ("", "https://[::1]/v2/", ""),
        ("*", "https://ghcr.io/", ""),
        ("ghcr.io", "https://ghcr.io/", ""),
        ("GHCR.io , other", "https://ghcr.io/", ""),
        ("io", "https://ghcr.io/", ""),
        ("hcr.io", "https://ghcr.io/", "http://secure:3128"),
        ("example.com", "https://reg.example.com/", ""),
        (".example.com", "https://reg.example.com/", ""),
        ("*.example.com", "https://reg.example.com/", ""),
        (".example.com", "https://example.com/", "http://secure:3128"),
        ("reg:5000", "https://reg:5000/", ""),
        ("reg:5000", "https://reg:5001/", "http://secure:3128"),
        ("10.0.0.0/8", "https://10.1.2.3/", ""),
        ("10.0.0.0/8", "https://11.1.2.3/", "http://secure:3128"),
        ("10.1.2.3", "https://10.1.2.3:5000/", ""),
        ("10.1.2.3:5000", "https://10.1.2.3:5001/", "http://secure:3128"),
        ("fd00::/8", "https://[fd00::1]/", ""),
        ("[fd00::1]:5000", "https://[fd00::1]:5000/", ""),
        ("10.0.0.0/8", "https://reg.example/", "http://secure:3128"),
    ],
)
def test_a_request_goes_through_the_proxy_of_its_scheme_unless_its_host_is_left_out(
    no_proxy: str, url: str, expected: str
) -> None:
    assert proxy_rules({**PROXY, "NO_PROXY": no_proxy}).proxy_of(URL(url)) == expected


def test_lower_case_names_count_first_and_without_any_there_is_no_proxy() -> None:
    rules = proxy_rules({**PROXY, "https_proxy": "http://lower:1"})
    assert rules.proxy_of(URL("https://ghcr.io/")) == "http://lower:1"
    assert proxy_rules({}) == NO_PROXIES
    assert NO_PROXIES.proxy_of(URL("https://ghcr.io/")) == ""


@pytest.mark.parametrize(
    "value", ["socks5://u:canary@proxy:1", "http://", "ftp://canary:1", "http://canary:x", "a canary"]
)
def test_a_variable_that_names_no_usable_proxy_is_told_without_its_value(value: str) -> None:
    with pytest.raises(UserError) as error:
        proxy_rules({"HTTPS_PROXY": value})
    assert error.value.problems[0].code is codes.REGISTRY_CREDENTIALS
    assert "canary" not in str(error.value)


def test_no_repr_shows_a_proxys_password() -> None:
    assert "canary" not in repr(proxy_rules({"HTTPS_PROXY": "http://ada:canary@proxy:1"}))
