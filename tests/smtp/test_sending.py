"""Handing over a message: envelope, options, refusals and verdicts, command by command."""

from __future__ import annotations

import pytest

from flask_smtpservers.errors import (
    DataRefused,
    InDoubt,
    MessageRefused,
    MessageTooLarge,
    ProtocolError,
    RecipientsRefused,
    SenderRefused,
    SendError,
)
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp import Envelope, Receipt, Reply, Session

from ..peers.hostile import Hostile, Step, answer, hear_content, hostile, listen, say
from .conftest import Connect

CONTENT = b"Subject: x\r\n\r\nhello\r\n"
A, B, C = "a@example.test", "b@example.test", "c@example.test"
EVERYTHING = "250-x\n250-SIZE 1000\n250-8BITMIME\n250-DSN\n250 SMTPUTF8"


def greeting(*steps: Step, ehlo: str = "250 x") -> list[Step]:
    return [say("220 hi"), answer(ehlo), *steps, listen()]


def envelope(*recipients: str, sender: str = "s@example.test", **options: tuple[str, ...]) -> Envelope:
    return Envelope(sender=sender, recipients=recipients or (A,), **options)


def accepting(count: int = 1) -> list[Step]:
    """MAIL, so many RCPT, DATA, content."""
    return [answer("250 ok", *["250 ok"] * count, "354 go"), hear_content(), say("250 2.0.0 Ok: queued as Q1")]


def finished(session: Session, server: Hostile) -> list[str]:
    session.close()
    server.settle()
    return server.lines


def test_one_message(connect: Connect) -> None:
    """MAIL, RCPT, DATA, content, QUIT: nothing else is said."""
    with hostile(greeting(*accepting(2))) as server:
        session = connect(server.port).open()
        receipt = session.send(envelope(A, B), CONTENT)
        assert session.usable
        lines = finished(session, server)
    assert receipt == Receipt(accepted=(A, B), refused={}, reply=Reply(250, ("2.0.0 Ok: queued as Q1",)), queue_id="Q1")
    assert lines[1:5] == ["MAIL FROM:<s@example.test>", f"RCPT TO:<{A}>", f"RCPT TO:<{B}>", "DATA"]
    assert lines[5:] == ["Subject: x", "", "hello", ".", "QUIT"]


def test_several_messages(connect: Connect) -> None:
    """A session carries one message after the other, without RSET or NOOP between them."""
    with hostile(greeting(*accepting(), *accepting())) as server:
        session = connect(server.port).open()
        session.send(envelope(A), CONTENT)
        session.send(envelope(B), CONTENT)
        lines = finished(session, server)
    assert [line.split(":")[0] for line in lines if line.split(" ")[0] in ("MAIL", "RSET", "NOOP")] == [
        "MAIL FROM",
        "MAIL FROM",
    ]


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b"x\r\n", b"x\r\n.\r\n"),
        (b"x", b"x\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b".x\r\n..\r\n\r\n.\r\n", b"..x\r\n...\r\n\r\n..\r\n.\r\n"),
        (b"a.\r\n.b", b"a.\r\n..b\r\n.\r\n"),
    ],
)
def test_dots(connect: Connect, content: bytes, wire: bytes) -> None:
    """Leading dots are doubled and the final one is ours (RFC 5321 4.5.2, T33)."""
    script = greeting(answer("250 ok", "250 ok", "354 go"), lambda peer: peer.hear_until(wire), say("250 ok"))
    with hostile(script) as server:
        session = connect(server.port).open()
        session.send(envelope(), content)
        session.close()
        server.settle()
    assert server.received.endswith(b"DATA\r\n" + wire + b"QUIT\r\n")


@pytest.mark.parametrize(
    "content", [b"a\nb", b"a\rb", b"a\r\r\nb", b"a\n\r\nb", b"a\0b", b"\n.\n", b"\r.\r", b"a\r\n.\n"]
)
def test_content_that_could_smuggle(connect: Connect, content: bytes) -> None:
    """Bare CR, bare LF and NUL are refused before MAIL (T33)."""
    with hostile(greeting()) as server:
        session = connect(server.port).open()
        with pytest.raises(MessageRefused, match="CRLF"):
            session.send(envelope(), content)
        with pytest.raises(MessageRefused, match="CRLF"):
            session.data(content)
        assert session.usable
        assert finished(session, server)[1:] == ["QUIT"]


