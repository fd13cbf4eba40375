"""A failure in neutral values, so that the rules need not know which library raised what."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property

from ..findings import Stage
from ..providers.provider import Provider
from ..smtp.endpoint import Security
from .context import Context
from .kind import KINDS, STAGES, Kind, kind_of_words
from .wording import enhanced_in, unwrapped, without_links


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """What is seen of a failure.

    :param stage: where it showed, which is not always where it belongs; None if not known.
    :param kind: how it failed.
    :param code: the reply code.
    :param enhanced: the enhanced status code, or empty.
    :param text: the words, as :func:`~.wording.unwrapped` leaves them.
    :param verify_code: OpenSSL's X509_V_ERR number, 0 if none.
    :param sentence: our own sentence about it, to show, not to match: it is in the reader's language.
    :param wanted: the sign-in method that the settings name, if it is not offered.
    :param offered: the sign-in methods that are offered, if none of them is used.
    :param resolver_failed: whether name resolution itself failed, not just this name.
    """

    stage: Stage | None
    kind: Kind
    text: str
    context: Context
    code: int | None = None
    enhanced: str = ""
    verify_code: int = 0
    sentence: str = ""
    wanted: str = ""
    offered: tuple[str, ...] = ()
    resolver_failed: bool = False

    @cached_property
    def words(self) -> str:
        """The text without web and mail addresses."""
        return without_links(self.text)

    def says(self, pattern: str | re.Pattern[str]) -> bool:
        """Tell whether the words, without web and mail addresses, match a pattern."""
        return re.search(pattern, self.words) is not None

    def shows(self, pattern: str | re.Pattern[str]) -> bool:
        """Tell whether the whole text, links and all, matches a pattern."""
        return re.search(pattern, self.text) is not None

    def at(self, *stages: Stage) -> bool:
        """Tell whether it showed at one of ``stages``; an unknown stage is none of them."""
        return self.stage in stages

    @property
    def transient(self) -> bool:
        """Whether the server called it temporary (4xx)."""
        return 400 <= self.code < 500 if self.code is not None else self.enhanced.startswith("4.")

    @property
    def permanent(self) -> bool:
        """Whether the server called it lasting (5xx), or refused without a code that is known."""
        return self.code >= 500 if self.code is not None else self.kind is Kind.REPLY and not self.transient

    @property
    def security(self) -> Security | None:
        """The encryption that was set."""
        return self.context.security

    @cached_property
    def provider(self) -> Provider | None:
        """The provider whose server it is, by its settings or else by its own marks in the reply."""
        owner = self.context.known_provider
        marked = next((provider_id for provider_id, marks in _MARKS if self.shows(marks)), "")
        return owner if owner is not None else self.context.catalog.provider(marked)

    @property
    def service(self) -> str:
        """The family of :attr:`provider`: those that behave alike have one name; empty if it is not known."""
        return _FAMILIES.get(self.provider.id, self.provider.id) if self.provider else ""


#: Providers that behave alike.
_FAMILIES = {
    "google-workspace": "gmail",
    "google-workspace-relay": "google-relay",
    "microsoft365-gov": "microsoft365",
    "microsoft365-china": "microsoft365",
    "hotmail": "outlook",
    "aol": "yahoo",
    "att": "yahoo",
    "sky": "yahoo",
    "netease-163": "netease",
    "netease-126": "netease",
    "netease-yeah": "netease",
    "gmx-net": "gmx",
    "gmx-com": "gmx",
    "webde": "gmx",
    "mailcom": "gmx",
}

#: What only the servers of one provider say.
_MARKS = (
    ("gmail", r"\bgsmtp\b|support\.google\.com"),
    ("microsoft365", r"\.prod\.outlook\.com|5\.7\.139|5\.7\.57\b"),
    ("yahoo", r"#auth\d+|#mbr\d+"),
    ("mail-ru", r"help\.mail\.ru"),
    ("qq", r"service\.mail\.qq\.com"),
    ("netease-163", r"help\.163\.com|mail\.163\.com"),
)


def symptom_of(error: BaseException, context: Context, stage: Stage | None = None) -> Symptom:
    """Describe an exception: one of this package, or one of smtplib, ssl or socket.

    :param stage: where it was raised, if the error does not say.
    """
    names = [base.__name__ for base in type(error).__mro__]
    text = unwrapped(_words_of(error))
    code = _number(error, "code", "smtp_code") or _recipient_code(error)
    return Symptom(
        stage=getattr(error, "stage", None) or stage or next((STAGES[name] for name in names if name in STAGES), None),
        kind=_kind(error, names, text, code),
        text=text,
        context=context,
        code=code,
        enhanced=getattr(error, "enhanced", None) or enhanced_in(text),
        verify_code=getattr(error, "verify_code", 0) or 0,
        sentence=getattr(error, "text", ""),
        wanted=getattr(error, "wanted", ""),
        offered=getattr(error, "offered", ()),
        resolver_failed=getattr(error, "resolver_failed", False),
    )


def _kind(error: BaseException, names: list[str], text: str, code: int | None) -> Kind:
    kind = next((KINDS[name] for name in names if name in KINDS), Kind.OTHER)
    if "ProtocolError" in names and not getattr(error, "disconnected", False) and (code is None or code < 400):
        return Kind.GARBLED
    if kind is Kind.CLOSED and code is not None:
        return Kind.REPLY
    if "MessageRefused" in names or ("AuthenticationFailed" in names and code is None):
        return Kind.UNFIT
    number = getattr(error, "errno", None)
    # An SSLError's own number is OpenSSL's unless ours took it over from the socket.
    if kind is Kind.OTHER or (kind is Kind.TLS and "TLSFailed" in names):
        kind = _KIND_OF_ERRNO.get(number or 0, kind)
    if kind is Kind.OTHER and "ConnectionFailed" in names:
        return kind_of_words(text, Kind.UNREACHABLE)
    return kind if kind is not Kind.OTHER else kind_of_words(text)


#: POSIX and Windows numbers of EPERM, EACCES, ECONNRESET, ECONNREFUSED.
_KIND_OF_ERRNO = {
    1: Kind.FORBIDDEN,
    13: Kind.FORBIDDEN,
    10013: Kind.FORBIDDEN,
    54: Kind.CLOSED,
    104: Kind.CLOSED,
    10054: Kind.CLOSED,
    61: Kind.REFUSED,
    111: Kind.REFUSED,
    10061: Kind.REFUSED,
}


def _words_of(error: BaseException) -> str:
    """Give the server's words, else the system's; our own sentences would be in the reader's language."""
    words = getattr(error, "reply", "") or getattr(error, "smtp_error", "") or _recipient_words(error)
    if isinstance(words, bytes):
        words = words.decode("utf-8", "replace")
    if not words and hasattr(error, "stage"):
        number = getattr(error, "errno", None)
        words = os.strerror(number) if number and number > 0 else ""
    elif not words:
        words = str(error)
    return f"{getattr(error, 'tls_reason', '')} {words}"


def _recipient_words(error: BaseException) -> bytes:
    recipients = getattr(error, "recipients", None)
    return bytes(next(iter(recipients.values()))[1]) if recipients else b""


def _recipient_code(error: BaseException) -> int | None:
    recipients = getattr(error, "recipients", None)
    return int(next(iter(recipients.values()))[0]) if recipients else None


def _number(error: BaseException, *names: str) -> int | None:
    for name in names:
        value = getattr(error, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None
