"""One pass over typed fields: what is right, what is wrong, what was changed in passing."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from ..config import Settings
from ..i18n import N_
from ..i18n import gettext as _
from ..providers.catalog import Catalog, packaged
from ..safe_text import BLANKS, has_controls
from ..smtp.guard import Guard
from ..smtp.hostname import host_error
from .pasted import Pasted
from .profile import ServerProfile

#: How the app's own ``MAIL_*`` server is called; no other may be.
BUILT_IN = "Built-in"

Choice = TypeVar("Choice", bound=StrEnum)

_FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

#: Default_Ignorable_Code_Point (Unicode DerivedCoreProperties): signs that are shown as nothing.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

#: What is said when blanks were taken off the ends of a field.
TRIMMED = {
    "name": N_("Blanks around the name were removed."),
    "host": N_("Blanks around the server were removed."),
    "port": N_("Blanks around the port were removed."),
    "username": N_("Blanks around the user name were removed."),
    "address": N_("Blanks around the sending address were removed."),
    "sender_name": N_("Blanks around the sender name were removed."),
    "reply_to": N_("Blanks around the address for replies were removed."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRules:
    """What the rules depend on besides the fields.

    :param allow_plaintext_auth: whether the operator lets a password travel without TLS.
    :param operator: whether the fields come from config or the command line, where ``env:NAME`` is a reference.
    :param host_error: says why a text is no host name; None if it is one.
    :param catalog: the providers that the app knows.
    :param clock: the time now, in UTC.
    """

    allow_plaintext_auth: bool = False
    operator: bool = False
    host_error: Callable[[str], str | None] = host_error
    catalog: Catalog = dataclasses.field(default_factory=packaged)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def of(
        cls,
        settings: Settings,
        catalog: Catalog | None = None,
        *,
        operator: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> FieldRules:
        """Take the rules from the operator's settings."""
        guard = Guard(settings.allowed_networks, settings.allowed_hosts)
        error = partial(host_error, allowed_hosts=guard.allowed_hosts, allow_localhost=guard.allows_loopback)
        rules = cls(
            allow_plaintext_auth=settings.allow_plaintext_auth,
            operator=operator,
            host_error=error,
            catalog=catalog or packaged(),
        )
        return rules if clock is None else dataclasses.replace(rules, clock=clock)


@dataclass(frozen=True, slots=True)
class FieldWarning:
    """Something that is allowed but probably wrong.

    :param field: the field that it stands beside.
    :param correction: fields and values that put it right with one click; empty if none is known.
    """

    field: str
    text: str
    correction: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass
class Cleaning:
    """The fields as they were given, and what has been found so far."""

    fields: Mapping[str, Any]
    base: ServerProfile | None
    rules: FieldRules
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    errors: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    notices: list[str] = dataclasses.field(default_factory=list)
    warnings: list[FieldWarning] = dataclasses.field(default_factory=list)
    pasted: Pasted | None = None

    def error(self, name: str, sentence: str) -> None:
        """Say that a field is wrong."""
        self.errors.setdefault(name, []).append(sentence)

    def notice(self, sentence: str) -> None:
        """Say that something was changed in passing."""
        self.notices.append(sentence)

    def given(self, name: str) -> bool:
        """Say whether a field came with a value."""
        return self.fields.get(name) not in (None, "")

    def kept(self, name: str, default: Any) -> Any:
        """Return the value that an absent field keeps."""
        return default if self.base is None else getattr(self.base, name)

    def trim(self, name: str, text: str) -> str:
        """Take blanks off the ends, with a notice."""
        trimmed = text.strip(BLANKS)
        if trimmed != text and name in TRIMMED:
            self.notice(_(TRIMMED[name]))
        return trimmed

    def text(self, name: str, default: str, limit: int) -> str | None:
        """Read one line of text; None if it is wrong and was complained of."""
        if name not in self.fields:
            return str(self.kept(name, default))
        given = self.fields[name]
        if given is None:
            return ""
        if not isinstance(given, str):
            self.error(name, _("This must be a text."))
            return None
        text = self.trim(name, given)
        return text if self.one_line(name, text, limit) else None

    def one_line(self, name: str, text: str, limit: int) -> bool:
        """Complain of control characters and of too long a text."""
        if has_controls(text):
            self.error(name, _("This must be one line without control characters."))
        elif len(text) > limit:
            self.error(name, _("This is too long: %(limit)s characters are allowed.", limit=limit))
        else:
            return True
        return False

    def flag(self, name: str) -> bool | None:
        """Read a switch; None if it is absent, or wrong and was complained of."""
        if name not in self.fields:
            return None
        given = self.fields[name]
        word = "" if given is None else str(given).strip().lower()
        if word and word not in _FLAGS:
            self.error(name, _("This must be yes or no."))
            return None
        return _FLAGS.get(word, False)

    def choice(self, name: str, kind: type[Choice], default: Choice | None) -> Choice | None:
        """Read one of a closed list of words; None if it is wrong and was complained of."""
        given = self.fields.get(name)
        if given in (None, ""):
            return default
        try:
            return kind(str(given).strip().lower())
        except ValueError:
            self.error(name, _("Choose one of: %(choices)s.", choices=", ".join(kind)))
            return None


def name_key(name: str) -> str:
    """Give the form under which names are compared.

    Upper and lower case, and wide and narrow letters, are the same; signs that nobody sees do not count.
    """
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", name)).casefold()


def is_visible(name: str) -> bool:
    """Say whether there is anything to be seen of a name."""
    return bool(name_key(name).replace("\u2800", "").strip())  # U+2800 is Braille without dots
