"""Opening a session: its stages in order, its greeting and EHLO, and what becomes of it when somebody gives up."""

from __future__ import annotations

import socket
from smtplib import SMTPException, SMTPServerDisconnected

import pytest
import trustme

from flask_smtpservers.errors import ConfigurationError, HeloRefused, ProtocolError, SendError, TimedOut
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Progress, Reply
from flask_smtpservers.smtp.ehlo import ADDRESS_LITERAL, ehlo_argument, machine_name

from ..peers.hostile import answer, close, hang, hear, hostile, listen, say, start_tls
from .conftest import Connect

S = Stage


def stages(steps: list[Progress]) -> list[Stage]:
    return [step.stage for step in steps]


def test_stages_without_encryption(connect: Connect) -> None:
    """Plain: found, reached, greeted, EHLO. Every stage says what was seen."""
    with hostile(
        [say("220 mail.example.test ready"), answer("250-mail.example.test\n250-SIZE 100\n250 8bitmime"), listen()]
    ) as server:
        session = connect(server.port)
        steps = list(session.opening())
        session.close()
        server.settle()
    assert stages(steps) == [S.RESOLVE, S.CONNECT, S.GREETING, S.EHLO]
    assert [step.seen for step in steps] == [
        "127.0.0.1",
        f"127.0.0.1, port {server.port}",
        "mail.example.test ready",
        "SIZE, 8BITMIME",
    ]
    assert [step.reply.code if step.reply else None for step in steps] == [None, None, 220, 250]
    assert session.features == {"SIZE": "100", "8BITMIME": ""}
    assert session.greeting == Reply(220, ("mail.example.test ready",))
    assert server.lines == ["EHLO client.example.test", "QUIT"]
    assert (session.tls, session.authenticated) == (None, False)


def test_stages_with_starttls(connect: Connect, ca: trustme.CA) -> None:
    """STARTTLS: encryption comes after EHLO, then signing in."""
    script = [
        say("220 hi"),
        answer("250-x\n250 STARTTLS", "220 go"),
        start_tls(),
        answer("250-x\n250 AUTH PLAIN", "235 ok"),
        listen(),
    ]
    with hostile(script, ca=ca) as server:
        steps = list(connect(server.port, "starttls", username="u@example.test").opening())
    assert stages(steps) == [S.RESOLVE, S.CONNECT, S.GREETING, S.EHLO, S.STARTTLS, S.TLS, S.CERTIFICATE, S.AUTH]
    assert steps[5].seen.startswith("TLSv1.")
    assert "valid for mail.example.test, issued by trustme" in steps[6].seen
    assert steps[7].seen == "Signed in to mail.example.test as u@example.test"


def test_stages_with_ssl(connect: Connect, ca: trustme.CA) -> None:
    """SSL: encryption comes before everything that is said; without a user name nobody signs in."""
    with hostile([start_tls(), say("220 hi"), answer("250-x\n250 AUTH PLAIN"), listen()], ca=ca) as server:
        steps = list(connect(server.port, "ssl").opening())
    assert stages(steps) == [S.RESOLVE, S.CONNECT, S.TLS, S.CERTIFICATE, S.GREETING, S.EHLO]


def test_stages_appear_as_they_happen(connect: Connect) -> None:
    """A stage is reported when it is finished, not when the next one is."""
    with hostile([say("220 hi"), hear(), hang()]) as server:
        session = connect(server.port, timeout_seconds=0.2)
        steps = session.opening()
        assert [next(steps).stage for _ in range(3)] == [S.RESOLVE, S.CONNECT, S.GREETING]
        with pytest.raises(TimedOut) as caught:
            next(steps)
    assert caught.value.stage is S.EHLO


def test_dead_peers_are_noticed(connect: Connect) -> None:
    """A session that rests in the pool learns from the system that the server's machine is gone (P16)."""
    with hostile([say("220 hi"), answer("250 mail.example.test"), listen()]) as server:
        session = connect(server.port).open()
        assert session._talk.stream._socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        session.close()