# -- addresses and options
@pytest.mark.parametrize(
    "address",
    [
        "a b@x.test",
        "a@x.test\r\nRCPT TO:<evil@x.test>",
        "a@x.test\n",
        "a\0@x.test",
        "<a@x.test>",
        "a@x.test> SIZE=1",
        "a@x.test>",
        " a@x.test",
        "a\t@x.test",
        "a\udcff@x.test",
        "a" * 250 + "@x.test",
        "a@ex℀mple.test",
        "a@ä..test",
        "a@x.test,b@y.test;ä@-ä.-",
    ],
)
def test_addresses_that_could_break_the_command(connect: Connect, address: str) -> None:
    """Such an address is refused before anything is sent, as sender and as recipient (T32, I01)."""
    with hostile(greeting()) as server:
        session = connect(server.port).open()
        for bad in (envelope(address), envelope(A, address), envelope(sender=address)):
            with pytest.raises(MessageRefused):
                session.send(bad, CONTENT)
        with pytest.raises(MessageRefused):
            session.mail_from(address)
        with pytest.raises(MessageRefused):
            session.rcpt_to(address)
        assert finished(session, server)[1:] == ["QUIT"]


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("", "<>"),
        ("postmaster", "<postmaster>"),
        ("User.Name+tag@Example.Test", "<User.Name+tag@Example.Test>"),
        ('"q.x"@x.test', '<"q.x"@x.test>'),
        ("a@[192.0.2.1]", "<a@[192.0.2.1]>"),
        ("a@faß.de", "<a@xn--fa-hia.de>"),
        ("a@BÜCHER.example", "<a@xn--bcher-kva.example>"),
        ("a@my_host", "<a@my_host>"),
    ],
)
def test_addresses(connect: Connect, address: str, path: str) -> None:
    """Addresses travel as they are; domains as A-labels by UTS #46 (I05)."""
    with hostile(greeting(answer("250 ok", "250 ok"))) as server:
        session = connect(server.port).open()
        session.mail_from(address)
        session.rcpt_to(address or A)
        lines = finished(session, server)
    assert lines[1] == f"MAIL FROM:{path}"
    assert lines[2] == f"RCPT TO:{path if address else f'<{A}>'}"


def test_repeated_recipients(connect: Connect) -> None:
    """A recipient that is named twice gets one RCPT; none at all is refused."""
    with hostile(greeting(*accepting(2))) as server:
        session = connect(server.port).open()
        assert session.send(envelope(A, B, A), CONTENT).accepted == (A, B)
        with pytest.raises(MessageRefused, match="no recipient"):
            session.send(Envelope(sender=A, recipients=()), CONTENT)


def test_options(connect: Connect) -> None:
    """What transport takes is declared by the session, and only where it is offered; DSN options pass."""
    content = "Subject: x\r\n\r\nä\r\n".encode()
    options: dict[str, tuple[str, ...]] = {
        "mail_options": ("ret=HDRS", "ENVID=a+2Bb", "SIZE=1", "BODY=7BIT"),
        "rcpt_options": ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;a+40x.test"),
    }
    with hostile(greeting(*accepting(), ehlo=EVERYTHING)) as server:
        session = connect(server.port).open()
        session.send(envelope(**options), content)
        lines = finished(session, server)
    assert lines[1] == f"MAIL FROM:<s@example.test> SIZE={len(content)} BODY=8BITMIME ret=HDRS ENVID=a+2Bb"
    assert lines[2] == f"RCPT TO:<{A}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+40x.test"


def test_options_that_are_not_offered(connect: Connect) -> None:
    """SIZE, BODY and SMTPUTF8 are not sent to a server that does not know them (P12)."""
    content = "Subject: x\r\n\r\nä\r\n".encode()
    with hostile(greeting(*accepting())) as server:
        session = connect(server.port).open()
        session.send(envelope(mail_options=("BODY=8BITMIME", "SMTPUTF8", "SIZE=9")), content)
        assert finished(session, server)[1] == "MAIL FROM:<s@example.test>"


