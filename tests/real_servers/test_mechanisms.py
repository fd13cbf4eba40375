"""Every way to sign in, at servers that others wrote: Postfix with Cyrus SASL, and Dovecot, which asks about tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask_mail import Message

from flask_smtpservers.errors import AuthenticationFailed
from flask_smtpservers.secret import Secret
from flask_smtpservers.smtp.auth import MECHANISMS, PASSWORD_MECHANISMS
from flask_smtpservers.smtp.deadline import Deadline
from flask_smtpservers.smtp.endpoint import Endpoint, Security
from flask_smtpservers.smtp.envelope import Envelope
from flask_smtpservers.smtp.guard import Guard
from flask_smtpservers.smtp.network import SystemNetwork
from flask_smtpservers.smtp.session import Session

from ..apps import Host, hosting
from ..peers import mailbox as mailboxes
from ..peers.mailbox import Mailbox
from . import postfix as postfixes
from .dovecot import TOKEN, Dovecot
from .postfix import Postfix

CONTENT = b"From: shop@example.test\r\nTo: ann@example.test\r\nSubject: Signed in\r\n\r\nHello\r\n"
WRONG = "wrong-CANARY"


@contextmanager
def signed_in(dovecot: Dovecot, ca_file: Path, mechanism: str, *, right: bool) -> Iterator[Session]:
    """A session at Dovecot with a password and a token, which are right or wrong."""
    endpoint = Endpoint(
        host=dovecot.host,
        port=dovecot.submission,
        security=Security.STARTTLS,
        username=mailboxes.USERNAME,
        password=Secret(mailboxes.PASSWORD if right else WRONG),
        token=lambda: Secret(TOKEN if right else WRONG),
        mechanism=mechanism,
        ca_file=str(ca_file),
        guarded=False,
    )
    with Session(endpoint, network=SystemNetwork(), guard=Guard(), deadline=Deadline(30)).open() as session:
        yield session


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_dovecot_lets_in(dovecot: Dovecot, mailbox: Mailbox, ca_file: Path, mechanism: str) -> None:
    """Each mechanism signs in, passwords and tokens, and what is sent then arrives."""
    with signed_in(dovecot, ca_file, mechanism, right=True) as session:
        assert set(MECHANISMS) <= set(session.features["AUTH"].split())
        session.send(Envelope(sender="shop@example.test", recipients=("ann@example.test",)), CONTENT)
    (letter,) = mailbox.letters
    assert letter.message["Subject"] == "Signed in"
    login = f"Login: user=<{mailboxes.USERNAME}>, method={mechanism},"
    postfixes.until("the sign-in to be noted", lambda: login in dovecot.log())


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_dovecot_refuses(dovecot: Dovecot, ca_file: Path, mechanism: str) -> None:
    """A wrong password or token is refused once, for good, and a token's status is told (RFC 7628)."""
    before = dovecot.log().count("auth failed, 1 attempts")
    with pytest.raises(AuthenticationFailed) as caught, signed_in(dovecot, ca_file, mechanism, right=False):
        pytest.fail("let in")
    error = caught.value
    assert (error.code, error.enhanced, error.permanent) == (535, "5.7.8", True)
    status = {"XOAUTH2": "401", "OAUTHBEARER": "invalid_token"}.get(mechanism, "")
    assert error.text.removesuffix(".").endswith(status)
    assert WRONG not in repr(vars(error)) + str(error)
    postfixes.until("the refusal to be noted", lambda: dovecot.log().count("auth failed, 1 attempts") == before + 1)


@pytest.fixture
def host(ca_file: Path) -> Iterator[Host]:
    """A host that trusts the test's authority."""
    with hosting(ca_file=ca_file) as host, host.app.app_context():
        yield host


@pytest.fixture
def add(host: Host, postfix: Postfix) -> Callable[..., Any]:
    """Store Postfix's submission port as a server, with changes."""
    return lambda **changes: host.smtp.add_server(
        **{
            "name": "Postfix",
            "host": postfix.host,
            "port": postfix.submission,
            "security": "starttls",
            "username": postfixes.USERNAME,
            "password": postfixes.PASSWORD,
            "address": "shop@example.test",
            **changes,
        }
    )


@pytest.mark.parametrize("method", PASSWORD_MECHANISMS)
def test_postfix_lets_in(host: Host, postfix: Postfix, add: Callable[..., Any], method: str) -> None:
    """A stored server that names its sign-in method signs in with it, and the mail arrives."""
    add(auth_mechanism=method)
    host.mail.send(Message("Hello", recipients=["ann@example.test"], body="Hello"))
    (one,) = postfix.wait()
    assert one.message["Subject"] == "Hello"
    login = f"sasl_method={method}, sasl_username={postfixes.USERNAME}"
    postfixes.until("the sign-in to be noted", lambda: login in postfix.log())


@pytest.mark.parametrize("method", PASSWORD_MECHANISMS)
def test_postfix_refuses(host: Host, postfix: Postfix, add: Callable[..., Any], method: str) -> None:
    """A wrong password is refused after one attempt with that one method."""
    add(auth_mechanism=method, password=WRONG)
    before = postfix.log().count("authentication failed:")
    with pytest.raises(AuthenticationFailed) as caught:
        host.mail.send(Message("Hello", recipients=["ann@example.test"], body="Hello"))
    assert (caught.value.code, caught.value.permanent) == (535, True)
    refused = f"SASL {method} authentication failed:"
    postfixes.until("the refusal to be noted", lambda: refused in postfix.log())  # another process writes the log
    assert postfix.log().count("authentication failed:") == before + 1
