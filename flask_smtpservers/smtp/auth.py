"""Signing in: AUTH PLAIN and AUTH LOGIN (RFC 4954, RFC 4616), one attempt with one mechanism.

The password, and whatever it is encoded into, lives only in frames that are gone when an exception leaves this module,
so that no traceback, log or error tracker can show it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Iterator
from urllib.parse import quote, quote_plus

from ..errors import AuthenticationFailed, NotOffered, SendError
from ..findings import Stage
from ..i18n import gettext as _
from ..secret import Secret
from .reply import Reply, printable
from .transcript import MASK

#: Our mechanisms, the better first. PLAIN takes one round trip; both show the password to the server alike.
MECHANISMS = ("PLAIN", "LOGIN")

#: The shortest beginning of an encoded secret that is masked in a reply: servers cut what they quote.
_SHORTEST_PREFIX = 8

#: ``exchange(line, shown, scrub)`` sends ``line``, which the transcript shows as ``shown``, and returns the reply with
#: ``scrub`` applied to each of its lines.
Exchange = Callable[[str, str, Callable[[str], str]], Reply]


def choose_mechanism(offered: Collection[str]) -> str:
    """Return the mechanism to use.

    :param offered: the parameters of the server's AUTH keyword.
    :raises NotOffered: the server offers none that we know.
    """
    for mechanism in MECHANISMS:
        if mechanism in offered:
            return mechanism
    names = ", ".join(sorted(offered)) or _("none")
    text = _("The server offers no way of signing in that is supported here; it offers: %(names)s.", names=names)
    raise NotOffered(text, stage=Stage.AUTH)


def credentials_error(username: str, password: Secret | None) -> str | None:
    """Say why these credentials cannot be sent; None if they can."""
    if password is None:
        return _("There is a user name but no password.")
    if any(_is_unfit(character) for character in username + password.reveal()):
        return _("The user name or the password holds a control character.")
    return None


def _is_unfit(character: str) -> bool:
    """Control characters, and halves of surrogate pairs, which have no encoding."""
    return ord(character) < 32 or ord(character) == 127 or "\ud800" <= character <= "\udfff"


def authenticate(exchange: Exchange, mechanism: str, username: str, password: Secret | None) -> None:
    """Sign in, once.

    :param exchange: sends one line and returns the reply.
    :param mechanism: one of :data:`MECHANISMS`.
    :raises AuthenticationFailed: the server did not accept (its words are scrubbed of the password), or the credentials
        cannot be sent at all; then nothing was.
    :raises SendError: the connection failed meanwhile.
    """
    error = credentials_error(username, password)
    if error or password is None:
        raise AuthenticationFailed(error or "", stage=Stage.AUTH, permanent=True)
    outcome = _attempt(exchange, mechanism, username, password)
    if isinstance(outcome, BaseException):
        raise outcome
    if outcome.code != 235:
        raise _refused(outcome)


def _refused(reply: Reply) -> AuthenticationFailed:
    if reply.intermediate:
        text = _("The server asked for more than a user name and a password.")
    elif reply.transient:
        text = _("The server could not check the user name and password now.")
    else:
        text = _("The server did not accept the user name and password.")
    return AuthenticationFailed(
        text,
        stage=Stage.AUTH,
        code=reply.code,
        enhanced=reply.enhanced,
        reply=reply.excerpt,
        permanent=not reply.transient,
    )


def _attempt(exchange: Exchange, mechanism: str, username: str, password: Secret) -> Reply | BaseException:
    """Do the rounds; an exception is returned, not raised, without the frames and the context that know the secret."""
    scrub = _Scrubber(username, password.reveal())
    try:
        reply: Reply | None = None
        for line, shown in _lines(mechanism, username, password.reveal()):
            if reply is None or reply.code == 334:
                reply = exchange(line, shown, scrub)
    except SendError as error:
        error.reply = scrub(error.reply)
        error.smtp_error = error.reply.encode("ascii", "replace")
        return _stripped(error)
    except Exception as error:  # noqa: BLE001 - a bug of ours: its arguments may hold anything, so only its kind is told
        return RuntimeError(f"signing in failed with {type(error).__name__}")
    except BaseException as error:  # noqa: BLE001 - raised again by the caller, without its frames
        return _stripped(error)
    return reply or RuntimeError(f"no mechanism {mechanism}")


def _stripped(error: BaseException) -> BaseException:
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def _lines(mechanism: str, username: str, secret: str) -> Iterator[tuple[str, str]]:
    """Yield what to send in each round, and how the transcript shows it. Prompts may say what they like."""
    if mechanism == "PLAIN":
        response = _base64(f"\0{username}\0{secret}")
        yield f"AUTH PLAIN {response}", f"AUTH PLAIN {MASK}"
        # Some servers ignore the initial response and ask for it once more (RFC 4954 §4).
        yield response, MASK
    elif mechanism == "LOGIN":
        yield "AUTH LOGIN", "AUTH LOGIN"
        yield _base64(username), MASK
        yield _base64(secret), MASK


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


class _Scrubber:
    """Masks a password in what a server says, in the spellings in which it may quote it back."""

    def __init__(self, username: str, secret: str) -> None:
        data = secret.encode()
        tokens = (f"\0{username}\0{secret}", f"{username}\0{secret}", secret)
        percent = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
        plain = {secret, printable(data), *percent, *(form.lower() for form in percent - {secret})}
        self._encoded = [*(_base64(token).rstrip("=") for token in tokens), data.hex(), data.hex().upper()]
        self._forms = sorted({*plain, *self._encoded} - {""}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        for form in self._encoded:
            text = self._mask_beginning(text, form)
        return text

    @staticmethod
    def _mask_beginning(text: str, form: str) -> str:
        """Servers cut what they quote: mask the longest beginning of ``form`` that stands in ``text``."""
        for size in range(len(form), _SHORTEST_PREFIX - 1, -1):
            if form[:size] in text:
                return text.replace(form[:size], MASK)
        return text