@pytest.mark.parametrize(
    ("mail", "rcpt"),
    [
        (("SIZE=1 AUTH=<>",), ()),
        (("AUTH=<>",), ()),
        (("RET=FULL\r\nRCPT TO:<x>",), ()),
        (("X=1",), ()),
        (("NOTIFY=NEVER",), ()),
        (("RET=a=b",), ()),
        (("",), ()),
        (("BODY=BINARYMIME",), ()),
        (("BODY",), ()),
        ((), ("RET=FULL",)),
        ((), ("NOTIFY=NEVER ORCPT=x",)),
        ((), ("NOTIFY=NÉVER",)),
    ],
)
def test_options_that_are_refused(connect: Connect, mail: tuple[str, ...], rcpt: tuple[str, ...]) -> None:
    """Options outside the list, or with a blank in them, are refused before anything is sent (I08)."""
    with hostile(greeting(ehlo=EVERYTHING)) as server:
        session = connect(server.port).open()
        with pytest.raises(MessageRefused):
            session.send(envelope(mail_options=mail, rcpt_options=rcpt), CONTENT)
        with pytest.raises(MessageRefused):
            session.mail_from(A, options=mail) if mail else session.rcpt_to(A, options=rcpt)
        assert finished(session, server)[1:] == ["QUIT"]


# -- SMTPUTF8
def test_smtputf8(connect: Connect) -> None:
    """Addresses with a non-ASCII local part go where SMTPUTF8 is offered."""
    with hostile(greeting(*accepting(2), ehlo=EVERYTHING)) as server:
        session = connect(server.port).open()
        session.send(envelope("jörg@bücher.example", A), CONTENT)
        lines = finished(session, server)
    assert lines[1] == f"MAIL FROM:<s@example.test> SIZE={len(CONTENT)} SMTPUTF8"
    assert lines[2].encode("latin-1").decode() == "RCPT TO:<jörg@xn--bcher-kva.example>"


def test_smtputf8_is_not_offered(connect: Connect) -> None:
    """Otherwise that recipient is refused, by us, and the others get the message (P12)."""
    with hostile(greeting(*accepting())) as server:
        session = connect(server.port).open()
        receipt = session.send(envelope("jörg@x.test", A), CONTENT)
        lines = finished(session, server)
    assert receipt.accepted == (A,)
    assert (receipt.refused["jörg@x.test"].code, receipt.refused["jörg@x.test"].enhanced) == (553, "5.6.7")
    assert [line for line in lines if line.startswith("RCPT")] == [f"RCPT TO:<{A}>"]


def test_a_sender_that_needs_smtputf8(connect: Connect) -> None:
    """A sender that cannot be told to the server is refused, by us."""
    with hostile(greeting()) as server:
        session = connect(server.port).open()
        with pytest.raises(SenderRefused) as caught:
            session.send(envelope(sender="jörg@x.test"), CONTENT)
        assert finished(session, server)[1:] == ["QUIT"]
    assert (caught.value.code, caught.value.enhanced, caught.value.sender) == (553, "5.6.7", "jörg@x.test")


# -- SIZE
def test_a_message_over_the_limit(connect: Connect) -> None:
    """A message above the server's SIZE is refused before a byte of it is sent, with both figures (P11)."""
    with hostile(greeting(ehlo=EVERYTHING)) as server:
        session = connect(server.port).open()
        with pytest.raises(MessageTooLarge, match="1,001 bytes; the server takes at most 1,000") as caught:
            session.send(envelope(), b"x" * 1001)
        assert session.usable
        assert finished(session, server)[1:] == ["QUIT"]
    assert (caught.value.code, caught.value.permanent, caught.value.stage) == (552, True, Stage.MAIL_FROM)


@pytest.mark.parametrize("limit", ["SIZE", "SIZE 0", "SIZE x", "SIZE -1", "SIZE 1000"])
def test_sizes_that_pass(connect: Connect, limit: str) -> None:
    """No limit, no number, and exactly the limit: the size is declared and the server decides."""
    with hostile(greeting(answer("250 ok"), ehlo=f"250-x\n250 {limit}")) as server:
        session = connect(server.port).open()
        session.mail_from(A, size=1000)
        assert finished(session, server)[1] == f"MAIL FROM:<{A}> SIZE=1000"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("552 5.3.4 too big", MessageTooLarge),
        ("552 too big", MessageTooLarge),
        ("550 5.2.3 no", SenderRefused),
        ("552 5.2.2 mailbox full", SenderRefused),
        ("451 4.3.0 later", SenderRefused),
        ("421 4.3.2 bye", SenderRefused),
        ("530 5.7.0 must sign in first", SenderRefused),
    ],
)
def test_sender_refused(connect: Connect, reply: str, kind: type[SenderRefused]) -> None:
    """A refused MAIL names the sender and keeps the server's words; the session goes on unless it was a 421."""
    with hostile(greeting(answer(reply))) as server:
        session = connect(server.port).open()
        with pytest.raises(SenderRefused) as caught:
            session.send(envelope(), CONTENT)
        assert session.usable is (not reply.startswith("421"))
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.stage, error.sender, error.reply) == (
        int(reply[:3]),
        Stage.MAIL_FROM,
        "s@example.test",
        reply[4:],
    )
    assert error.permanent is reply.startswith("5")
    assert error.server == "Shop mail"


