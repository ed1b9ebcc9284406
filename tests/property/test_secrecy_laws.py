"""No sink ever holds a secret: whatever stands around it, what people are shown of it is never itself.

`tests/canary.py` looks at what the whole product says while other tests run; here what masks is met with what nobody
has thought of.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote

from hypothesis import assume, given
from hypothesis import strategies as st

from sluice.cli.debug import redacted
from sluice.core.errors import SluiceError
from sluice.core.git_url import parse_url
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.object_diff import diff_objects, masked
from sluice.git.auth import GitAuth
from sluice.git.errors import remote_error
from sluice.git.process import GitOutput
from sluice.kube.errors import Asked, refusal
from sluice.runtime.logging import in_flux_form, without_secrets
from tests.memory_api import refused

SECRET = GroupKind("", "Secret")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# No text of ours holds it. Around it stands what passwords are made of, in the wrong places too.
CANARY = "cAnArY"
AROUND = st.text(st.sampled_from("ab1:/?#@%$&\\\"'.-_~"), max_size=6)
PASSWORDS = st.builds(lambda before, after: f"{before}{CANARY}{after}", AROUND, AROUND)
PLAIN = st.sampled_from(["", "x", "https://git.example/x", "1", "k"])


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values as logs, diffs and bundles hold them."""
    names = st.sampled_from(["name", "data", "items", "url", "a.b", "x/y"])
    inner = leaves | st.lists(leaves, max_size=3) | st.dictionaries(names, leaves, max_size=3)
    return inner | st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2)


# --- Secrets that differ ----------------------------------------------------------------------------------------


VALUES = nested(PASSWORDS | st.none())
PARTS = st.sets(st.sampled_from(["data", "stringData"]))
DATA = st.dictionaries(st.sampled_from(["password", "a.b", "x/y"]), VALUES, max_size=3) | VALUES


@st.composite
def secrets(draw: st.DrawFn) -> dict[str, Any]:
    """A Secret, also one that no server would take; each value of it is secret."""
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "type": draw(PLAIN), "metadata": {"name": "s"}}
    for part in draw(PARTS):
        body[part] = draw(DATA)
    if draw(st.booleans()):
        copy = json.dumps({**body, "stringData": draw(PASSWORDS)})
        body["metadata"]["annotations"] = {"note": draw(PLAIN), LAST_APPLIED: copy}
    return body


@given(secrets() | st.just({}), secrets() | st.just({}))
def test_a_diff_of_secrets_says_that_they_differ_and_never_in_what(before: Any, after: Any) -> None:
    changes = masked(diff_objects(before, after), SECRET)
    assert CANARY not in repr(changes)
    assert bool(changes) == bool(diff_objects(before, after))


# --- lines of the log, and the bundle ---------------------------------------------------------------------------

# What reads as a port and a path is one, to everybody.
USERS = st.sampled_from(["", "x", "k1"])
BEHIND_A_USER = PASSWORDS.filter(lambda password: not re.match(r"\d+/", password))
USERINFO = st.builds(lambda user, password: f"https://{user}:{password}@git.example/x.git", USERS, BEHIND_A_USER)
SECRET_NAMES = st.sampled_from(["password", "token", "Authorization", "client_secret_value", "identity_key", "xtokens"])


URLS = USERINFO.map(lambda url: f"fatal: Authentication failed for '{url}'")
SHOWN = st.dictionaries(st.sampled_from(["url", "error", "msg"]), nested(URLS | PLAIN), max_size=3)
HIDDEN = st.dictionaries(SECRET_NAMES, nested(PASSWORDS), max_size=2)


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    """What somebody logs: secrets under the names of secrets, and in URLs anywhere."""
    hidden = draw(HIDDEN)
    where = {"deep": [{"in": hidden}]} if draw(st.booleans()) else hidden
    return {**draw(SHOWN), **where, "exc": RuntimeError(draw(URLS)), "event": "failed"}


@given(fields())
def test_no_line_of_the_log_shows_what_is_secret_by_its_name_or_in_a_url(logged: dict[str, Any]) -> None:
    line = in_flux_form(None, "", without_secrets(None, "", logged))
    assert CANARY not in json.dumps(line, default=str)


@given(st.dictionaries(st.sampled_from(["token", "password", "spec", "items"]), nested(USERINFO)))
def test_the_bundle_for_a_report_shows_no_url_with_its_password(value: dict[str, Any]) -> None:
    assert CANARY not in json.dumps(redacted(value))


# --- what git and the API server say ----------------------------------------------------------------------------


@given(USERS, BEHIND_A_USER, st.booleans())
def test_a_url_that_holds_a_password_is_refused_without_showing_it(user: str, password: str, is_encoded: bool) -> None:
    text = quote(password, safe="") if is_encoded else password
    assert CANARY not in told_of(f"https://{user}:{text}@git.example/x.git")


def told_of(url: str) -> str:
    """What is shown of a URL, be it taken or refused."""
    try:
        return str(parse_url(url, scp=True))
    except SluiceError as error:
        return str(error) + repr(error.problems)


@given(USERS, st.lists(st.integers(0, 4), max_size=5))
def test_what_git_prints_of_our_credentials_is_in_no_error(user: str, said: list[int]) -> None:
    token = base64.b64encode(f"{user}:{CANARY * 2}".encode()).decode()
    auth = GitAuth(authorization=f"Basic {token}", proxy=f"http://{user}:{CANARY}@proxy.example:3128")
    texts = (
        f"fatal: Authentication failed for 'https://{user}:{CANARY}@git.example/x.git/'",
        f"> Authorization: Basic {token}",
        f"fatal: unable to access: Could not resolve proxy: {auth.proxy}",
        "error: The requested URL returned error: 403",
        "fatal: the remote end hung up",
    )
    stderr = "\n".join(texts[each] for each in said)
    error = remote_error(GitOutput(128, b"", stderr), parse_url("https://git.example/x.git"), auth, timeout=5)
    assert not any(secret in str(error) + repr(error.problems) for secret in (CANARY, token))


@given(secrets(), st.sampled_from([400, 422, 500]), st.sampled_from(['unknown field "x"', 'duplicate field "data.x"']))
def test_a_refusal_that_repeats_the_secret_is_told_without_it(body: dict[str, Any], status: int, why: str) -> None:
    assume(CANARY in json.dumps(body))
    echo = json.dumps(json.dumps(body))
    message = f'Secret "s" is invalid: patch: Invalid value: {echo}: strict decoding error: {why}'
    _, headers, answer = refused(status, "Invalid", message)
    subject = ResourceId("", "Secret", "shop", "s")
    error = refusal(Asked("https://api.example", subject, "apply"), status, headers, answer)
    assert CANARY not in str(error) + repr(error.problems) + repr(vars(error))
