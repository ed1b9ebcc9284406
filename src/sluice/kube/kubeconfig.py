"""The text of kubeconfig files to their structs: read, checked, merged. Nothing in them is followed here.

A kubeconfig may come from a Secret and so from a stranger: sizes, depth and YAML's aliases are limited before the
text is built into values.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sluice.core.codes import KUBECONFIG_INVALID
from sluice.core.errors import UserError
from sluice.core.problem import Origin, Problem

MAX_SIZE = 4 * 1024 * 1024
MAX_DEPTH = 32


class Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""


class EnvVar(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class Exec(msgspec.Struct, frozen=True, rename="camel"):
    command: str
    api_version: str
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    install_hint: str = ""
    provide_cluster_info: bool = False


class User(msgspec.Struct, frozen=True, rename="kebab"):
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    username: str = ""
    password: str = ""
    exec: Exec | None = None
    auth_provider: dict[str, Any] | None = None
    as_user: str = msgspec.field(name="as", default="")
    as_groups: tuple[str, ...] = ()
    as_uid: str = ""


class Context(msgspec.Struct, frozen=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class NamedCluster(msgspec.Struct, frozen=True):
    name: str
    cluster: Cluster = Cluster()


class NamedUser(msgspec.Struct, frozen=True):
    name: str
    user: User = User()


class NamedContext(msgspec.Struct, frozen=True):
    name: str
    context: Context = Context()


class Kubeconfig(msgspec.Struct, frozen=True, rename="kebab"):
    """One file, or several merged; each entry's `folder` is kept beside it by `Entries`."""

    clusters: tuple[NamedCluster, ...] = ()
    users: tuple[NamedUser, ...] = ()
    contexts: tuple[NamedContext, ...] = ()
    current_context: str = ""


class Entries:
    """The entries of one or more kubeconfigs. The first file that defines a name wins, as kubectl has it."""

    def __init__(self, files: Sequence[tuple[Kubeconfig, Path]]) -> None:
        self.current_context = next((c.current_context for c, _ in files if c.current_context), "")
        self.clusters: dict[str, tuple[Cluster, Path]] = {}
        self.users: dict[str, tuple[User, Path]] = {}
        self.contexts: dict[str, Context] = {}
        for config, folder in files:
            for cluster in config.clusters:
                self.clusters.setdefault(cluster.name, (cluster.cluster, folder))
            for user in config.users:
                self.users.setdefault(user.name, (user.user, folder))
            for context in config.contexts:
                self.contexts.setdefault(context.name, context.context)


class _TextLoader(yaml.CBaseLoader):
    """Every scalar is text, so that a token of digits stays what it is; only nulls are recognised."""

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        if not node.style and node.value in {"", "~", "null", "Null", "NULL"}:
            return None
        return node.value


def parse(text: bytes, label: str) -> Kubeconfig:
    """Read one kubeconfig. Raises UserError naming `label` and, where known, line and field."""
    if len(text) > MAX_SIZE:
        raise invalid(label, f"it is larger than {MAX_SIZE >> 20} MiB")
    try:
        _refuse_bombs(text, label)
        tree = yaml.load(text, Loader=_TextLoader)  # noqa: S506 (a loader that knows text, maps and lists only)
        return msgspec.convert(_without_nulls(tree) or {}, Kubeconfig, strict=False)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise invalid(label, f"not valid YAML: {error.problem}", line=_line_of(mark)) from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError):
        raise invalid(label, "not valid YAML") from None
    except msgspec.ValidationError as error:
        raise invalid(label, str(error)) from None


def _refuse_bombs(text: bytes, label: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise invalid(label, "it uses YAML aliases", line=_line_of(event.start_mark))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise invalid(label, "it is nested too deep", line=_line_of(event.start_mark))


def _line_of(mark: Any) -> int:
    return int(mark.line) + 1 if mark is not None else 0


def _without_nulls(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    if isinstance(tree, list):
        return [_without_nulls(value) for value in tree if value is not None]
    return tree


def invalid(label: str, cause: str, *, field: str = "", line: int = 0, fix: str = "") -> UserError:
    """The error for a kubeconfig that can't be used; `cause` must not hold a value from it."""
    problem = Problem(
        KUBECONFIG_INVALID,
        "the kubeconfig can't be used",
        origin=Origin(label, line=line),
        field=field,
        cause=f"{field}: {cause}" if field else cause,
        fix=fix or "check it with `kubectl config view`",
    )
    return UserError(problem)
