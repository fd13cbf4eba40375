"""TLS for sessions: contexts that verify, built once for each set of trust settings, and the facts of a connection."""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from ..i18n import gettext as _
from ..secret import Secret
from .certificates import (
    CertificateFacts,
    certificate_facts,
    check_key_pair,
    check_pem_bundle,
    load_bundle,
)

__all__ = ["TLSFacts", "check_key_pair", "check_pem_bundle", "client_context", "tls_facts"]

#: Contexts that are kept: each takes 16 ms to build and almost 1 MB.
CACHE_SIZE = 32

_cache: OrderedDict[str, ssl.SSLContext] = OrderedDict()
_cache_lock = threading.Lock()


def _renew_lock() -> None:
    """In a child process: the lock may be held by a thread that did not come along."""
    global _cache_lock
    _cache_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSFacts:
    """What protects a connection.

    :param version: e.g. ``TLSv1.3``.
    :param cipher: the name of the cipher suite.
    :param library: this machine's OpenSSL.
    :param certificate: what the server's certificate says; None if it could not be read.
    :param verified: whether the certificate was verified; False only where the operator switched that off.
    :param pinned: whether its fingerprint was what verified it.
    """

    version: str
    cipher: str
    library: str
    certificate: CertificateFacts | None
    verified: bool
    pinned: bool = False

    @property
    def subject_names(self) -> tuple[str, ...]:
        """The names that the certificate is valid for."""
        return self.certificate.subject_names if self.certificate else ()

    @property
    def issuer(self) -> str:
        """Who issued the certificate."""
        return self.certificate.issuer if self.certificate else ""

    @property
    def not_after(self) -> datetime | None:
        """When the certificate expires, UTC."""
        return self.certificate.not_after if self.certificate else None


def tls_facts(connection: ssl.SSLSocket, *, pinned: bool = False) -> TLSFacts:
    """Read the facts off a connection whose handshake is done.

    :param pinned: whether the fingerprint of its certificate was found right.
    """
    der = connection.getpeercert(binary_form=True)
    cipher = connection.cipher()
    return TLSFacts(
        version=connection.version() or "",
        cipher=cipher[0] if cipher else "",
        library=ssl.OPENSSL_VERSION,
        certificate=certificate_facts(der) if der else None,
        verified=pinned or connection.context.verify_mode is ssl.CERT_REQUIRED,
        pinned=pinned,
    )


def tls_library() -> str:
    """Name the library that encrypts, with its version."""
    return ssl.OPENSSL_VERSION


def client_context(
    ca_file: str | None = None,
    ca_pem: str | None = None,
    client_certificate: str | None = None,
    client_key: Secret | None = None,
    verify: bool = True,
) -> ssl.SSLContext:
    """Return the shared context for these settings: TLS 1.2 or later, certificate and name verified.

    :param ca_file: path of a PEM file of authorities to trust besides the system's.
    :param ca_pem: PEM of further authorities to trust.
    :param client_certificate: PEM of a client certificate, with ``client_key`` as its key.
    :param verify: False accepts any certificate, for who compares its fingerprint before anything is said.
    :raises ValueError: the certificate, the key or the file cannot be used; the text is a sentence.
    """
    digest = _digest(ca_file, ca_pem, client_certificate, client_key, verify=verify)
    with _cache_lock:
        context = _cache.get(digest)
        if context is None:
            context = _build(ca_file, ca_pem, client_certificate, client_key, verify=verify)
            _cache[digest] = context
            if len(_cache) > CACHE_SIZE:
                _cache.popitem(last=False)
        _cache.move_to_end(digest)
    return context


def _digest(
    ca_file: str | None, ca_pem: str | None, certificate: str | None, key: Secret | None, *, verify: bool
) -> str:
    """Two settings with one digest share a context; a file that was renewed on the disk gets a new one."""
    stamp = ""
    if ca_file:
        try:
            status = Path(ca_file).stat()
            stamp = f"{status.st_mtime_ns} {status.st_size}"
        except OSError:
            stamp = "missing"
    parts = (ca_file or "", stamp, ca_pem or "", certificate or "", key.reveal() if key else "", str(verify))
    return sha256("\0".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()


def _build(
    ca_file: str | None, ca_pem: str | None, certificate: str | None, key: Secret | None, *, verify: bool
) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A certificate without subjectAltName is valid for no name (RFC 9525 §2).
    context.hostname_checks_common_name = False
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            text = _("The file of certificate authorities, %(path)s, cannot be read.", path=ca_file)
            raise ValueError(text) from error
    if ca_pem:
        _trust(context, ca_pem)
        # What was pasted is trusted as it is, even if it is the server's own certificate or an intermediate one.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if certificate and not _load_pair(context, certificate, key):
        raise ValueError(_("The client certificate and its private key cannot be used together."))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trust(context: ssl.SSLContext, ca_pem: str) -> None:
    der = b"".join(authority.public_bytes(Encoding.DER) for authority in load_bundle(ca_pem))
    try:
        context.load_verify_locations(cadata=der)
    except ssl.SSLError as error:
        raise ValueError(_("The certificate of the authority cannot be used.")) from error


def _load_pair(context: ssl.SSLContext, certificate: str, key: Secret | None) -> bool:
    """Load a pair; only True or False comes out, because the frames of an exception would hold the key."""
    if key is None:
        return False
    try:
        with _as_file(certificate) as certificate_path, _as_file(key.reveal()) as key_path:
            # Without a password callback OpenSSL would ask on the terminal for the passphrase of a protected key.
            context.load_cert_chain(certificate_path, key_path, password=lambda: b"")
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """Give ``text`` a path for the ssl module, which reads keys only from files; in memory where the system can."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("smtpservers", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{descriptor}"
        if Path(path).exists():
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                yield path
            return
        os.close(descriptor)
    descriptor, path = tempfile.mkstemp(prefix="smtpservers-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        yield path
    finally:
        Path(path).unlink()
