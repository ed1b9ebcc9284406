"""Git URLs and ref names: what is allowed to reach the git command line, decided before any process starts.

A URL is taken apart by our own grammar (scheme, user, host, port, path) and put together again, so that nothing
that git or ssh could read as an option, a transport helper or a second line gets through.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from sluice.core.codes import REF_SYNTAX, URL_BLOCKED, URL_SCHEME, URL_SYNTAX
from sluice.core.errors import UserError
from sluice.core.problem import Code, Problem, clip, printable

SCHEMES = ("https", "ssh", "http")
MAX_URL = 2048
MAX_REF = 1024

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):")
_SCP = re.compile(r"^(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^/].*)$")
_REST = re.compile(
    r"^(?:(?P<user>[^@/]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]]*)(?::(?P<port>[^/@]*))?(?P<path>/.*)?$"
)
_USER = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")
_LABEL = re.compile(r"^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$")
# A password may hold what must be encoded, and is not: with a colon before it that begins no port, all up to the last @
# is taken for it. The numbers keep a hostile text from costing more than its length.
_USERINFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20}://)"
    r"(?:[^/@\s:]{0,256}:(?![0-9]{1,5}/)\S{0,1024}@|[^/@\s]{0,1024}(?:@[^/@\s]{0,1024})*@)"
)
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f|5c)", re.IGNORECASE)
_NUMERIC_LABEL = re.compile(r"^(?:0x[0-9a-f]*|[0-9]+)$")
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_COMMIT = re.compile(r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class GitUrl:
    """A URL that passed the grammar. `host` is lower case, without brackets; `port` 0 is the scheme's own."""

    scheme: str
    user: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{user}{host}{port}{self.path}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: credentials are only ever sent to the origin that they were given for."""
        return self.scheme, self.host, self.effective_port

    @property
    def effective_port(self) -> int:
        """The port that is connected to."""
        return self.port or {"https": 443, "http": 80, "ssh": 22}[self.scheme]

    @property
    def is_http(self) -> bool:
        """True for http and https."""
        return self.scheme != "ssh"


def mask_userinfo(text: str) -> str:
    """Replace what stands between `scheme://` and `@`: it may be a password.

    >>> mask_userinfo("https://me:secret@host/x")
    'https://***@host/x'
    """
    return _USERINFO.sub(r"\g<scheme>***@", text)


def parse_url(text: str, *, field: str = "spec.url", scp: bool = False) -> GitUrl:
    """Take a URL apart. `scp` also takes `git@host:path` (flag mode), which becomes `ssh://git@host/path`.

    Raises UserError (UrlScheme, UrlSyntax or UrlBlocked) whose message never holds the userinfo.
    """
    _check_characters(text, field)
    short = _SCP.match(text) if scp else None
    if short is not None:
        text = f"ssh://{short['user']}@{short['host']}/{short['path']}"
    scheme = _scheme_of(text, field)
    match = _REST.match(text[len(scheme) + 3 :])
    if match is None:
        raise _refused(URL_SYNTAX, text, field, "it does not read as scheme://host[:port]/path")
    user = _user_of(match["user"], scheme, text, field)
    host = _host_of(match["host"], text, field)
    port = _port_of(match["port"], text, field)
    path = match["path"] or ""
    _check_path(path, text, field)
    return GitUrl(scheme, user, host, port, path)


def _refused(code: Code, text: str, field: str, cause: str, fix: str = "") -> UserError:
    shown = clip(printable(mask_userinfo(text)), 200)
    return UserError(Problem(code, f"git URL {shown!r} is not allowed", field=field, cause=cause, fix=fix))


def _check_characters(text: str, field: str) -> None:
    if not text or len(text) > MAX_URL:
        raise _refused(URL_SYNTAX, text, field, f"a URL has 1 to {MAX_URL} characters")
    if not text.isascii() or not text.isprintable() or any(c in " \\\"'`<>{}|^" for c in text):
        raise _refused(URL_SYNTAX, text, field, "it holds a space, a control character or one that must be encoded")
    if _ENCODED_CONTROL.search(text):
        raise _refused(URL_SYNTAX, text, field, "it holds an encoded backslash or control character")
    if text.startswith("-"):
        raise _refused(URL_SYNTAX, text, field, "it starts with a dash, as an option does")


def _scheme_of(text: str, field: str) -> str:
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else ""
    if scheme in SCHEMES and text[len(scheme) :].startswith("://"):
        return scheme
    if scheme in SCHEMES:
        raise _refused(URL_SYNTAX, text, field, "the scheme must be followed by ://")
    cause = f"scheme {scheme!r} is not one of https, ssh, http" if scheme else "it has no scheme"
    raise _refused(URL_SCHEME, text, field, cause, "write https://host/path or ssh://git@host/path")


def _user_of(user: str | None, scheme: str, text: str, field: str) -> str:
    if user is None:
        return ""
    if scheme != "ssh" or ":" in user:
        fix = "put the user name and password in the Secret that spec.secretRef names"
        raise _refused(URL_SYNTAX, text, field, "it holds credentials", fix)
    if not _USER.match(user):
        raise _refused(URL_SYNTAX, text, field, "the user name is not valid")
    return user


def _host_of(host: str, text: str, field: str) -> str:
    lowered = host.lower()
    if lowered.startswith("["):
        try:
            return ipaddress.IPv6Address(lowered[1:-1]).compressed
        except ValueError:
            raise _refused(URL_SYNTAX, text, field, "the host is not an IPv6 address") from None
    labels = lowered.removesuffix(".").split(".")
    if len(lowered) > 253 or not all(_LABEL.match(label) for label in labels):
        raise _refused(URL_SYNTAX, text, field, "the host is not a DNS name or an address")
    if _NUMERIC_LABEL.match(labels[-1]) and not _is_dotted_quad(lowered):
        raise _refused(URL_BLOCKED, text, field, "the host is an address in disguise", "write it as four numbers")
    return lowered


def _is_dotted_quad(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _port_of(port: str | None, text: str, field: str) -> int:
    if port is None:
        return 0
    if not port.isdecimal() or not 0 < int(port[:6]) < 65536:
        raise _refused(URL_SYNTAX, text, field, "the port is not a number from 1 to 65535")
    return int(port)


def _check_path(path: str, text: str, field: str) -> None:
    if path.strip("/") == "":
        raise _refused(URL_SYNTAX, text, field, "it has no path")
    if "?" in path or "#" in path:
        raise _refused(URL_SYNTAX, text, field, "it has a query or a fragment")
    if path.startswith("/-"):
        raise _refused(URL_SYNTAX, text, field, "the path starts with a dash, as an option does")


# Addresses that hold credentials of the machine or the cloud account, whatever network they are on.
_METADATA = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/64",
        "100.100.100.200/32",
        "192.0.0.192/32",
        "168.63.129.16/32",
        "fd20:ce::254/128",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def blocked_reason(address: str, *, allow_loopback: bool) -> str:
    """Why this IP address must not be connected to; empty when it may. Raises ValueError when it is no address.

    Link-local and cloud metadata addresses are always refused, also inside IPv6 (mapped, 6to4, NAT64). Private ranges
    are allowed: git servers inside the cluster live there.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = embedded_ipv4(ip)
    if inner is not None:
        return blocked_reason(str(inner), allow_loopback=allow_loopback)
    if any(ip.version == network.version and ip in network for network in _METADATA):
        return "a link-local or cloud metadata address"
    if ip.is_multicast:
        return "a multicast address"
    if ip.is_loopback or ip.is_unspecified or str(ip).startswith("0."):
        return "" if allow_loopback else "an address of the machine itself"
    if ip.version == 4 and ip.is_reserved:
        return "a reserved address"
    return ""


