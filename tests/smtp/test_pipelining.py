"""PIPELINING (RFC 2920): all commands in one flight, the content in a second one, and every reply at its place."""

from __future__ import annotations

from typing import Any

import pytest
import trustme

from flask_smtpservers.errors import DataRefused, MessageTooLarge, ProtocolError, RecipientsRefused, SenderRefused
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Limits

from ..peers.hostile import Peer, Step, answer, close, hear, hostile, listen, reset, say, start_tls
from .conftest import Connect
from .flights import MAIL, OFFERS, accept, accepting, greeting, one_at_a_time, people, together
from .test_sending import CONTENT, A, B, C, envelope, finished


# -- flights
def test_two_flights(connect: Connect) -> None:
    """The envelope and DATA are one flight, the content is the other."""
    with hostile(greeting(*accepting(2), listen())) as server:
        session = connect(server.port).open()
        receipt = session.send(envelope(A, B), CONTENT)
        assert session.usable
        lines = finished(session, server)
    assert (receipt.accepted, receipt.refused, receipt.queue_id) == ((A, B), {}, "Q1")
    assert lines[1:5] == [MAIL, f"RCPT TO:<{A}>", f"RCPT TO:<{B}>", "DATA"]
    assert lines[5:] == ["Subject: x", "", "hello", ".", "QUIT"]


@pytest.mark.parametrize("security", ["ssl", "starttls"])
def test_over_tls(connect: Connect, ca: trustme.CA, security: str) -> None:
    """What a server offers counts after the TLS handshake only."""
    hello: list[Step] = [say("220 hi"), answer(OFFERS)]
    if security == "starttls":
        opening = [say("220 hi"), answer("250-x\n250 STARTTLS", "220 go"), start_tls(), answer(OFFERS)]
    else:
        opening = [start_tls(), *hello]
    with hostile([*opening, *accepting(), *accepting(), listen()], ca=ca) as server:
        session = connect(server.port, security).open()
        assert session.send(envelope(), CONTENT).accepted == (A,)
        assert session.alive()
        assert session.send(envelope(), CONTENT).accepted == (A,)


@pytest.mark.parametrize(
    ("recipients", "flights"),
    [(1, [3]), (50, [52]), (100, [102]), (101, [103]), (102, [103, 1]), (250, [103, 103, 46])],
)
def test_groups(connect: Connect, recipients: int, flights: list[int]) -> None:
    """However many recipients there are, commands travel in groups; 100 recipients fit into one, with RSET."""
    commands = ["250 ok"] * (recipients + 1) + ["354 go"]
    steps: list[Step] = []
    for size in flights:
        steps.append(together(*commands[:size]))
        del commands[:size]
    with hostile(greeting(*steps, *accept(), listen())) as server:
        session = connect(server.port).open()
        assert session.send(envelope(*people(recipients)), CONTENT).accepted == people(recipients)
        lines = finished(session, server)
    assert [line for line in lines if line.startswith("RCPT")] == [f"RCPT TO:<{name}>" for name in people(recipients)]


def test_the_size_of_a_group_is_a_limit(connect: Connect) -> None:
    """Tests, and those who meet a server that chokes on many commands, can lower it."""
    with hostile(greeting(together("250 ok", "250 ok"), together("250 ok", "354 go"), *accept(), listen())) as server:
        session = connect(server.port, limits=Limits(flight_commands=2)).open()
        assert session.send(envelope(A, B), CONTENT).accepted == (A, B)


def test_nothing_but_messages_on_the_wire(connect: Connect) -> None:
    """Message after message: no RSET, no NOOP."""
    with hostile(greeting(*accepting(), *accepting(), *accepting(), listen())) as server:
        session = connect(server.port).open()
        for _ in range(3):
            session.send(envelope(), CONTENT)
        lines = finished(session, server)
    once = ["MAIL", "RCPT", "DATA", "Subject:", "", "hello", "."]
    assert [line.split(" ")[0] for line in lines] == ["EHLO", *once * 3, "QUIT"]


@pytest.mark.parametrize(
    ("ehlo", "fields"), [("250-x\n250 SIZE", {}), (OFFERS, {"pipelining": False})], ids=["not offered", "not wanted"]
)
def test_one_at_a_time(connect: Connect, ehlo: str, fields: dict[str, Any]) -> None:
    """A server that does not offer it, or whose endpoint forbids it, gets one command after the other."""
    script = greeting(one_at_a_time("250 ok", "250 ok", "250 ok", "354 go"), *accept(), listen(), ehlo=ehlo)
    with hostile(script) as server:
        session = connect(server.port, **fields).open()
        assert session.send(envelope(A, B), CONTENT).accepted == (A, B)


def test_step_by_step(connect: Connect) -> None:
    """The check of a server asks one thing at a time, whatever is offered."""
    with hostile(greeting(one_at_a_time("250 ok", "550 no", "250 ok", "354 go"), *accept(), listen())) as server:
        session = connect(server.port).open()
        session.mail_from("s@example.test")
        assert session.rcpt_to(A).code == 550
        assert session.rcpt_to(B).code == 250
        assert session.data(CONTENT).code == 250
        assert session.usable


