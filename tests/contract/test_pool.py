"""One pool of sessions for each app: what goes over which connection, how often, and when a message is sent again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask_mail import Message

from flask_smtpservers.errors import DataRefused, InDoubt, RecipientsRefused, SendError

from ..apps import Host, hosting, server_fields
from ..peers.hostile import Hostile, hostile
from ..peers.mailbox import Mailbox
from ..peers.postman import Postman, Visit

# The mailbox's SMTPS port takes logins inside the TLS of the port, of which aiosmtpd does not know.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def letter_to(*names: str) -> Message:
    return Message("Hello", recipients=[f"{name}@example.test" for name in names], body="Hi")


@contextmanager
def served(host: Host, postman: Postman) -> Iterator[Hostile]:
    """A postman, and the host's one server leads to it."""
    with hostile([postman.serve]) as server:
        host.smtp.add_server(
            name="Post", host="127.0.0.1", port=server.port, security="none", address="post@example.test"
        )
        yield server
        host.state.pool.close()
        server.settle()


def names(visit: Visit) -> list[str]:
    """Who got mail over a connection."""
    return [address.split("@")[0] for parcel in visit.parcels for address in parcel.recipients]


# -- which connection
def test_an_edit_takes_a_new_connection(shop: Host, mailbox: Mailbox) -> None:
    """Whatever a session depends on: nothing goes over a connection that was opened before the edit."""
    (server,) = shop.smtp.servers()
    shop.mail.send(letter_to("a"))
    edits: list[dict[str, Any]] = [
        {"timeout_seconds": 7},
        {"password": "s3cret-CANARY"},
        {"ca_certificate": mailbox.ca_pem, "password": "s3cret-CANARY"},
        {"port": mailbox.smtps, "security": "ssl", "password": "s3cret-CANARY"},
    ]
    for number, fields in enumerate(edits, 2):
        shop.smtp.edit_server(server.public_id, **fields)
        for _ in range(2):
            shop.mail.send(letter_to("b"))
        assert (mailbox.connections, len(mailbox.logins)) == (number, number), fields


def test_a_new_name_is_no_new_connection(bare: Host) -> None:
    """What the connection does not depend on may change; an error then names the server as it is called now."""
    postman = Postman()
    with served(bare, postman):
        bare.mail.send(letter_to("a"))
        (server,) = bare.smtp.servers()
        bare.smtp.edit_server(server.public_id, name="Renamed", sender_name="Corner Shop")
        with pytest.raises(RecipientsRefused, match="Renamed: ") as caught:
            bare.mail.send(letter_to("bad"))
    assert caught.value.server == "Renamed"
    assert caught.value.diagnosis is not None
    assert len(postman.visits) == 1


def test_the_built_in_server_uses_the_pool_too(bare: Host, mailbox: Mailbox) -> None:
    """And so it does with new MAIL_* settings, which some hosts change while they run."""
    for _ in range(3):
        bare.mail.send(letter_to("a"))
    assert mailbox.connections == 1
    bare.app.extensions["mail"].server = "127.0.0.1"
    bare.mail.send(letter_to("b"))
    assert (mailbox.connections, len(mailbox.letters)) == (2, 4)


def test_two_apps_share_nothing(shop: Host, mailbox: Mailbox, ca_file: Path) -> None:
    shop.mail.send(letter_to("a"))
    with hosting(ca_file=ca_file, MAIL_SERVER="localhost", MAIL_PORT=1) as other, other.app.app_context():
        other.smtp.add_server(**server_fields(mailbox))
        other.mail.send(letter_to("b"))
        assert mailbox.connections == 2


def test_a_refused_message_does_not_cost_the_connection(bare: Host) -> None:
    postman = Postman()
    with served(bare, postman):
        bare.mail.send(letter_to("a"))
        with pytest.raises(RecipientsRefused):
            bare.mail.send(letter_to("bad"))
        bare.mail.send(letter_to("b"))
    (visit,) = postman.visits
    assert names(visit) == ["a", "b"]
    assert visit.count("RSET") == 1


