"""googlepubsub: the event as a message of a Pub/Sub topic, by its REST API.

The Secret's `token` is the JSON of a service account's key. What it signs is the login itself, so that no other
service is asked for one (Google, "Service account authorization without OAuth").
"""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import quote

import msgspec

from sluice.core.event import Event
from sluice.notify.message import Request, Target, bearer, post_json

API = "https://pubsub.googleapis.com"
AUDIENCE = "https://pubsub.googleapis.com/"
LIFETIME = 600
_PROJECT = re.compile(r"^[a-z0-9.:-]{4,80}$")


class _Key(msgspec.Struct):
    type: str = ""
    client_email: str = ""
    private_key: str = ""
    private_key_id: str = ""


def googlepubsub(event: Event, target: Target) -> tuple[Request, ...]:
    """One message; `headers` of the Secret are its attributes. The address is a project's id, the channel a topic's."""
    if not _PROJECT.match(target.address):
        target.refuse_address("the id of a Google Cloud project")
    topic = quote(target.need_channel("the id of a topic"), safe="")
    message: dict[str, Any] = {"data": base64.b64encode(msgspec.json.encode(event)).decode()}
    if target.headers:
        message["attributes"] = dict(target.headers)
    url = f"{API}/v1/projects/{quote(target.address, safe=':')}/topics/{topic}:publish"
    return (post_json(url, {"messages": [message]}, bearer(_login(target))),)


def _login(target: Target) -> str:
    try:
        key = msgspec.json.decode(target.need_token(), type=_Key)
    except msgspec.MsgspecError:
        key = _Key()
    if key.type != "service_account" or not key.client_email or not key.private_key:
        target.refuse_secret(
            "its token is no key of a service account", "write the JSON of a service account's key into `token`"
        )
    head = {"alg": "RS256", "typ": "JWT", "kid": key.private_key_id}
    at = int(target.at)
    claims = {"iss": key.client_email, "sub": key.client_email, "aud": AUDIENCE, "iat": at, "exp": at + LIFETIME}
    signed = f"{_part(msgspec.json.encode(head))}.{_part(msgspec.json.encode(claims))}"
    return f"{signed}.{_part(_signature(key.private_key, signed.encode(), target))}"


def _signature(pem: str, signed: bytes, target: Target) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        target.refuse_secret("the private key in its token can't be read", "make another key, and copy it whole")
    return key.sign(signed, PKCS1v15(), SHA256())


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
