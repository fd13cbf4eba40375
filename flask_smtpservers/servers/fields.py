"""The rules for the fields of a server: one place for form, API and command line, without a database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidServer, PasswordRequired
from ..i18n import gettext as _
from ..safe_text import has_bidi_controls
from .advice import advise
from .cleaning import BUILT_IN, Cleaning, FieldRules, FieldWarning, is_visible, name_key
from .credentials import clean_credentials
from .destination import clean_destination
from .mailboxes import check_address, split_mailbox
from .profile import FIELDS, SenderPolicy, ServerProfile
from .senders import clean_senders

__all__ = ["ALIASES", "Cleaned", "FieldRules", "FieldWarning", "clean", "name_key"]

#: Further names that are understood: Flask-Mail's kind of switches, and the box "it does begin or end with a blank".
ALIASES = ("use_ssl", "use_tls", "keep_password_blanks")

NAME_LENGTH = 100
NAME_KEY_LENGTH = 255
TEXT_LENGTH = 200
ADDRESS_LENGTH = 1000
TIMEOUT_SECONDS = (1.0, 120.0)
MOST_CONNECTIONS = 100

_TOKENS = frozenset({"{name}", "{address}", "{user}", "{app}", "{tenant}"})


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Fields that were found right.

    :param values: every field of the resulting server. ``password`` and ``client_key`` are there only if they change:
        a Secret to store, None to remove; ``password`` may also be a :class:`~.profile.StoredSecret` that names an
        environment variable. ``position`` is there only if it was given.
    :param notices: what was trimmed, split or written otherwise, as sentences.
    :param warnings: what is allowed but probably wrong.
    :param name_proposed: whether the name was made from the host, because none was given.
    """

    values: dict[str, Any]
    notices: tuple[str, ...] = ()
    warnings: tuple[FieldWarning, ...] = ()
    name_proposed: bool = False


def clean(fields: Mapping[str, Any], *, base: ServerProfile | None, rules: FieldRules) -> Cleaned:
    """Check, trim and complete the fields of a server.

    :param fields: some of :data:`~.profile.FIELDS` and :data:`ALIASES`. An absent one keeps the value of ``base``, or
        takes its default. ``password`` and ``client_key``: text or Secret sets, empty keeps, None removes.
    :param base: the server that is edited; None for a new one.
    :raises InvalidServer: with the sentences for *all* fields that are wrong.
    :raises PasswordRequired: the same, and the destination changed while the stored password was to be kept.
    """
    work = Cleaning(fields, base, rules)
    for name in fields:
        if name not in FIELDS and name not in ALIASES:
            work.error(str(name)[:NAME_LENGTH], _("A server has no such field."))
    clean_destination(work)
    _sender(work)
    _sender_format(work)
    _reply_to(work)
    clean_senders(work)
    _choices(work)
    proposed = _name(work)
    password_required = clean_credentials(work)
    if work.errors:
        raise (PasswordRequired if password_required else InvalidServer)(work.errors)
    advise(work)
    return Cleaned(work.values, tuple(dict.fromkeys(work.notices)), tuple(work.warnings), proposed)


def _name(work: Cleaning) -> bool:
    """Check the name; without one the host is proposed, and True returned."""
    name = work.text("name", "", NAME_LENGTH)
    if name is None:
        return False
    if has_bidi_controls(name):
        work.error("name", _("This must not hold signs that turn the direction of writing."))
    elif name and not is_visible(name):
        work.error("name", _("Nothing can be seen of this name."))
    elif name_key(name) == name_key(BUILT_IN):
        work.error("name", _("The app's own mail server is called “%(name)s”. Choose another name.", name=BUILT_IN))
    elif len(name_key(name)) > NAME_KEY_LENGTH:  # one sign may become 18 when its compatibility form is taken
        work.error("name", _("This is too long: %(limit)s characters are allowed.", limit=NAME_LENGTH))
    work.values["name"] = name or work.values.get("host", "")[:NAME_LENGTH]
    return not name


# -- who sends