def embedded_ipv4(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to: mapped, 6to4, Teredo, NAT64."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def is_loopback(host: str) -> bool:
    """True for `localhost` and literal loopback addresses: what never leaves the machine."""
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def ref_name_fault(name: str) -> str:
    """What is wrong with a branch, tag or full ref name by git's rules (and a leading dash); empty when nothing."""
    if not name or len(name) > MAX_REF:
        return f"a ref name has 1 to {MAX_REF} characters"
    if name.startswith("-"):
        return "it starts with a dash, as an option does"
    if name == "@" or name.startswith("/") or name.endswith(("/", ".")):
        return "it is '@', or starts or ends with a slash, or ends with a dot"
    found = _REF_FORBIDDEN.search(name)
    if found:
        return f"it holds {printable(found[0])!r}"
    if any(part.startswith(".") or part.endswith(".lock") for part in name.split("/")):
        return "a part of it starts with a dot or ends with '.lock'"
    return "" if name.isprintable() else "it holds a character that can't be shown"


def check_ref_name(name: str, field: str) -> str:
    """Return `name`, or raise UserError (RefSyntax) that says which rule of git it breaks."""
    fault = ref_name_fault(name)
    if fault:
        title = f"{clip(printable(name), 100)!r} is not a ref name that git allows"
        raise UserError(Problem(REF_SYNTAX, title, field=field, cause=fault))
    return name


def is_commit(text: str) -> bool:
    """True for a full commit hash, sha1 or sha256, in lower case."""
    return _COMMIT.match(text) is not None
