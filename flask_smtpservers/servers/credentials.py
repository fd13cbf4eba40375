"""The fields that are secret or prove something: password, certificates, private key."""

from __future__ import annotations

import re
from datetime import timedelta

from ..i18n import gettext as _
from ..safe_text import BLANKS, has_controls
from ..secret import Secret
from ..smtp.certificates import check_key_pair, check_pem_bundle
from ..smtp.endpoint import Security
from ..smtp.pinning import canonical_fingerprint
from .cleaning import Cleaning, FieldWarning
from .profile import DESTINATION_FIELDS, ServerProfile, StoredSecret

PASSWORD_LENGTH = 4096
PEM_LENGTH = 256 * 1024
FINGERPRINT_LENGTH = 200
EXPIRES_SOON = timedelta(days=30)

_REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]{0,254})")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def clean_credentials(work: Cleaning) -> bool:
    """Check certificates and password, and whether they go with the rest.

    :returns: whether a stored password must be given again, because the destination changed.
    """
    _certificates(work)
    _password(work)
    if "username" not in work.values:
        return False
    username: str = work.values["username"]
    if username and work.values.get("security") is Security.NONE and not work.rules.allow_plaintext_auth:
        work.error(
            "security", _("Without encryption this would send the password unencrypted: choose SSL or STARTTLS.")
        )
    return _consistent(work, username)


def keeps_password(work: Cleaning) -> bool:
    """Say whether the stored password stays as it is."""
    return work.base is not None and work.base.password is not None and "password" not in work.values


def _consistent(work: Cleaning, username: str) -> bool:
    """Compare user name, password and destination."""
    if "password" in work.errors:
        return False
    kept = keeps_password(work)
    if not username:
        if work.values.get("password") is not None:
            work.error("username", _("A password needs a user name."))
        elif kept:
            work.values["password"] = None
            work.notice(_("The stored password was removed, because a server without user name needs none."))
        return False
    changed = _changed_destination(work, work.base) if kept and work.base is not None else []
    if changed == ["auth_mechanism"]:
        work.error("password", _("The password would go out in another way than before, so it must be entered again."))
        return True
    if changed == ["certificate_fingerprint"]:
        work.error("password", _("It would be sent to another certificate than before, so it must be entered again."))
        return True
    if changed:
        work.error("password", _("The password would go to another place than before, so it must be entered again."))
        return True
    removed = "password" in work.fields and work.fields["password"] is None
    if not kept and work.values.get("password") is None and not removed:
        work.error("password", _("Enter the password for this user name, or leave both empty."))
    return False


def _changed_destination(work: Cleaning, base: ServerProfile) -> list[str]:
    return [name for name in DESTINATION_FIELDS if name in work.values and work.values[name] != getattr(base, name)]


# -- the password


def _password(work: Cleaning) -> None:
    given = work.fields.get("password", "")
    if given is None:
        if work.base is not None and work.base.password is not None:
            work.values["password"] = None
        return
    if not isinstance(given, (str, Secret)):
        work.error("password", _("This must be a text."))
        return
    text = given.reveal() if isinstance(given, Secret) else given
    if not text and work.pasted is not None and work.pasted.password is not None:
        text = work.pasted.password.reveal()
    if not text:
        return
    if work.rules.operator and text.strip(BLANKS).startswith("env:"):
        _reference(work, text.strip(BLANKS))
        return
    typed = _typed(work, text)
    if typed is not None:
        work.values["password"] = typed


def _reference(work: Cleaning, text: str) -> None:
    match = _REFERENCE.fullmatch(text)
    if match is None:
        work.error("password", _("After env: comes the name of an environment variable, such as env:SMTP_PASSWORD."))
    else:
        work.values["password"] = StoredSecret(environment=match[1])


def _typed(work: Cleaning, text: str) -> Secret | None:
    if not work.flag("keep_password_blanks"):
        trimmed = text.strip(BLANKS)
        if not trimmed:
            work.error("password", _("The password consists of blanks only."))
            return None
        if trimmed != text:
            work.notice(_("Blanks around the password were removed. Tick the box beside it if they belong to it."))
        text = _without_groups(work, trimmed)
    if has_controls(text):
        work.error("password", _("The password holds a line break or another control character; enter it again."))
        return None
    if len(text) > PASSWORD_LENGTH:
        work.error("password", _("This is too long: %(limit)s characters are allowed.", limit=PASSWORD_LENGTH))
        return None
    return Secret(text)