def _sender(work: Cleaning) -> None:
    """Check address and display name; the address field also takes both: ``"Doe, John" <j@d.org>``."""
    text = work.text("address", "", ADDRESS_LENGTH)
    name = work.text("sender_name", "", TEXT_LENGTH)
    named_in = "sender_name"
    if text is not None:
        typed_name, address = split_mailbox(text)
        if typed_name and not (name and work.given("sender_name")):
            name, named_in = typed_name, "address"
        _address(work, "address", address)
    if name is not None:
        if has_bidi_controls(name):
            work.error(named_in, _("This must not hold signs that turn the direction of writing."))
        if work.one_line(named_in, name, TEXT_LENGTH):
            work.values["sender_name"] = name


def _reply_to(work: Cleaning) -> None:
    text = work.text("reply_to", "", ADDRESS_LENGTH)
    if text:
        _address(work, "reply_to", split_mailbox(text)[1])
    elif text is not None:
        work.values["reply_to"] = ""


def _address(work: Cleaning, name: str, text: str) -> None:
    try:
        checked = check_address(text)
    except ValueError as error:
        work.error(name, str(error))
        return
    work.values[name] = checked
    domain, ascii_domain = text.rpartition("@")[2], checked.rpartition("@")[2]
    if not domain.isascii():
        work.notice(
            _("The domain %(domain)s is stored in its ASCII form %(ascii)s.", domain=domain, ascii=ascii_domain)
        )


def _sender_format(work: Cleaning) -> None:
    template = work.text("sender_format", "{name}", TEXT_LENGTH)
    if template is None:
        return
    without_tokens = re.sub(r"\{[a-z]+\}", lambda token: "" if token[0] in _TOKENS else token[0], template)
    if "{" in without_tokens or "}" in without_tokens:
        work.error("sender_format", _("Only {name}, {address}, {user}, {app} and {tenant} can stand in braces."))
    if has_bidi_controls(template):
        work.error("sender_format", _("This must not hold signs that turn the direction of writing."))
    work.values["sender_format"] = template or "{name}"


# -- the rest


def _choices(work: Cleaning) -> None:
    work.values["sender_policy"] = work.choice(
        "sender_policy", SenderPolicy, work.kept("sender_policy", SenderPolicy.KEEP)
    )
    _timeout(work)
    _connections(work)
    for name, default in (("enabled", True), ("is_default", False), ("pipelining", True)):
        chosen = work.flag(name)
        work.values[name] = work.kept(name, default) if chosen is None else chosen
    _draft(work)
    provider = work.text("provider", "", 64) or ""
    if provider and re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", provider) is None:
        work.error("provider", _("This is not the id of a provider."))
    work.values["provider"] = provider
    _position(work)


def _draft(work: Cleaning) -> None:
    """Read whether it is a draft: one never sends, and whatever enables it makes it an ordinary server."""
    chosen = work.flag("draft")
    if chosen and work.flag("enabled"):
        work.error("draft", _("A draft does not send: choose either “draft” or “enabled”."))
    elif chosen:
        work.values["enabled"] = False
    stays = work.kept("draft", default=False) and not work.values["enabled"]
    work.values["draft"] = stays if chosen is None else chosen


def _timeout(work: Cleaning) -> None:
    given = work.fields.get("timeout_seconds")
    if given in (None, ""):
        work.values["timeout_seconds"] = work.kept("timeout_seconds", 10.0)
        return
    seconds = given if type(given) in (int, float) else None
    if isinstance(given, str) and re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", given.strip()):
        seconds = float(given)
    low, high = TIMEOUT_SECONDS
    if seconds is not None and low <= seconds <= high:  # neither NaN nor infinity
        work.values["timeout_seconds"] = float(seconds)
    else:
        work.error("timeout_seconds", _("The time-out is a number of seconds from 1 to 120."))


def _connections(work: Cleaning) -> None:
    given = work.fields.get("max_connections")
    if given is None:
        work.values["max_connections"] = work.kept("max_connections", 0)
        return
    text = str(given).strip() or "0"
    if not isinstance(given, bool) and re.fullmatch(r"[0-9]{1,3}", text) and int(text) <= MOST_CONNECTIONS:
        work.values["max_connections"] = int(text)
    else:
        work.error("max_connections", _("A number from 1 to %(most)s, or nothing.", most=MOST_CONNECTIONS))


def _position(work: Cleaning) -> None:
    given = work.fields.get("position")
    if given in (None, ""):
        return
    text = str(given) if type(given) is int else given
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,9}", text):
        work.values["position"] = int(text)
    else:
        work.error("position", _("The position is a whole number from 0."))
