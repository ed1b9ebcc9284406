"""TLS contexts for clients: the server is verified unless somebody who may say so says otherwise.

Private keys never touch a disk where the kernel offers anonymous memory files.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path


def client_context(ca_pem: bytes = b"", *, verify: bool = True) -> ssl.SSLContext:
    """A context that trusts exactly `ca_pem`, or the system's authorities when it is empty.

    Built from the bare protocol and not `create_default_context`, whose strict X.509 checks (Python 3.13) refuse
    the certificates that cluster installers made for years. Raises ssl.SSLError or ValueError for a bad `ca_pem`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca_pem:
        context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    else:
        context.load_default_certs()
    return context


def load_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Present `certificate` with `key` (both PEM) from the next handshake on.

    Raises ssl.SSLError when they do not belong together, and for a key that wants a passphrase (we never prompt).
    """
    with _pem_path(certificate.rstrip() + b"\n" + key) as path:
        context.load_cert_chain(path, password=lambda: b"")


@contextlib.contextmanager
def _pem_path(pem: bytes) -> Iterator[str]:
    """A path from which OpenSSL can read `pem`, gone afterwards."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("client-certificate")
        try:
            os.write(descriptor, pem)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:  # mode 0600
        file.write(pem)
        file.flush()
        yield file.name
