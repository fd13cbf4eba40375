"""TLS contexts of servers that show every kind of certificate, the good one among them."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from ..peers.hostile import server_context
from ..smtp.certificates import self_signed

#: Makes a server's context: (the authority that the app trusts, the host in the settings) -> context.
Showing = Callable[[trustme.CA, str], ssl.SSLContext]

_DAY = timedelta(days=1)


def good(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """Nothing is wrong with it."""
    return server_context(ca, host)


def named(*names: str) -> Showing:
    """It is made out to other names."""
    return lambda ca, host: server_context(ca, *names)


def expired(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """It has run out."""
    now = datetime.now(UTC)
    return _showing(ca.issue_cert(host, not_before=now - 9 * _DAY, not_after=now - _DAY))


def early(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """It will be valid some day."""
    now = datetime.now(UTC)
    return _showing(ca.issue_cert(host, not_before=now + _DAY, not_after=now + 9 * _DAY))


def self_made(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """It vouches for itself."""
    certificate, key = self_signed(host, common_name=host)
    return _loaded(key + certificate)


def private_authority(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """An authority that nobody knows issued it, and is shown along with it."""
    authority = trustme.CA()
    return _loaded(_pem(authority.issue_cert(host)) + authority.cert_pem.bytes().decode())


def without_intermediate(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """A well-known authority vouches for it, but what stands between the two is not shown."""
    leaf = ca.create_child_ca().issue_cert(host)
    return _loaded(leaf.private_key_pem.bytes().decode() + leaf.cert_chain_pems[0].bytes().decode())


def opened_by_scanner(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """A virus scanner on the way made it."""
    return _showing(trustme.CA(organization_name="Avast Web/Mail Shield Root").issue_cert(host))


def old_versions(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """Its server speaks TLS 1.0 and nothing newer."""
    context = server_context(ca, host)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def for_members(ca: trustme.CA, host: str) -> ssl.SSLContext:
    """Its server wants a certificate of the client as well."""
    context = server_context(ca, host)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    return context


def _showing(leaf: trustme.LeafCert) -> ssl.SSLContext:
    return _loaded(_pem(leaf))


def _pem(leaf: trustme.LeafCert) -> str:
    return leaf.private_key_and_cert_chain_pem.bytes().decode()


def _loaded(pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        path.write_text(pem)
        context.load_cert_chain(path)
    return context