# -- recipients
@pytest.mark.parametrize(
    "reply", ["250 ok", "251 will forward", "252 cannot verify", "299 <script>alert(1)</script>\x1b[2J\xff"]
)
def test_any_2yz_accepts_a_recipient(connect: Connect, reply: str) -> None:
    """The first digit decides (P14)."""
    with hostile(greeting(answer("250 ok", reply, "354 go"), hear_content(), say("250 ok"))) as server:
        assert connect(server.port).open().send(envelope(), CONTENT).accepted == (A,)


def test_some_recipients_are_refused(connect: Connect) -> None:
    """The others get the message; each refusal is kept with its reply."""
    script = greeting(
        answer("250 ok", "550-5.1.1 no\n550 5.1.1 such user", "250 ok", "450 4.2.0 later", "354 go"),
        hear_content(),
        say("250 ok"),
    )
    with hostile(script) as server:
        receipt = connect(server.port).open().send(envelope(A, B, C), CONTENT)
    assert receipt.accepted == (B,)
    assert {address: (reply.code, reply.text) for address, reply in receipt.refused.items()} == {
        A: (550, "5.1.1 no 5.1.1 such user"),
        C: (450, "4.2.0 later"),
    }


def test_all_recipients_are_refused(connect: Connect) -> None:
    """Then no content is sent; the error maps each address as smtplib's does; one passing refusal makes it pass."""
    script = greeting(answer("250 ok", "550 5.1.1 no", "450 4.2.0 later", "250 reset", "250 ok"))
    with hostile(script) as server:
        session = connect(server.port).open()
        with pytest.raises(RecipientsRefused) as caught:
            session.send(envelope(A, B), CONTENT)
        assert session.usable
        session.mail_from(A)
        lines = finished(session, server)
    assert caught.value.recipients == {A: (550, b"5.1.1 no"), B: (450, b"4.2.0 later")}
    assert (caught.value.code, caught.value.permanent, caught.value.stage) == (450, False, Stage.RCPT_TO)
    assert lines[4:] == ["RSET", f"MAIL FROM:<{A}>", "QUIT"]


def test_one_recipient_is_refused(connect: Connect) -> None:
    """One refused recipient is named in the text."""
    with (
        hostile(greeting(answer("250 ok", "550 5.1.1 no"))) as server,
        pytest.raises(RecipientsRefused, match=A) as caught,
    ):
        connect(server.port).open().send(envelope(A), CONTENT)
    assert (caught.value.permanent, caught.value.enhanced) == (True, "5.1.1")


def test_421_at_a_recipient(connect: Connect) -> None:
    """A 421 ends it for everybody, also for those accepted before; all may be tried again (P07)."""
    with hostile(greeting(answer("250 ok", "250 ok", "550 5.1.1 no", "421 4.3.2 bye"))) as server:
        session = connect(server.port).open()
        with pytest.raises(RecipientsRefused) as caught:
            session.send(envelope(A, B, C, "d@example.test"), CONTENT)
        assert not session.usable
        server.settle()
    assert {address: code for address, (code, _) in caught.value.recipients.items()} == {
        A: 421,
        B: 550,
        C: 421,
        "d@example.test": 421,
    }
    assert (caught.value.code, caught.value.permanent) == (421, False)
    assert server.verbs[-1] == "RCPT"


