"""The form of a server: what was typed, where a message stands, and what becomes of it. Its rules live in ``servers/``.

The only module that knows WTForms. It is used to read and keep input; it validates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, Form, HiddenField, PasswordField, StringField, TextAreaField

from ..i18n import N_
from ..i18n import gettext as _
from ..secret import Secret
from ..servers.mailboxes import format_mailbox, split_mailbox
from ..servers.pasted import Pasted, split_host
from ..servers.profile import ForeignSender, SenderPolicy, ServerProfile
from ..smtp.endpoint import Security

#: What each field is called on the page, in the list of errors, and in the comparison of two versions.
LABELS = {
    "provider": N_("Mail provider"),
    "name": N_("Name"),
    "send_as": N_("Send as"),
    "ssl": N_("Enable SSL"),
    "encryption": N_("Encryption without SSL"),
    "host": N_("Server"),
    "port": N_("Port"),
    "username": N_("User name"),
    "smtp_secret": N_("Password"),
    "sender_format": N_("Sender name format"),
    "sender_policy": N_("When a mail names another sender"),
    "allowed_senders": N_("May also send as"),
    "foreign_sender": N_("When a sender is none of these"),
    "reply_to": N_("Replies go to"),
    "timeout_seconds": N_("Time-out in seconds"),
    "auth_mechanism": N_("Sign-in method"),
    "max_connections": N_("Connections at once"),
    "pipelining": N_("Send several commands at once"),
    "ca_certificate": N_("Certificate of your own authority"),
    "certificate_fingerprint": N_("Fingerprint of the server's certificate"),
    "client_certificate": N_("Client certificate"),
    "client_key": N_("SSL key"),
    "enabled": N_("Use this server for sending"),
    "is_default": N_("Default server"),
    "recipient": N_("Send a test message to"),
}

#: The fields that stand below "Advanced".
ADVANCED = (
    "reply_to",
    "timeout_seconds",
    "auth_mechanism",
    "max_connections",
    "pipelining",
    "ca_certificate",
    "certificate_fingerprint",
    "client_certificate",
    "client_key",
)

#: The fields that stand below "Mail from other senders".
SENDERS = ("sender_policy", "allowed_senders", "foreign_sender")

#: A scheme, and everything up to the last ``@`` after it: what stands there may be ``user:password``.
_CREDENTIALS = re.compile(r"(?P<scheme>\s*[A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)

#: The longest sending address with its name that is looked at.
_ADDRESS_LENGTH = 1000

#: Fields whose text is in no page.
_NEVER_SHOWN = ("smtp_secret", "client_key")

#: Which field of the page shows the message for a field of a server.
_PLACES = {
    "address": "send_as",
    "sender_name": "send_as",
    "security": "ssl",
    "password": "smtp_secret",
    "position": "name",
}


class ServerForm(Form):
    """The fields of the page. Text stays as it was typed until ``servers.fields`` has read it."""

    provider = StringField(default="")
    name = StringField(default="")
    send_as = StringField(default="")
    ssl = BooleanField(default=True)
    encryption = StringField(default=str(Security.STARTTLS))
    host = StringField(default="")
    port = StringField(default="465")
    followed = HiddenField(default="ssl:465")
    username = StringField(default="")
    smtp_secret = PasswordField(default="")
    keep_blanks = BooleanField(default=False)
    sender_format = StringField(default="{name}")
    reply_to = StringField(default="")
    timeout_seconds = StringField(default="10")
    auth_mechanism = StringField(default="")
    max_connections = StringField(default="")
    pipelining = BooleanField(default=True)
    sender_policy = StringField(default=str(SenderPolicy.KEEP))
    allowed_senders = TextAreaField(default="")
    foreign_sender = StringField(default=str(ForeignSender.KEEP))
    ca_certificate = TextAreaField(default="")
    certificate_fingerprint = TextAreaField(default="")
    client_certificate = TextAreaField(default="")
    client_key = TextAreaField(default="")
    remove_client_key = BooleanField(default=False)
    enabled = BooleanField(default=True)
    is_default = BooleanField(default=False)
    recipient = StringField(default="")
    region = StringField(default="")
    draft = HiddenField(default="")
    version = HiddenField(default="")
    save_as = HiddenField(default="")

    @classmethod
    def empty(cls, *, recipient: str, is_default: bool) -> ServerForm:
        """Return the form for a new server."""
        return cls(data={"recipient": recipient, "is_default": is_default})

    @classmethod
    def of(cls, profile: ServerProfile, *, sender: str, recipient: str) -> ServerForm:
        """Return the form filled with a stored server; secrets stay where they are.

        :param sender: the sending address with its name, as one text.
        """
        ssl = profile.security is Security.SSL
        usual = profile.port == profile.security.usual_port
        return cls(
            data={
                "provider": profile.provider,
                "name": profile.name,
                "send_as": sender,
                "ssl": ssl,
                "encryption": str(Security.STARTTLS if ssl else profile.security),
                "host": profile.host,
                "port": str(profile.port),
                "followed": f"{profile.security}:{profile.port}" if usual else "",
                "username": profile.username,
                "sender_format": profile.sender_format,
                "reply_to": profile.reply_to,
                "timeout_seconds": f"{profile.timeout_seconds:g}",
                "auth_mechanism": profile.auth_mechanism,
                "max_connections": str(profile.max_connections or ""),
                "pipelining": profile.pipelining,
                "sender_policy": str(profile.sender_policy),
                "allowed_senders": "\n".join(profile.allowed_senders),
                "foreign_sender": str(profile.foreign_sender),
                "ca_certificate": profile.ca_certificate,
                "certificate_fingerprint": profile.certificate_fingerprint,
                "client_certificate": profile.client_certificate,
                "enabled": profile.enabled,
                "is_default": profile.is_default,
                "recipient": recipient,
                "version": str(profile.version),
            }
        )

    @classmethod
    def posted(cls, values: MultiDict[str, str]) -> ServerForm:
        """Return the form as it was sent."""
        return cls(values)

    # -- what it says
    @property
    def security(self) -> str:
        """The encryption that is chosen; the text may be none of ours, the rules will say so."""
        return str(Security.SSL) if self.ssl.data else self.text("encryption")

    def text(self, name: str) -> str:
        """Return what stands in a field, as a text."""
        value = self[name].data
        return value if isinstance(value, str) else ""

    def fields(self) -> dict[str, Any]:
        """Return the server's fields as the rules want them. Secrets are in it only if they were typed."""
        values: dict[str, Any] = {
            name: self.text(name)
            for name in (
                "name",
                "provider",
                "host",
                "port",
                "username",
                "sender_format",
                "sender_policy",
                "allowed_senders",
                "foreign_sender",
                "reply_to",
                "timeout_seconds",
                "auth_mechanism",
                "max_connections",
                "ca_certificate",
                "certificate_fingerprint",
                "client_certificate",
            )
        }
        values["address"] = self.text("send_as")
        values["security"] = self.security
        values["pipelining"] = bool(self.pipelining.data)
        values["enabled"] = bool(self.enabled.data)
        values["is_default"] = bool(self.is_default.data)
        if self.remove_client_key.data:
            values["client_key"] = None
        match self.text("save_as"):
            case "draft":
                values["draft"], values["enabled"] = True, False
            case "active":
                values["enabled"] = True
        return values

    def secrets(self) -> dict[str, Secret]:
        """Return the secrets that were typed, by the name of the server's field."""
        pasted = self._pasted()
        password = self.text("smtp_secret")
        if not password and pasted is not None and pasted.password is not None:
            password = pasted.password.reveal()
        typed = {"password": password, "client_key": self.text("client_key")}
        return {name: Secret(text) for name, text in typed.items() if text.strip()}

    @property
    def address(self) -> str:
        """The sending address, without its name; empty if there is none."""
        return split_mailbox(self.text("send_as")[:_ADDRESS_LENGTH])[1]

    def plain_host(self) -> str:
        """Return the text of the host field without anything that may be a user name and a password."""
        host = self.text("host")
        return _CREDENTIALS.sub(lambda found: found["scheme"] or "", host, count=1) if "@" in host else host

    def holds_private_key(self, name: str) -> bool:
        """Say whether a private key stands in a field."""
        return "PRIVATE KEY" in self.text(name)

    def _pasted(self) -> Pasted | None:
        """Take a pasted ``smtp://user:password@host`` apart; None if the field holds no credentials."""
        if "@" not in self.text("host"):
            return None
        try:
            return split_host(self.text("host").strip())
        except ValueError:
            return None

    # -- what happens to it
    def set(self, name: str, value: object) -> None:
        """Put ``value`` into a field."""
        self[name].data = value

    def secure_with(self, security: str) -> None:
        """Choose an encryption."""
        self.set("ssl", security == Security.SSL)
        if security != Security.SSL:
            self.set("encryption", security)

    def use_port(self, port: int) -> None:
        """Put in a port that goes with the chosen encryption, and let it follow when that changes."""
        self.set("port", str(port))
        self.set("followed", f"{self.security}:{port}")

    def follow_encryption(self) -> str:
        """Change a port that we proposed when the encryption was changed and the port was not.

        :return: a sentence that says so, or empty.
        """
        security, _colon, port = self.text("followed").partition(":")
        if not port or self.text("port").strip() != port or self.security == security:
            return ""
        try:
            usual = Security(self.security).usual_port
        except ValueError:
            return ""
        self.use_port(usual)
        if str(usual) == port:
            return ""
        return _("The port was changed to %(port)s to go with the encryption.", port=usual)

    def hide_secrets(self) -> None:
        """Take out secrets that stand in fields which are shown again: a pasted URL, a key among certificates."""
        pasted = self._pasted()
        if pasted is not None and not self.text("username").strip():
            self.set("username", pasted.username)
        self.set("host", self.plain_host())
        for name in self._fields:
            if name not in _NEVER_SHOWN and self.holds_private_key(name):
                self.set(name, "")

    def correct(self, correction: Mapping[str, Any]) -> None:
        """Apply a correction that was proposed beside a field."""
        if "security" in correction:
            self.secure_with(str(correction["security"]))
        if "port" in correction:
            self.use_port(int(correction["port"]))
        if "address" in correction:
            self.set("send_as", format_mailbox(split_mailbox(self.text("send_as"))[0], str(correction["address"])))
        if "keep_password_blanks" in correction:
            self.set("keep_blanks", value=False)
        for name in ("host", "username"):
            if name in correction:
                self.set(name, str(correction[name]))

    def correctable(self) -> list[tuple[str, str]]:
        """Return what a correction may have changed: the name of each control and its value, a switch as 1 or 0."""
        names = ("ssl", "encryption", "port", "followed", "host", "username", "send_as", "keep_blanks", "draft")
        values = ((name, self[name].data) for name in (*names, "certificate_fingerprint"))
        return [(name, str(int(value)) if isinstance(value, bool) else str(value or "")) for name, value in values]

    # -- what is wrong with it
    def place(self, errors: Mapping[str, Sequence[str]]) -> None:
        """Put each sentence beside its field."""
        for name, sentences in errors.items():
            field = self[place_of(name)] if place_of(name) in self else self["name"]
            field.errors = [*field.errors, *sentences]

    @property
    def faulty(self) -> list[Field]:
        """The fields with a message, in the order of the page."""
        return [self[name] for name in LABELS if self[name].errors]

    @property
    def advanced_open(self) -> bool:
        """Whether "Advanced" holds something that must be seen."""
        return self._holds_something(ADVANCED)

    @property
    def senders_open(self) -> bool:
        """Whether "Mail from other senders" holds something that must be seen."""
        return self._holds_something(SENDERS)

    def _holds_something(self, names: Iterable[str]) -> bool:
        plain = self.__class__()
        return any(self[name].errors or self[name].data != plain[name].data for name in names)


def whole(text: str, digits: int) -> int | None:
    """Read a whole number of at most so many plain digits; None if it is none."""
    return int(text) if re.fullmatch(rf"[0-9]{{1,{digits}}}", text) else None


def place_of(field: str) -> str:
    """Return the field of the page that shows what concerns a field of a server."""
    return _PLACES.get(field, field)


def labels(names: Iterable[str] = LABELS) -> dict[str, str]:
    """Return the labels in the language being spoken."""
    return {name: _(LABELS[name]) for name in names}
