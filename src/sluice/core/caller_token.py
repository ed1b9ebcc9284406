"""Which tokens prove a caller: whose they are, whom they are for, and what must be true of their claims. Pure.

Whether a token is genuine is not asked here: the claims that come in are those of a verified one. As in Flux, CEL
sees them as `claims`, and what `variables` make of them as `vars`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.core.cel import CelError, Expression
from sluice.core.webhook import Call, Refused

GOOGLE = "https://accounts.google.com"
# The types whose callers are known by nothing but a token: without rules for one, nobody is let in.
PROVED_BY_TOKEN = frozenset({"gcr", "generic-oidc"})
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class TokenRule:
    """Tokens of one issuer that are accepted. `email` is the account that Google's must be of; empty for others'."""

    issuer: str
    audience: str
    variables: tuple[tuple[str, Expression], ...] = ()
    validations: tuple[tuple[Expression, str], ...] = ()
    email: str = field(default="", repr=False)


def bearer_of(call: Call) -> str:
    """The token that a call brings. Raises Refused when there is none, or more than one."""
    value = call.one("authorization")
    if value[: len(_BEARER)].lower() != _BEARER or not value[len(_BEARER) :].strip():
        raise Refused("authorization holds no bearer token")
    return value[len(_BEARER) :].strip()


def rule_of(rules: tuple[TokenRule, ...], issuer: str) -> TokenRule:
    """The rule for an issuer's tokens. Raises Refused when nobody expects any of it."""
    for rule in rules:
        if rule.issuer == issuer:
            return rule
    raise Refused("the token is of an issuer that spec.oidcProviders does not name")


def check_claims(rule: TokenRule, claims: Mapping[str, Any]) -> None:
    """Check what must be true of the claims of a verified token. Raises Refused for the first thing that is not."""
    if rule.email and (claims.get("email") != rule.email or claims.get("email_verified") is not True):
        raise Refused("the token is of another account than the Secret's email")
    variables: dict[str, Any] = {}
    known: dict[str, Any] = {"claims": claims, "vars": variables}
    try:
        for name, expression in rule.variables:
            variables[name] = expression.value_for(known)
        failed = [message for expression, message in rule.validations if not expression.holds(known)]
    except CelError as error:
        raise Refused(f"an expression has no answer for the token's claims: {error}") from None
    if failed:
        raise Refused(f"the token's claims are refused: {'; '.join(failed)}")
