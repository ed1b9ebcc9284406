"""`sluice run`: flags to settings, fluxd's and Flux's names, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from sluice.cli.exit_codes import UsageRefused
from sluice.cli.flags import Flags
from sluice.cli.fluxd_flags import REFUSED
from sluice.cli.run import run, settings_of
from sluice.core import codes
from sluice.core.fluxd_api.key_kind import KeyKind
from sluice.reconcilers.flag_mode import source_of
from sluice.settings import Settings


def settings_from(*arguments: str, flags: Flags | None = None) -> Settings:
    context = run.make_context("run", list(arguments), obj=flags or Flags())
    return settings_of(context.obj, context.params)


def test_flag_mode_has_fluxds_defaults() -> None:
    source = settings_from("--git-url", "git@git.example:me/fleet").flag_source
    assert source is not None
    assert source.branch == "master"
    assert source.paths == ("",)
    assert (source.poll_interval, source.sync_interval, source.timeout) == ("5m", "5m", "20s")
    assert not source.garbage_collection


def test_paths_are_repeated_or_separated_by_commas() -> None:
    source = settings_from("--git-url=https://git.example/x", "--git-path=a,b", "--git-path", "c").flag_source
    assert source is not None
    assert source.paths == ("a", "b", "c")


@pytest.mark.parametrize(("text", "expected"), [((), True), (("=true",), True), (("=false",), False)])
def test_switches_take_gos_form(text: tuple[str, ...], expected: bool) -> None:
    flag = "--sync-garbage-collection" + "".join(text)
    source = settings_from("--git-url=https://git.example/x", flag, "--git-readonly").flag_source
    assert source is not None
    assert source.garbage_collection is expected


def test_the_arguments_of_the_shipped_deployment_are_taken() -> None:
    from sluice.api.install import InstallOptions, manifests

    deployment: Any = manifests(InstallOptions(version="1.0.0"))[-1]
    verb, *arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert verb == "run"
    chosen = settings_from(*arguments)
    assert chosen.storage == Path("/data")
    assert (chosen.metrics_address, chosen.health_address) == (":8080", ":9440")


def test_the_namespace_names_the_host_of_artifacts() -> None:
    chosen = settings_from("--runtime-namespace", "gitops", "--watch-all-namespaces=false")
    assert chosen.namespace == chosen.watch_namespace == "gitops"
    assert chosen.artifact_host == "source-controller.gitops.svc.cluster.local."


def test_fluxds_upstream_is_posted_to_by_http_or_https() -> None:
    for address in ("http://fluxcloud", "https://events.example.com:8443/base"):
        assert settings_from("--git-url=https://git.example/x", "--connect", address).upstream == address


@pytest.mark.parametrize("address", ["ws://fluxcloud", "fluxcloud", "http://", "http://x:99999", "http://a\nb"])
def test_an_upstream_that_can_not_be_posted_to_is_refused(address: str) -> None:
    with pytest.raises(UsageRefused, match="--connect"):
        settings_from("--git-url=https://git.example/x", "--connect", address)
    with pytest.raises(UsageRefused, match="--git-url"):
        settings_from("--connect", "http://fluxcloud")


@pytest.mark.parametrize("flag", sorted(REFUSED))
@pytest.mark.parametrize("value", ["", "=x"])
def test_flags_of_fluxd_that_are_not_acted_on_are_refused_by_name(flag: str, value: str) -> None:
    with pytest.raises(UsageRefused) as refused:
        settings_from("--git-url=https://git.example/x", flag + value)
    [problem] = refused.value.problems
    assert problem.code is codes.NOT_HONOURED
    assert flag in problem.title
    assert problem.cause


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--git-branch", "main"), "--git-branch"),
        (("--git-url=https://git.example/x", "--git-path=/apps"), "--git-path"),
        (("--git-url=https://git.example/x", "--git-path=../up"), "--git-path"),
        (("--git-url=https://git.example/x", "--git-poll-interval=5"), "--git-poll-interval"),
        (("--git-url=https://git.example/x", "--git-branch=a..b"), "a..b"),
        (("--git-url=file:///etc",), "git URL"),
        (("--health-addr=9440",), "--health-addr"),
        (("--runtime-namespace=A",), "--runtime-namespace"),
        (("--otlp-endpoint=collector:4318",), "--otlp-endpoint"),
        (("--otlp-endpoint=grpc://collector:4317",), "--otlp-endpoint"),
        (("--otlp-endpoint=http://collector:x",), "--otlp-endpoint"),
        (("--otlp-endpoint=https://me:word@collector",), "--otlp-endpoint"),
        (("--manifest-generation",), "--manifest-generation"),
        (("--git-url=https://git.example/x", "--generator-path=bin:/usr/bin"), "--generator-path"),
    ],
)
def test_values_that_can_not_be_used_are_usage_errors(arguments: tuple[str, ...], named: str) -> None:
    with pytest.raises(UsageRefused) as refused:
        settings_from(*arguments)
    assert named in str(refused.value)


def test_commands_of_a_flux_yaml_are_run_only_where_a_flag_says_so() -> None:
    url = "--git-url=https://git.example/x"
    off, on = settings_from(url).flag_source, settings_from(url, "--manifest-generation=true").flag_source
    assert off is not None
    assert on is not None
    assert (off.manifest_generation, on.manifest_generation) == (False, True)
    assert source_of(off, "x").spec.ignore is None
    assert source_of(on, "x").spec.ignore == "!.flux.yaml"
    own = settings_from(url, "--manifest-generation", "--generator-path", "/opt/bin:/usr/bin").flag_source
    assert own is not None
    assert own.generator_path == "/opt/bin:/usr/bin"


def test_an_unknown_flag_is_no_flag_of_run() -> None:
    with pytest.raises(click.NoSuchOption):
        settings_from("--git-pol-interval=5m")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ""),
        (("--git-verify-signatures",), "all"),
        (("--git-verify-signatures-mode=first-parent",), "first-parent"),
        (("--git-verify-signatures", "--git-verify-signatures-mode=none"), ""),
    ],
)
def test_fluxds_flags_say_which_commits_must_be_signed(arguments: tuple[str, ...], expected: str) -> None:
    keys = ("--git-gpg-key-import=/a,/b", "--git-gpg-key-import", "/c")
    source = settings_from("--git-url=https://git.example/x", *arguments, *keys).flag_source
    assert source is not None
    assert (source.signatures, source.key_files) == (expected, ("/a", "/b", "/c"))


def test_signatures_without_a_key_are_refused_before_anything_starts() -> None:
    with pytest.raises(UsageRefused, match="no key is named"):
        settings_from("--git-url=https://git.example/x", "--git-verify-signatures")


# --- fluxd's HTTP API -----------------------------------------------------------------------------------------------


def test_fluxctl_is_answered_in_a_pod_and_elsewhere_only_where_somebody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_from().fluxd_address == ""
    assert settings_from("-l", "127.0.0.1:3030").fluxd_address == "127.0.0.1:3030"
    monkeypatch.setattr("sluice.settings.in_cluster", lambda: True)
    assert settings_from().fluxd_address == "127.0.0.1:3030"
    assert settings_from("--listen=").fluxd_address == ""


@pytest.mark.parametrize("address", [":3030", "0.0.0.0:3030", "10.0.0.1:3030", "flux.example:3030"])
def test_an_address_that_others_reach_needs_a_token(address: str) -> None:
    with pytest.raises(UsageRefused) as refused:
        settings_from("--listen", address)
    assert "--fluxd-api-token-file" in refused.value.problems[0].fix
    chosen = settings_from("--listen", address, "--fluxd-api-token-file", "/etc/sluice/token")
    assert (chosen.fluxd_address, chosen.fluxd_token_file) == (address, Path("/etc/sluice/token"))


def test_a_repository_over_ssh_has_fluxds_secret_unless_another_is_named() -> None:
    ssh, other = "--git-url=git@git.example:me/fleet", "--k8s-secret-name=mine"
    sources = [
        settings_from(*words).flag_source for words in ((ssh,), (ssh, other), ("--git-url=https://git.example/x",))
    ]
    assert [source.secret_name for source in sources if source is not None] == ["flux-git-deploy", "mine", ""]
    assert sources[0] is not None
    assert sources[0].url == "ssh://git@git.example/me/fleet"


def test_the_kind_of_a_new_deploy_key_is_chosen_as_with_ssh_keygen() -> None:
    assert settings_from().deploy_key == KeyKind("ed25519", 0, "OPENSSH")
    given = ("--ssh-keygen-type=RSA", "--ssh-keygen-bits=4096", "--ssh-keygen-format=pem")
    assert settings_from(*given).deploy_key == KeyKind("rsa", 4096, "PEM")


@pytest.mark.parametrize(
    "flag", ["--ssh-keygen-type=dsa", "--ssh-keygen-format=DER", "--ssh-keygen-type=rsa --ssh-keygen-bits=8"]
)
def test_a_deploy_key_that_can_not_be_made_is_refused(flag: str) -> None:
    with pytest.raises(UsageRefused, match="ssh-keygen"):
        settings_from(*flag.split())
