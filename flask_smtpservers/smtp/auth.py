"""Signing in (RFC 4954): one attempt with one mechanism; a refusal is final, and no other mechanism is tried after it.

The password or token, and whatever it is encoded into, lives only in frames that are gone when an exception leaves this
module, so that no traceback, log or error tracker can show it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection

from ..errors import AuthenticationFailed, NotOffered, SendError, SMTPServersError
from ..findings import Stage
from ..i18n import gettext as _
from ..secret import Secret
from .endpoint import Endpoint
from .mechanisms import CramMD5, Login, Mechanism, OAuthBearer, Plain, SignInError, XOAuth2
from .reply import Reply
from .scram import ScramSHA1, ScramSHA256
from .scrubbing import Scrubber
from .transcript import MASK

_KINDS: dict[str, type[Mechanism]] = {
    kind.name: kind for kind in (Plain, Login, XOAuth2, OAuthBearer, CramMD5, ScramSHA256, ScramSHA1)
}

#: All mechanisms that an endpoint may name.
MECHANISMS = tuple(_KINDS)

#: Those that take a password.
PASSWORD_MECHANISMS = tuple(name for name, kind in _KINDS.items() if not kind.uses_token)

#: What is chosen where nobody says, the better first. PLAIN takes one round trip and LOGIN three; both show the
#: password to the server alike. The others hide it, but a server that offers them may not have them for every account.
AUTOMATIC = ("PLAIN", "LOGIN")
AUTOMATIC_WITH_TOKEN = ("XOAUTH2", "OAUTHBEARER")

#: The longest command line, CRLF included (RFC 5321 §4.5.3.1.4): an initial response that does not fit goes on a line
#: of its own, to which that limit does not apply (RFC 4954 §4).
_COMMAND_LINE = 512

#: Those that are used only if an endpoint names them, the stronger first.
ON_DEMAND = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5")

#: A server may offer as many mechanisms as it likes, but an error names no more.
_MOST_NAMES = 20

#: ``exchange(line, shown, scrub)`` sends ``line``, which the transcript shows as ``shown``, and returns the reply as it
#: came; the transcript shows it with ``scrub`` applied to each of its lines.
Exchange = Callable[[str, str, Callable[[str], str]], Reply]


def choose_mechanism(offered: Collection[str], *, fixed: str = "", token: bool = False) -> str:
    """Return the mechanism to use.

    :param offered: the parameters of the server's AUTH keyword.
    :param fixed: the one that the settings name; empty chooses by itself.
    :param token: whether there is an access token and no password.
    :raises NotOffered: the server does not offer it, or none that is chosen by itself; ``wanted`` and ``offered`` tell.
    """
    wanted = (fixed,) if fixed else AUTOMATIC_WITH_TOKEN if token else AUTOMATIC
    for mechanism in wanted:
        if mechanism in offered and mechanism in _KINDS:
            return mechanism
    names = ", ".join(sorted(offered)[:_MOST_NAMES]) or _("none")
    if fixed and fixed in offered:
        text = _("The sign-in method %(method)s is not known here.", method=fixed)
    elif fixed:
        text = _("The server does not offer %(method)s; it offers: %(names)s.", method=fixed, names=names)
    elif token:
        text = _("The server offers neither XOAUTH2 nor OAUTHBEARER; it offers: %(names)s.", names=names)
    else:
        text = _("The server offers neither PLAIN nor LOGIN; it offers: %(names)s.", names=names)
    error = NotOffered(text, stage=Stage.AUTH)
    error.wanted, error.offered = fixed, tuple(offered)[:_MOST_NAMES]
    raise error


def authenticate(exchange: Exchange, mechanism: str, endpoint: Endpoint) -> None:
    """Sign in, once.

    :param exchange: sends one line and returns the reply.
    :param mechanism: one of :data:`MECHANISMS`.
    :param endpoint: has the user name, and the password or the token; the token is asked for here, once.
    :raises AuthenticationFailed: the server did not accept (its words are scrubbed of the password), or the credentials
        cannot be sent at all; then nothing was. With a ``code`` of 3yz the exchange has been left in the middle.
    :raises SendError: the connection failed meanwhile.
    """
    outcome = _attempt(exchange, mechanism, endpoint)
    if outcome is not None:
        raise outcome


def _attempt(exchange: Exchange, name: str, endpoint: Endpoint) -> BaseException | None:
    """Sign in; a failure is returned, not raised, without the frames and the context that know the secret."""
    try:
        if name not in _KINDS:
            return RuntimeError(f"no mechanism {name}")
        secret = _secret_for(_KINDS[name], endpoint)
        return _Attempt(exchange, _KINDS[name](endpoint, secret)).run()
    except SignInError as error:
        return AuthenticationFailed(str(error), stage=Stage.AUTH, permanent=True)
    except SMTPServersError as error:
        return _stripped(error)
    except Exception as error:  # noqa: BLE001 - a bug of ours: its arguments may hold anything, so only its kind is told
        return RuntimeError(f"signing in failed with {type(error).__name__}")
    except BaseException as error:  # noqa: BLE001 - raised again by the caller, without its frames
        return _stripped(error)


def _stripped(error: BaseException) -> BaseException:
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def _secret_for(kind: type[Mechanism], endpoint: Endpoint) -> str:
    """Return the password or the token.

    :raises SignInError: there is none, or it cannot be sent.
    """
    if kind.uses_token:
        if endpoint.token is None:
            raise SignInError(_("There is a user name but no access token."))
        secret = _asked(endpoint.token)
    elif endpoint.password is None:
        raise SignInError(_("There is a user name but no password."))
    else:
        secret = endpoint.password.reveal()
        if any(map(_is_unfit, secret)):
            raise SignInError(_("The user name or the password holds a control character."))
    if any(map(_is_unfit, endpoint.username)):
        raise SignInError(_("The user name or the password holds a control character."))
    return secret


def _is_unfit(character: str) -> bool:
    """Control characters, and halves of surrogate pairs, which have no encoding."""
    return ord(character) < 32 or ord(character) == 127 or "\ud800" <= character <= "\udfff"


def _asked(token: Callable[[], Secret]) -> str:
    try:
        return token().reveal()
    except SMTPServersError:
        raise
    except Exception as error:  # noqa: BLE001 - whoever fetches tokens may put anything into its errors
        text = _("The access token could not be had (%(kind)s).", kind=type(error).__name__)
        raise AuthenticationFailed(text, stage=Stage.AUTH, permanent=False) from None


class _Attempt:
    """The rounds of one AUTH command. It knows the secret: nothing outside of :func:`_attempt` may hold it."""

    def __init__(self, exchange: Exchange, mechanism: Mechanism) -> None:
        self._exchange = exchange
        self._mechanism = mechanism
        #: What the client says first, until the server has taken it.
        self._unsaid = mechanism.initial()
        self._was_sent = False

    def run(self) -> SendError | None:
        """Return how it failed, if it did."""
        try:
            return self._go_on(self._open())
        except SendError as error:
            error.reply = self._scrub(error.reply)
            error.smtp_error = error.reply.encode("ascii", "replace")
            _stripped(error)
            return error

    def _open(self) -> Reply:
        """Send AUTH, with the initial response if there is one and it fits."""
        command = f"AUTH {self._mechanism.name}"
        line = f"{command} {_base64(self._unsaid)}" if self._unsaid else command
        self._was_sent = self._unsaid is not None and len(line) + len("\r\n") <= _COMMAND_LINE
        if self._was_sent:
            return self._exchange(line, f"{command} {MASK}", self._scrub)
        return self._exchange(command, command, self._scrub)

    def _go_on(self, reply: Reply) -> SendError | None:
        """Answer challenges until the server decides, or the mechanism has no more to say."""
        try:
            for _round in range(self._mechanism.responses):
                response = self._response(reply.text) if reply.code == 334 else None
                if response is None:
                    break
                reply = self._exchange(_base64(response), MASK if response else "", self._scrub)
            if reply.code == 235:
                self._mechanism.conclude()
                return None
        except SignInError as error:
            return self._failed(str(error), reply)
        return self._failed(self._refusal(reply), reply)

    def _response(self, challenge: str) -> bytes | None:
        """Return the mechanism's answer; that which was to come first, if the server has not taken it yet.

        Some servers ignore the initial response and ask for it with an empty challenge.
        """
        asks_for_first = not self._was_sent or not challenge or not self._mechanism.reads_challenges
        if self._unsaid is not None and asks_for_first:
            response, self._unsaid = self._unsaid, None
            return response
        self._unsaid = None
        return self._mechanism.respond(challenge)

    def _refusal(self, reply: Reply) -> str:
        mechanism = self._mechanism
        remark = self._scrub(mechanism.remark)
        if reply.intermediate:
            return _("The server asked for more than %(method)s foresees.", method=mechanism.name)
        if reply.positive:
            return _("The server answered neither yes nor no to the sign-in.")
        if mechanism.uses_token:
            if reply.transient:
                return _("The server could not check the access token now.")
            if remark:
                return _("The server did not accept the access token: %(remark)s.", remark=remark)
            return _("The server did not accept the access token.")
        if reply.transient:
            return _("The server could not check the user name and password now.")
        if remark:
            return _("The server did not accept the user name and password: %(remark)s.", remark=remark)
        return _("The server did not accept the user name and password.")

    def _failed(self, text: str, reply: Reply) -> AuthenticationFailed:
        clean = Reply(reply.code, tuple(map(self._scrub, reply.lines)))
        return AuthenticationFailed(
            text,
            stage=Stage.AUTH,
            code=clean.code,
            enhanced=clean.enhanced,
            reply=clean.excerpt,
            permanent=not clean.transient,
        )

    def _scrub(self, text: str) -> str:
        """Mask what is known of the secret by now; what is derived from it comes to be round by round."""
        return Scrubber(self._mechanism.confidential)(text)


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