def test_whoever_stops_looking_closes_the_session(connect: Connect) -> None:
    """A reader that leaves in the middle ends the session in good order."""
    with hostile([say("220 hi"), answer("250 x"), listen()]) as server:
        session = connect(server.port)
        for step in session.opening():
            if step.stage is S.EHLO:
                break
        assert not session.usable
        server.settle()
    assert server.lines == ["EHLO client.example.test", "QUIT"]


def test_a_session_is_opened_once(connect: Connect) -> None:
    """A second opening is a mistake of the caller and says so."""
    with hostile([say("220 hi"), answer("250 x"), listen()]) as server:
        session = connect(server.port).open()
        with pytest.raises(RuntimeError, match="opened once"):
            session.open()
        assert session.usable


def test_context_manager(connect: Connect) -> None:
    """Leaving the block closes; closing twice does no harm; a closed session says so."""
    with hostile([say("220 hi"), answer("250 x"), listen()]) as server:
        with connect(server.port).open() as session:
            assert "open" in repr(session)
        session.close()
        with pytest.raises(ProtocolError, match="closed") as caught:
            session.mail_from("a@example.test")
        assert (caught.value.stage, caught.value.disconnected) == (S.MAIL_FROM, True)
        server.settle()
    assert "closed" in repr(session)
    assert server.verbs == ["EHLO", "QUIT"]


# -- greeting
@pytest.mark.parametrize(
    ("greeting", "code", "permanent"),
    [
        ("554 5.7.1 no service here", 554, True),
        ("421 4.3.2 too busy", 421, False),
        ("250 hello", 250, False),
        ("354 go", 354, False),
    ],
)
def test_greetings_that_refuse(connect: Connect, greeting: str, code: int, permanent: bool) -> None:
    """A greeting other than 220 is a refusal; nothing is said to it."""
    with hostile([say(greeting), listen()]) as server:
        with pytest.raises(ProtocolError) as caught:
            connect(server.port).open()
        server.settle()
    assert (caught.value.stage, caught.value.code, caught.value.permanent) == (S.GREETING, code, permanent)
    assert caught.value.reply == greeting[4:]
    assert server.received == b""


def test_hanging_up_before_the_greeting(connect: Connect) -> None:
    """A server that hangs up at once is a disconnection, which may pass."""
    with hostile([close()]) as server, pytest.raises(ProtocolError) as caught:
        connect(server.port).open()
    assert (caught.value.stage, caught.value.disconnected, caught.value.permanent) == (S.GREETING, True, False)


# -- EHLO
def test_helo_for_old_servers(connect: Connect) -> None:
    """A server that does not know EHLO gets HELO, if nothing depends on EHLO's answer (P13)."""
    with hostile([say("220 hi"), answer("502 what?", "250 hello"), listen()]) as server:
        session = connect(server.port).open()
        assert session.features == {}
        session.close()
        server.settle()
    assert server.lines == ["EHLO client.example.test", "HELO client.example.test", "QUIT"]


@pytest.mark.parametrize(
    ("security", "username"), [("starttls", ""), ("none", "u@example.test"), ("starttls", "u@example.test")]
)
def test_no_helo_where_ehlo_matters(connect: Connect, security: str, username: str) -> None:
    """Who needs STARTTLS or AUTH does not fall back (P13)."""
    with hostile([say("220 hi"), answer("502 what?", "250 hello"), listen()]) as server:
        with pytest.raises(HeloRefused) as caught:
            connect(server.port, security, username=username).open()
        server.settle()
    assert (caught.value.stage, caught.value.code) == (S.EHLO, 502)
    assert server.verbs == ["EHLO", "QUIT"]


