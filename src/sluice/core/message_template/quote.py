"""Texts in Go's quotes (`%q`), and the escapes for HTML, JavaScript and URLs."""

from __future__ import annotations

_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}
_HTML = {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")


def go_quoted(text: str, quote: str = '"') -> str:
    """A text as a Go constant.

    >>> go_quoted('say "hi"')
    '"say \\\\"hi\\\\""'
    """
    return quote + "".join(f"\\{quote}" if one == quote else _escaped(one) for one in text) + quote


def _escaped(one: str) -> str:
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one.isprintable() or one == " ":
        return one
    code = ord(one)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def html_escaped(text: str) -> str:
    """Escape what HTML gives a meaning."""
    return "".join(_HTML.get(one, one) for one in text)


def url_escaped(text: str) -> str:
    """Escape a text for the query of a URL."""
    encoded = (chr(byte) if byte in _UNRESERVED else "+" if byte == 0x20 else f"%{byte:02X}" for byte in text.encode())
    return "".join(encoded)
