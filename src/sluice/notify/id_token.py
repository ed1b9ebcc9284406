"""A JSON Web Token and its issuer's keys → the claims of a genuine one. What can't be proved is refused.

Only signatures by public keys count: with an algorithm of the token's own choice, its issuer's public key would do as
a shared secret, or no signature at all would.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jwt

from sluice.core.problem import clip, printable

Keys: TypeAlias = jwt.PyJWKSet
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
MAX_TOKEN = 16 << 10
LEEWAY = 30.0  # seconds that two clocks may differ
_NEEDED = ["iss", "aud", "exp"]


class TokenRefused(Exception):
    """The token proves nothing; the text says why and holds nothing of it."""


class KeyUnknown(TokenRefused):
    """The token names a key that is none of the issuer's, as far as they are known."""


def issuer_of(token: str) -> str:
    """The issuer that the token names; nothing is proved by it. Raises TokenRefused when it names none."""
    if len(token) > MAX_TOKEN:
        raise TokenRefused("the token is too long")
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenRefused(f"the token can't be read: {_why(error)}") from None
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer:
        raise TokenRefused("the token names no issuer")
    return issuer


def keys_of(document: Any) -> Keys:
    """The keys of a JWKS document. Raises ValueError when it holds none that can be used."""
    try:
        return jwt.PyJWKSet.from_dict(document)
    except (jwt.PyJWTError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(_why(error)) from None


def claims_of(token: str, keys: Keys, issuer: str, audience: str) -> dict[str, Any]:
    """The claims of a token that one of `keys` signed, for that audience and for now. Raises TokenRefused."""
    try:
        header = jwt.get_unverified_header(token)
        return jwt.decode(
            token,
            key=_key(keys, header.get("kid")),
            algorithms=list(ALGORITHMS),
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": _NEEDED, "enforce_minimum_key_length": True},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused(f"the token is not accepted: {_why(error)}") from None


def _key(keys: Keys, name: Any) -> jwt.PyJWK:
    """The key of that name; without a name, the only one there is. Raises KeyUnknown."""
    found = [key for key in keys.keys if key.key_type != "oct" and name in {None, key.key_id}]
    if len(found) != 1:
        raise KeyUnknown("the token names none of its issuer's keys")
    return found[0]


def _why(error: Exception) -> str:
    return clip(printable(str(error) or type(error).__name__), 200)