def test_rcpt_to_returns_refusals(connect: Connect) -> None:
    """A check asks for one recipient and reads the reply."""
    with hostile(greeting(answer("250 ok", "550 5.1.1 no", "250 reset"))) as server:
        session = connect(server.port).open()
        session.mail_from("")
        assert session.rcpt_to(A) == Reply(550, ("5.1.1 no",))
        assert session.rcpt_to("jörg@x.test").code == 553
        session.reset()
        assert finished(session, server)[1:] == ["MAIL FROM:<>", f"RCPT TO:<{A}>", "RSET", "QUIT"]


def test_reset_is_refused(connect: Connect) -> None:
    """A server that does not take RSET is of no more use."""
    with hostile(greeting(answer("554 no"))) as server:
        session = connect(server.port).open()
        with pytest.raises(ProtocolError):
            session.reset()
        assert not session.usable


# -- DATA
@pytest.mark.parametrize("reply", ["554 5.5.1 no valid recipients", "451 4.3.0 later", "421 4.3.2 bye"])
def test_data_is_refused(connect: Connect, reply: str) -> None:
    """A refused DATA sends no content."""
    with hostile(greeting(answer("250 ok", "250 ok", reply))) as server:
        session = connect(server.port).open()
        with pytest.raises(DataRefused) as caught:
            session.send(envelope(), CONTENT)
        usable = session.usable
        lines = finished(session, server)
    assert (caught.value.code, caught.value.stage) == (int(reply[:3]), Stage.DATA)
    assert usable is (not reply.startswith("421"))
    assert lines[4:] == (["QUIT"] if usable else [])


@pytest.mark.parametrize(
    ("replies", "stage"),
    [
        (["354 go"], Stage.MAIL_FROM),
        (["250 ok", "354 go"], Stage.RCPT_TO),
        (["250 ok", "250 ok", "250 ok"], Stage.DATA),
        (["250 ok", "250 ok", "334 x"], Stage.DATA),
    ],
)
def test_replies_that_make_no_sense(connect: Connect, replies: list[str], stage: Stage) -> None:
    """3yz where none belongs, or 250 to DATA: the two are out of step, and no content is sent (P15)."""
    with hostile(greeting(answer(*replies))) as server:
        session = connect(server.port).open()
        with pytest.raises(ProtocolError, match="no sense") as caught:
            session.send(envelope(), CONTENT)
        assert not session.usable
        server.settle()
    assert (caught.value.stage, caught.value.permanent) == (stage, False)
    assert b"hello" not in server.received


@pytest.mark.parametrize(
    ("verdict", "usable"), [("250 ok", True), ("251 fine", True), ("200 ok", True), ("250 ok\n421 closing", False)]
)
def test_accepted(connect: Connect, verdict: str, usable: bool) -> None:
    """A 2yz after the final dot is success, whatever is said behind it."""
    script = greeting(answer("250 ok", "250 ok", "354 go"), hear_content(), say(*verdict.split("\n")))
    with hostile(script) as server:
        session = connect(server.port).open()
        assert session.send(envelope(), CONTENT).accepted == (A,)
        assert session.usable is usable
        if not usable:
            with pytest.raises(SendError) as caught:
                session.send(envelope(), CONTENT)
            assert caught.value.code == 421
            assert not caught.value.permanent


@pytest.mark.parametrize("verdict", ["554 5.7.1 spam", "452 4.3.1 disk full", "421 4.3.2 bye"])
def test_refused_after_the_dot(connect: Connect, verdict: str) -> None:
    """A 4yz or 5yz after the final dot is a refusal: the message was certainly not accepted."""
    script = greeting(answer("250 ok", "250 ok", "354 go"), hear_content(), say(verdict))
    with hostile(script) as server:
        session = connect(server.port).open()
        with pytest.raises(DataRefused) as caught:
            session.send(envelope(), CONTENT)
        assert session.usable is (not verdict.startswith("421"))
    assert (caught.value.code, caught.value.reply) == (int(verdict[:3]), verdict[4:])


def test_a_verdict_that_is_none(connect: Connect) -> None:
    """A 3yz after the final dot leaves it in doubt."""
    script = greeting(answer("250 ok", "250 ok", "354 go"), hear_content(), say("354 more?"))
    with hostile(script) as server:
        session = connect(server.port).open()
        with pytest.raises(InDoubt) as caught:
            session.send(envelope(), CONTENT)
        assert not session.usable
    assert (caught.value.code, caught.value.permanent, caught.value.reply) == (354, False, "more?")