def test_replies_come_in_pieces(connect: Connect) -> None:
    """How the server cuts its replies into segments does not matter."""

    def in_pieces(peer: Peer) -> None:
        hear(4)(peer)
        for byte in b"250-a\r\n250 b\r\n250 c\r\n550 d\r\n354 e\r\n":
            peer.send(bytes([byte]))

    with hostile(greeting(in_pieces, *accept(), listen())) as server:
        receipt = connect(server.port).open().send(envelope(A, B), CONTENT)
    assert (receipt.accepted, receipt.refused[B].code) == ((A,), 550)


def test_the_transcript_shows_what_travelled_together(connect: Connect) -> None:
    with hostile(greeting(*accepting(), listen())) as server:
        session = connect(server.port).open()
        session.send(envelope(), CONTENT)
    assert [line[:6] for line in session.transcript.lines()[-8:]] == [
        "C: MAI", "C: RCP", "C: DAT", "S: 250", "S: 250", "S: 354", "C: [21", "S: 250",
    ]  # fmt: skip


# -- refusals
@pytest.mark.parametrize("after", [("503 5.5.1 need MAIL", "503 5.5.1 need RCPT"), ("550 no", "554 no")])
def test_the_sender_is_refused(connect: Connect, after: tuple[str, str]) -> None:
    """What the server says to the rest does not matter; no transaction is open, so the next needs no RSET."""
    with hostile(greeting(together("550 5.7.1 not you", *after), *accepting(), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(SenderRefused) as caught:
            session.send(envelope(), CONTENT)
        assert session.usable
        session.send(envelope(), CONTENT)
        lines = finished(session, server)
    assert (caught.value.code, caught.value.enhanced, caught.value.sender) == (550, "5.7.1", "s@example.test")
    assert "RSET" not in lines


def test_a_reset_is_not_repeated(connect: Connect) -> None:
    """RSET ended the open transaction, and a refused sender begins none: the next flight needs no RSET."""
    refusing = [together("250 ok", "550 no", "554 no"), together("250 reset", "550 no", "503 no", "503 no")]
    with hostile(greeting(*refusing, *accepting(), listen())) as server:
        session = connect(server.port).open()
        for kind in (RecipientsRefused, SenderRefused):
            with pytest.raises(kind):
                session.send(envelope(), CONTENT)
        session.send(envelope(), CONTENT)
        assert finished(session, server).count("RSET") == 1


def test_a_refused_sender_ends_a_long_envelope(connect: Connect) -> None:
    """The groups that are still to come are not sent."""
    with hostile(greeting(together("550 no", *["503 no"] * 102), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(SenderRefused):
            session.send(envelope(*people(150)), CONTENT)
        lines = finished(session, server)
    assert (len(lines), lines[-1]) == (105, "QUIT")


def test_the_server_finds_it_too_large(connect: Connect) -> None:
    """A 552 to MAIL, where the size was declared, comes before the content."""
    with hostile(greeting(together("552 5.3.4 too big", "503 no", "503 no"), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(MessageTooLarge):
            session.send(envelope(), CONTENT)
        assert "hello" not in finished(session, server)


def test_it_is_too_large_for_what_the_server_announced(connect: Connect) -> None:
    """Then nothing is sent at all."""
    with hostile(greeting(listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(MessageTooLarge):
            session.send(envelope(), b"x" * 1001)
        assert finished(session, server)[1:] == ["QUIT"]


def test_some_recipients_are_refused(connect: Connect) -> None:
    """The others get the message."""
    replies = together("250 ok", "550-5.1.1 no\n550 5.1.1 such user", "251 forwarded", "450 4.2.0 later", "354 go")
    with hostile(greeting(replies, *accept(), listen())) as server:
        receipt = connect(server.port).open().send(envelope(A, B, C), CONTENT)
    assert receipt.accepted == (B,)
    assert {name: (reply.code, reply.text) for name, reply in receipt.refused.items()} == {
        A: (550, "5.1.1 no 5.1.1 such user"),
        C: (450, "4.2.0 later"),
    }


def test_all_recipients_are_refused(connect: Connect) -> None:
    """No content is sent; the RSET that is needed goes in front of the next flight, not by itself."""
    refusing = together("250 ok", "550 5.1.1 no", "450 4.2.0 later", "554 no valid recipients")
    again = [together("250 reset", "250 ok", "250 ok", "354 go"), *accept()]
    with hostile(greeting(refusing, *again, listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(RecipientsRefused) as caught:
            session.send(envelope(A, B), CONTENT)
        assert session.usable
        assert session.send(envelope(C), CONTENT).accepted == (C,)
        lines = finished(session, server)
    assert caught.value.recipients == {A: (550, b"5.1.1 no"), B: (450, b"4.2.0 later")}
    assert (caught.value.code, caught.value.permanent) == (450, False)
    assert lines[5:8] == ["RSET", MAIL, f"RCPT TO:<{C}>"]


@pytest.mark.parametrize(
    ("verdict", "usable"),
    [
        ([say("250 2.0.0 queued as EMPTY"), hear()], True),
        ([say("554 no valid recipients"), hear()], True),
        ([say("354 go on"), listen()], False),
        ([say("421 bye"), listen()], False),
        ([say("garbage"), listen()], False),
        ([listen()], False),
        ([close()], False),
        ([reset()], False),
    ],
)
def test_go_ahead_for_nobody(connect: Connect, verdict: list[Step], usable: bool) -> None:
    """A 354 although all were refused is answered with a lone dot, whose reply accepts nothing (RFC 2920 3.1)."""
    with hostile(greeting(together("250 ok", "550 no", "551 no", "354 go"), hear(), *verdict)) as server:
        session = connect(server.port, timeout_seconds=0.3).open()
        with pytest.raises(RecipientsRefused) as caught:
            session.send(envelope(A, B), CONTENT)
        assert (session.usable, caught.value.content_sent) == (usable, False)
        lines = finished(session, server)
    assert lines[4:] == ["DATA", ".", *(["QUIT"] if usable else [])]


def test_after_the_lone_dot_no_reset_is_needed(connect: Connect) -> None:
    """Whatever its reply, the transaction is over."""
    script = greeting(together("250 ok", "550 no", "354 go"), answer("554 nobody"), *accepting(), listen())
    with hostile(script) as server:
        session = connect(server.port).open()
        with pytest.raises(RecipientsRefused):
            session.send(envelope(), CONTENT)
        assert session.send(envelope(), CONTENT).accepted == (A,)
        assert "RSET" not in finished(session, server)


def test_go_ahead_without_a_sender(connect: Connect) -> None:
    """The same where the sender was refused."""
    script = greeting(together("550 no", "503 no", "354 go"), answer("503 no"), *accepting(), listen())
    with hostile(script) as server:
        session = connect(server.port).open()
        with pytest.raises(SenderRefused):
            session.send(envelope(), CONTENT)
        assert session.send(envelope(), CONTENT).accepted == (A,)


@pytest.mark.parametrize("replies", [("550 no", "250 ok", "354 go"), ("550 no", "503 no", "250 ok")])
def test_no_empty_message_for_anybody(connect: Connect, replies: tuple[str, ...]) -> None:
    """Where the dot would send an empty message to somebody, or the reply makes no sense, the session is closed."""
    with hostile(greeting(together(*replies), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(SenderRefused):
            session.send(envelope(), CONTENT)
        assert not session.usable
        assert finished(session, server)[-1] == "DATA"


@pytest.mark.parametrize("reply", ["554 5.5.1 no", "451 4.3.0 later", "421 4.3.2 bye"])
def test_data_is_refused(connect: Connect, reply: str) -> None:
    """No content is sent; the transaction is still open, so the next flight begins with RSET."""
    again = [together("250 reset", "250 ok", "250 ok", "354 go"), *accept(), listen()]
    with hostile(greeting(together("250 ok", "250 ok", reply), *again)) as server:
        session = connect(server.port).open()
        with pytest.raises(DataRefused) as caught:
            session.send(envelope(), CONTENT)
        assert (caught.value.code, caught.value.stage) == (int(reply[:3]), Stage.DATA)
        assert session.usable is (caught.value.code != 421)
        if session.usable:
            assert session.send(envelope(), CONTENT).accepted == (A,)
            assert finished(session, server)[4:6] == ["RSET", MAIL]


@pytest.mark.parametrize(
    "replies",
    [
        ("500 RSET?", "503 nested MAIL", "250 ok", "354 go"),
        ("421 bye", "250 ok", "250 ok", "354 go"),
        ("354 go", "250 ok", "250 ok", "354 go"),
    ],
)
def test_reset_is_refused(connect: Connect, replies: tuple[str, ...]) -> None:
    """Then it is not sure whose transaction the 354 is for: no content goes out."""
    with hostile(greeting(together("250 ok", "550 no", "554 no"), together(*replies), listen())) as server:
        session = connect(server.port).open()
        with pytest.raises(RecipientsRefused):
            session.send(envelope(), CONTENT)
        with pytest.raises(ProtocolError, match="RSET") as caught:
            session.send(envelope(), CONTENT)
        assert (session.usable, caught.value.content_sent) == (False, False)
        assert "hello" not in finished(session, server)


# -- addresses that are not ASCII
def test_recipients_who_cannot_be_told_are_not_asked_for(connect: Connect) -> None:
    """They are refused by us, and the others go."""
    with hostile(greeting(*accepting(), listen())) as server:
        session = connect(server.port).open()
        receipt = session.send(envelope("jörg@x.test", A), CONTENT)
        assert (receipt.accepted, receipt.refused["jörg@x.test"].code) == ((A,), 553)


@pytest.mark.parametrize("ehlo", [OFFERS, "250 x"])
def test_nobody_can_be_told(connect: Connect, ehlo: str) -> None:
    """Then nothing is said."""
    with hostile(greeting(listen(), ehlo=ehlo)) as server:
        session = connect(server.port).open()
        with pytest.raises(RecipientsRefused) as caught:
            session.send(envelope("jörg@x.test"), CONTENT)
        assert finished(session, server)[1:] == ["QUIT"]
    assert caught.value.recipients["jörg@x.test"][0] == 553