def test_debugging_shows_the_dialogue_from_its_beginning(bare: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """MAIL_DEBUG is no less when a session that is not shown rests already; and no more once it is off again."""
    postman = Postman()
    with served(bare, postman):
        bare.mail.send(letter_to("a"))
        bare.app.extensions["mail"].debug = 1
        bare.mail.send(letter_to("b"))
        shown = capsys.readouterr().err
        bare.app.extensions["mail"].debug = 0
        bare.mail.send(letter_to("c"))
        assert capsys.readouterr().err == ""
    assert "EHLO" in shown
    assert "RCPT TO:<b@example.test>" in shown


# -- how much is on the wire
@pytest.mark.parametrize("recipients", [1, 50, 98])
def test_flights(bare: Host, recipients: int) -> None:
    """A warm message takes two flights; no NOOP, no RSET."""
    postman = Postman()
    everybody = [f"u{number}" for number in range(recipients)]
    with served(bare, postman):
        bare.mail.send(letter_to(*everybody))
        (visit,) = postman.visits
        before = visit.flights
        bare.mail.send(letter_to(*everybody))
        assert visit.flights - before == 2
    assert [sorted(parcel.recipients) for parcel in visit.parcels] == [
        sorted(f"{name}@example.test" for name in everybody)
    ] * 2
    assert postman.total("NOOP") == postman.total("RSET") == 0


@pytest.mark.parametrize("threads", [8, 12])
def test_many_threads(ca_file: Path, tmp_path: Path, threads: int) -> None:
    """Many threads with twenty messages each: eight connections at most, and each message arrives once."""
    postman = Postman()
    url = f"sqlite:///{tmp_path / 'host.db'}"
    with hosting(url, ca_file=ca_file) as host, host.app.app_context(), served(host, postman):
        host.db.session.commit()

        def work(thread: int) -> None:
            with host.app.app_context():
                for number in range(20):
                    host.mail.send(letter_to(f"t{thread}-{number}"))

        running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join(60)
    assert 1 <= len(postman.visits) <= 8
    assert sorted(name for visit in postman.visits for name in names(visit)) == sorted(
        f"t{thread}-{number}" for thread in range(threads) for number in range(20)
    )


# -- settings
@contextmanager
def limited(**config: Any) -> Iterator[tuple[Host, Postman]]:
    postman = Postman()
    with hosting(**config) as host, host.app.app_context(), served(host, postman):
        yield host, postman


def test_messages_per_connection() -> None:
    with limited(SMTPSERVERS_POOL_MESSAGES=2) as (host, postman):
        for name in "abcde":
            host.mail.send(letter_to(name))
    assert [names(visit) for visit in postman.visits] == [["a", "b"], ["c", "d"], ["e"]]


def test_max_emails_is_a_limit_for_single_sends_too() -> None:
    """A host that sets MAIL_MAX_EMAILS has a server that ends connections after so many messages."""
    with limited(MAIL_MAX_EMAILS=3) as (host, postman):
        for name in "abcd":
            host.mail.send(letter_to(name))
    assert [names(visit) for visit in postman.visits] == [["a", "b", "c"], ["d"]]


@pytest.mark.parametrize("value", [0, -1, None, "many"])
def test_max_emails_that_is_no_limit(value: Any) -> None:
    with limited(MAIL_MAX_EMAILS=value) as (host, postman):
        for name in "abc":
            host.mail.send(letter_to(name))
    assert len(postman.visits) == 1


@pytest.mark.parametrize("setting", ["IDLE_SECONDS", "AGE_SECONDS"])
def test_how_long_a_connection_is_used(setting: str) -> None:
    with limited(**{f"SMTPSERVERS_POOL_{setting}": 0.000001}) as (host, postman):
        for name in "ab":
            host.mail.send(letter_to(name))
    assert [names(visit) for visit in postman.visits] == [["a"], ["b"]]


def test_how_many_connections_wait() -> None:
    with limited(SMTPSERVERS_POOL_IDLE_TOTAL=1) as (host, postman):
        host.mail.send(letter_to("a"))
        (server,) = host.smtp.servers()
        host.smtp.edit_server(server.public_id, timeout_seconds=7)
        host.mail.send(letter_to("b"))
        assert host.state.pool.resting == 1
    assert len(postman.visits) == 2


def test_how_many_connections_there_are() -> None:
    """Who finds all of them busy waits no longer than a message may take, and hears why it was not sent."""
    go_on, taken = threading.Event(), threading.Event()

    def slowly(visit: Visit, verb: str) -> None:
        if verb == ".":
            taken.set()
            go_on.wait(10)

    config = {"SMTPSERVERS_POOL_SIZE": 1, "SMTPSERVERS_DEADLINE_SECONDS": 5}
    with limited(**config) as (host, postman):
        postman.says = slowly

        def work() -> None:
            with host.app.app_context():
                host.mail.send(letter_to("a"))

        thread = threading.Thread(target=work)
        thread.start()
        assert taken.wait(5)
        host.state.settings = replace(host.state.settings, deadline_seconds=0.1)
        with pytest.raises(SendError, match="Post: All 1 connections to this server were busy"):
            host.mail.send(letter_to("b"))
        go_on.set()
        thread.join(10)
    assert [names(visit) for visit in postman.visits] == [["a"]]


# -- once more, but never twice
def second(verb: str) -> Any:
    """Hang up at a command of the second message of a connection."""
    return lambda visit, heard: heard == verb and len(visit.parcels) == 1


@pytest.mark.parametrize("verb", ["accepted", "MAIL", "RCPT", "DATA"])
def test_a_connection_that_died_meanwhile(bare: Host, verb: str) -> None:
    """Whether it shows before or at the first word, the message arrives once, over a new connection."""
    postman = Postman(hangs_up=second(verb))
    with served(bare, postman) as server:
        bare.mail.send(letter_to("a"))
        if verb == "accepted":
            server.settle()
        bare.mail.send(letter_to("b"))
    assert [names(visit) for visit in postman.visits] == [["a"], ["b"]]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_connection_that_ends_with_421(bare: Host, verb: str) -> None:
    """A 421 before the content says as much."""
    says = second(verb)
    postman = Postman(says=lambda visit, heard: "421 4.3.2 that is enough" if says(visit, heard) else None)
    with served(bare, postman):
        bare.mail.send(letter_to("a"))
        bare.mail.send(letter_to("b", "c"))
    assert [sorted(names(visit)) for visit in postman.visits] == [["a"], ["b", "c"]]


def test_no_content_is_sent_twice(bare: Host) -> None:
    """Once the content went out, nobody knows: the message is in doubt, and is not sent again."""
    postman = Postman(hangs_up=second("."))
    with served(bare, postman):
        bare.mail.send(letter_to("a"))
        with pytest.raises(InDoubt):
            bare.mail.send(letter_to("b"))
        assert postman.total("DATA") == 2
        bare.mail.send(letter_to("c"))
    assert [names(visit) for visit in postman.visits] == [["a"], ["c"]]


def test_a_421_in_place_of_the_verdict_is_a_refusal(bare: Host) -> None:
    """The server has not taken it, and says so; sending it again is the caller's affair."""
    says = second(".")
    postman = Postman(says=lambda visit, heard: "421 4.3.2 bye" if says(visit, heard) else None)
    with served(bare, postman):
        bare.mail.send(letter_to("a"))
        with pytest.raises(DataRefused) as caught:
            bare.mail.send(letter_to("b"))
    assert (caught.value.code, caught.value.content_sent, postman.total("DATA")) == (421, True, 2)


def test_a_new_connection_that_dies_is_an_error(bare: Host) -> None:
    """It is tried once, not for ever: neither a first connection nor a replacement is replaced."""
    postman = Postman(hangs_up=lambda visit, verb: verb == "MAIL")
    with served(bare, postman):
        for number in (1, 2):
            with pytest.raises(SendError):
                bare.mail.send(letter_to("a"))
            assert len(postman.visits) == number
        postman.hangs_up = lambda visit, verb: False
        bare.mail.send(letter_to("a"))
        postman.hangs_up = lambda visit, verb: verb == "MAIL"
        with pytest.raises(SendError):
            bare.mail.send(letter_to("b"))
    assert len(postman.visits) == 4
    assert postman.total("MAIL") == 5


def test_the_server_restarts() -> None:
    """All connections that wait are dead at once: one is tried, the others are closed, and a new one is opened."""
    together = threading.Barrier(3, timeout=10)
    restarted = threading.Event()

    def says(visit: Visit, verb: str) -> None:
        if verb == "DATA" and not restarted.is_set():
            together.wait()

    postman = Postman(says=says, hangs_up=lambda visit, verb: restarted.is_set() and bool(visit.parcels))
    with hosting() as host, host.app.app_context(), served(host, postman):

        def work(name: str) -> None:
            with host.app.app_context():
                host.mail.send(letter_to(name))

        threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert host.state.pool.resting == 3
        restarted.set()
        host.mail.send(letter_to("d"))
    assert [names(visit) for visit in postman.visits[3:]] == [["d"]]
    assert postman.total("MAIL") == 5


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_server_that_chokes_on_pipelining(shop: Host, pipelining: bool) -> None:
    """Switched off for one server, commands go out one by one, although it offers PIPELINING."""
    postman = Postman()
    with served(shop, postman):
        (server,) = [each for each in shop.smtp.servers() if each.name == "Post"]
        shop.smtp.edit_server(server.public_id, pipelining=pipelining)
        shop.smtp.send(letter_to("a", "b", "c"), using="Post")
    (visit,) = postman.visits
    # EHLO, MAIL with three RCPT and DATA, content, QUIT; or each command by itself
    assert visit.flights == (4 if pipelining else 8)
