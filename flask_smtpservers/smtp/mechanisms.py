"""The ways to sign in (SASL mechanisms): what each of them says, and what it makes of the server's challenges.

A mechanism object serves one attempt and holds secrets in clear, so it must live only in frames that are gone when an
exception leaves :mod:`.auth`.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode
from typing import ClassVar

from ..i18n import gettext as _
from .endpoint import Endpoint
from .reply import printable

#: An access token as it may stand after "Bearer" (RFC 6750 §2.1), and whatever else is visible.
_TOKEN = re.compile(r"[\x21-\x7e]+")
#: The most characters of a server's remark that an error's text takes over.
_REMARK = 60


class SignInError(Exception):
    """The credentials do not fit the mechanism, or what the server says does not; the text tells without quoting."""


class Mechanism:
    """One attempt with one mechanism.

    :param endpoint: the user name, and where it goes.
    :param secret: the password or the token, in clear.
    :raises SignInError: these credentials cannot be sent so.
    """

    #: As it stands in EHLO and AUTH.
    name: ClassVar[str]
    #: The most responses in one attempt.
    responses: ClassVar[int]
    #: Whether the secret is an access token.
    uses_token: ClassVar[bool] = False
    #: Whether it matters what a challenge says; prompts for user name and password may say what they like.
    reads_challenges: ClassVar[bool] = True

    def __init__(self, endpoint: Endpoint, secret: str) -> None:
        self.endpoint = endpoint
        self.secret = secret
        #: What must never be shown: the secret, and all that was derived from it.
        self.confidential = [secret]
        #: What the server said in a challenge about its refusal; printable.
        self.remark = ""

    def initial(self) -> bytes | None:
        """Return what the client says first; None if the server does."""
        return None

    def respond(self, challenge: str) -> bytes | None:
        """Return the response to a challenge, as it came; None if there is nothing more to say.

        :raises SignInError: the challenge is none of this mechanism, or breaks its rules.
        """
        raise NotImplementedError

    def conclude(self) -> None:
        """Agree that the server has accepted.

        :raises SignInError: the server has not done its part.
        """


class Plain(Mechanism):
    """PLAIN (RFC 4616): user name and password at once."""

    name = "PLAIN"
    responses = 1
    reads_challenges = False

    def __init__(self, endpoint: Endpoint, secret: str) -> None:
        super().__init__(endpoint, secret)
        self._message = f"\0{endpoint.username}\0{secret}"
        self.confidential.append(self._message)

    def initial(self) -> bytes | None:
        """Return both; nobody is acted for."""
        return self._message.encode()

    def respond(self, challenge: str) -> bytes | None:  # noqa: ARG002 - there is nothing to answer
        """There is nothing more to say."""
        return None


class Login(Mechanism):
    """LOGIN (draft-murchison-sasl-login): the server prompts for the user name, then for the password."""

    name = "LOGIN"
    responses = 2
    reads_challenges = False

    def __init__(self, endpoint: Endpoint, secret: str) -> None:
        super().__init__(endpoint, secret)
        self._answers = [secret, endpoint.username]

    def respond(self, challenge: str) -> bytes | None:  # noqa: ARG002 - prompts may say what they like
        """Return the user name, then the password, whatever the prompts say."""
        return self._answers.pop().encode() if self._answers else None


class _Bearer(Mechanism):
    """What XOAUTH2 and OAUTHBEARER share: one message with the token, and an error told as JSON in a challenge."""

    responses = 2
    uses_token = True
    #: What a client says to an error, so that the server may end the exchange with its refusal.
    acknowledgement: ClassVar[bytes]

    def __init__(self, endpoint: Endpoint, secret: str) -> None:
        super().__init__(endpoint, secret)
        if not _TOKEN.fullmatch(secret):
            raise SignInError(_("The access token is empty, or holds characters that no token has."))
        self._acknowledged = False
        self.confidential.append(self._message())

    def _message(self) -> str:
        raise NotImplementedError

    def initial(self) -> bytes | None:
        """Return the user name and the token."""
        return self._message().encode()

    def respond(self, challenge: str) -> bytes | None:
        """Take note of the error's status, and acknowledge it."""
        if self._acknowledged:
            return None
        self._acknowledged = True
        self.remark = _status(challenge)
        return self.acknowledgement


class XOAuth2(_Bearer):
    """XOAUTH2, as Google and Microsoft document it."""

    name = "XOAUTH2"
    acknowledgement = b""

    def _message(self) -> str:
        return f"user={self.endpoint.username}\x01auth=Bearer {self.secret}\x01\x01"


class OAuthBearer(_Bearer):
    """OAUTHBEARER (RFC 7628)."""

    name = "OAUTHBEARER"
    acknowledgement = b"\x01"

    def _message(self) -> str:
        user, host, port = saslname(self.endpoint.username), self.endpoint.host, self.endpoint.port
        return f"n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {self.secret}\x01\x01"


class CramMD5(Mechanism):
    """CRAM-MD5 (RFC 2195): the password stays here, a digest of it and of the server's challenge goes out."""

    name = "CRAM-MD5"
    responses = 1

    def respond(self, challenge: str) -> bytes | None:
        """Return the user name and the digest."""
        data = decoded(challenge)
        if not data:
            raise SignInError(_("The server's challenge is empty."))
        try:
            digest = hmac.digest(self.secret.encode(), data, "md5").hex()
        except ValueError:
            raise SignInError(_("This machine does not allow MD5, which CRAM-MD5 needs.")) from None
        self.confidential.append(digest)
        return f"{self.endpoint.username} {digest}".encode()


def decoded(challenge: str) -> bytes:
    """Return what a challenge says.

    :raises SignInError: it is not base64.
    """
    try:
        return b64decode(challenge, validate=True)
    except ValueError:
        raise SignInError(_("The server sent a challenge that cannot be understood.")) from None


def saslname(username: str) -> str:
    """Return a user name as it stands in a GS2 header and in SCRAM (RFC 5801 §4, RFC 5802 §5.1)."""
    return username.replace("=", "=3D").replace(",", "=2C")


def remark_of(words: str) -> str:
    """Return a server's words, short enough and fit for a sentence."""
    return printable(words.encode("utf-8", "replace"))[:_REMARK]


def _status(challenge: str) -> str:
    """Return the status in the error that a server tells as JSON (RFC 7628 §3.2.2); empty if there is none."""
    try:
        error = json.loads(decoded(challenge))
    except (SignInError, ValueError, RecursionError):
        return ""
    status = error.get("status") if isinstance(error, dict) else None
    return remark_of(str(status)) if isinstance(status, str | int) else ""