@pytest.mark.parametrize(
    ("replies", "code", "permanent"),
    [
        (["550 5.7.1 bad name", "550 5.7.1 again"], 550, True),
        (["451 not now"], 451, False),
        (["421 closing"], 421, False),
    ],
)
def test_ehlo_is_refused(connect: Connect, replies: list[str], code: int, permanent: bool) -> None:
    """The refusal of EHLO is what is reported, also when HELO is refused as well."""
    with hostile([say("220 hi"), answer(*replies), listen()]) as server, pytest.raises(HeloRefused) as caught:
        connect(server.port).open()
    assert (caught.value.stage, caught.value.code, caught.value.permanent) == (S.EHLO, code, permanent)
    assert caught.value.reply == replies[0][4:]


def test_hanging_up_after_a_refused_ehlo(connect: Connect) -> None:
    """A server that refuses EHLO and hangs up: its refusal is reported, not the hang-up."""
    with hostile([say("220 hi"), answer("550 5.7.1 not you"), close()]) as server, pytest.raises(HeloRefused) as caught:
        connect(server.port).open()
    assert caught.value.reply == "5.7.1 not you"


def test_odd_ehlo_lines(connect: Connect) -> None:
    """Lines of EHLO that are no keywords are passed over."""
    with hostile(
        [say("220 hi"), answer("250-x\n250-\n250-SIZE\n250-<script>\n250-X-LINK\n250 at your service"), listen()]
    ) as server:
        assert connect(server.port).open().features == {"SIZE": "", "X-LINK": "", "AT": "your service"}


@pytest.mark.parametrize("name", ["client.example.test", "web_1", "localhost", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_configured_ehlo_name(name: str) -> None:
    """The operator's name is taken as it is."""
    assert ehlo_argument(name) == name


@pytest.mark.parametrize("name", ["a b", "a\r\nMAIL FROM:<x>", "x\n", "ä.test", "a" * 256, "-x", "[1.2.3.4", "<x>"])
def test_an_ehlo_name_that_breaks_the_command(connect: Connect, name: str) -> None:
    """A name that could break the command is refused before anything is done, with the setting's name."""
    with pytest.raises(ConfigurationError, match="SMTPSERVERS_EHLO_NAME"):
        connect(1, ehlo_name=name)


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("mail.example.test", "mail.example.test"),
        ("web-7f9c", ADDRESS_LITERAL),
        ("localhost.localdomain", ADDRESS_LITERAL),
        ("10.0.0.5", ADDRESS_LITERAL),
        ("my_host.example.test", ADDRESS_LITERAL),
        ("", ADDRESS_LITERAL),
    ],
)
def test_this_machines_name(monkeypatch: pytest.MonkeyPatch, hostname: str, name: str) -> None:
    """Without a configured name this machine's is sent if it is a proper one; it is asked for once."""
    asked = []

    def gethostname() -> str:
        asked.append(1)
        return hostname

    monkeypatch.setattr("socket.gethostname", gethostname)
    machine_name.cache_clear()
    try:
        assert ehlo_argument("") == ehlo_argument("") == name
        assert len(asked) == 1
    finally:
        machine_name.cache_clear()


# -- out of turn
@pytest.mark.parametrize(("extra", "code"), [("250 too early", None), ("421 closing", 421), ("garbage", None)])
def test_replies_ahead_of_commands(connect: Connect, extra: str, code: int | None) -> None:
    """A server that answers before it is asked is not believed (P15)."""
    with hostile([say("220 hi", extra), listen()]) as server:
        with pytest.raises(ProtocolError, match="out of turn") as caught:
            connect(server.port).open()
        server.settle()
    assert (caught.value.stage, caught.value.reply, caught.value.code) == (S.EHLO, extra, code)
    assert not caught.value.permanent
    assert server.received == b""


def test_errors_can_be_read_by_hosts(connect: Connect) -> None:
    """Every error is an SMTPException too, and names the server as the admin does."""
    with hostile([close()]) as server, pytest.raises(SMTPException) as caught:
        connect(server.port).open()
    assert isinstance(caught.value, SMTPServerDisconnected)
    assert isinstance(caught.value, SendError)
    assert str(caught.value).startswith("Shop mail: ")