def _without_groups(work: Cleaning, text: str) -> str:
    """Join an app password that was pasted as it is shown, ``abcd efgh ijkl mnop``; the server wants the letters."""
    provider = work.rules.catalog.provider_of_host(work.values.get("host", ""), work.values.get("address", ""))
    joined = provider.tidy_password(text) if provider is not None else text
    if joined != text:
        work.notice(_("The blanks between the groups of the app password were removed."))
    return joined


# -- certificates


def _certificates(work: Cleaning) -> None:
    authority = _pem(work, "ca_certificate")
    if authority is not None:
        if authority and authority != work.kept("ca_certificate", ""):
            try:
                check_pem_bundle(authority)
            except ValueError as error:
                work.error("ca_certificate", str(error))
        work.values["ca_certificate"] = authority
    _fingerprint(work)
    certificate = _pem(work, "client_certificate")
    if certificate is not None:
        work.values["client_certificate"] = certificate
        _client_key(work, certificate)


def _fingerprint(work: Cleaning) -> None:
    given = work.fields.get("certificate_fingerprint", work.kept("certificate_fingerprint", "")) or ""
    if not isinstance(given, str):
        work.error("certificate_fingerprint", _("This must be a text."))
        return
    try:
        fingerprint = canonical_fingerprint(given[:FINGERPRINT_LENGTH]) if given.strip(BLANKS) else ""
    except ValueError as error:
        work.error("certificate_fingerprint", str(error))
        return
    host, address = work.values.get("host", ""), work.values.get("address", "")
    owner = work.rules.catalog.provider_of_host(host, address)
    same = work.base is not None and (work.base.host, work.base.certificate_fingerprint) == (host, fingerprint)
    if fingerprint and not same and owner is not None and owner.is_public:
        work.error(
            "certificate_fingerprint",
            _(
                "%(provider)s shows certificates that everybody trusts, so none of its own is trusted here: another "
                "one would be somebody else's.",
                provider=owner.name,
            ),
        )
        return
    work.values["certificate_fingerprint"] = fingerprint


def _pem(work: Cleaning, name: str) -> str | None:
    """Read a certificate in PEM form; None if it is wrong and was complained of."""
    if name not in work.fields:
        return str(work.kept(name, ""))
    given = work.fields[name]
    if given is not None and not isinstance(given, str):
        work.error(name, _("This must be a text."))
        return None
    text = (given or "").replace("\r\n", "\n").strip(BLANKS)
    if _PRIVATE_KEY.search(text):
        work.error(name, _("This holds a private key, which does not belong here; nothing of it was stored."))
        return None
    if len(text) > PEM_LENGTH:
        work.error(name, _("This is too long: %(limit)s characters are allowed.", limit=PEM_LENGTH))
        return None
    return f"{text}\n" if text else ""


def _client_key(work: Cleaning, certificate: str) -> None:
    given = work.fields.get("client_key", "")
    if given is not None and not isinstance(given, (str, Secret)):
        work.error("client_key", _("This must be a text."))
        return
    text = (given.reveal() if isinstance(given, Secret) else given or "").replace("\r\n", "\n").strip(BLANKS)
    stored = work.base is not None and work.base.client_key is not None
    if not certificate:
        if text:
            work.error("client_certificate", _("The private key needs its certificate."))
        elif stored:
            work.values["client_key"] = None
    elif text:
        _pair(work, certificate, Secret(f"{text}\n"))
    elif given is None or not stored:
        work.error("client_key", _("The client certificate needs its private key."))
    elif certificate != work.kept("client_certificate", ""):
        work.error("client_key", _("The client certificate changed, so its private key must be given again."))


def _pair(work: Cleaning, certificate: str, key: Secret) -> None:
    now = work.rules.clock()
    try:
        expiry = check_key_pair(certificate, key, now=now)
    except ValueError as error:
        work.error("client_key", str(error))
        return
    work.values["client_key"] = key
    if expiry - now < EXPIRES_SOON:
        text = _("The client certificate expires on %(date)s.", date=expiry.date().isoformat())
        work.warnings.append(FieldWarning("client_certificate", text))
