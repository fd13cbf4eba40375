"""What users can make this app connect to, and what they learn of it: table S of the threat model, and T04, T05.

Every name leads where a test says, public addresses end at ports of this machine, and the guard is the real one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
import trustme
from flask import session
from flask_mail import Message

from flask_smtpservers.errors import AddressBlocked
from flask_smtpservers.findings import Stage, Step, StepState
from flask_smtpservers.sending.fence import Patience, behind_fence
from flask_smtpservers.smtp import Endpoint, Security
from flask_smtpservers.web.turns import take_turn
from tests.apps import Host
from tests.peers.hostile import Hostile, hang, hear, hostile, say, server_context, start_tls
from tests.peers.mailbox import Mailbox
from tests.web.browser import Browser, words

from .conftest import ANN, Internet, MakeSite, person, servers_of, typed

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
TARGET = "mail.target.test"
SENTENCE = "This page says the same in all these cases."
#: How long a test may take here; a failure that is kept back is answered after half of it.
SECONDS = 0.4


@pytest.fixture
def fenced(make_site: MakeSite) -> Host:
    """A host that names no hosts for users, and allows its admins all of the machine's own networks."""
    return make_site(
        SMTPSERVERS_PERSONAL_HOSTS=[],
        SMTPSERVERS_ALLOWED_NETWORKS=["0.0.0.0/0", "::/0"],
        SMTPSERVERS_TEST_DEADLINE_SECONDS=SECONDS,
    )


@pytest.fixture
def user(fenced: Host) -> Browser:
    return person(fenced.app, "ann")


def tried(user: Browser, mailbox: Mailbox, host: str = TARGET, path: str = "/me/test", **changes: str) -> Any:
    fields = {"host": host, "port": "587", "name": "Mine", **changes}
    return user.post(path, typed(mailbox, **fields))


def body(response: Any, host: str = "") -> str:
    """The page without what is random in every page, and without the host that was typed."""
    text = re.sub(r'(name="(?:csrf_token|mark|draft|tested)" value=)"[^"]*"', r"\1", response.text)
    return text.replace(host, "HOST") if host else text


# -- one answer


@contextmanager
def leading(
    internet: Internet, to: str, peer: AbstractContextManager[Hostile] | None = None
) -> Iterator[Hostile | None]:
    internet.names[TARGET] = [[to]]
    with peer or nullcontext() as server:
        if server is not None:
            internet.ports[to] = server.port
        yield server
    internet.names.clear()
    internet.ports.clear()


def lost(internet: Internet) -> AbstractContextManager[Any]:
    internet.lost.add(PUBLIC)
    return leading(internet, PUBLIC)


def unknown(internet: Internet) -> AbstractContextManager[Any]:
    return nullcontext()


def mixed(internet: Internet) -> AbstractContextManager[Any]:
    internet.names[TARGET] = [[PUBLIC, "10.0.0.1"]]
    return nullcontext()


_GREETED = [say("220 secret-host"), hear()]
_ENCRYPTED = [*_GREETED, say("250-secret-host", "250 STARTTLS"), hear(), say("220 go"), start_tls()]

TARGETS: dict[str, Callable[[Internet], AbstractContextManager[Any]]] = {
    "private": lambda internet: leading(internet, "10.0.0.1"),
    "loopback": lambda internet: leading(internet, "127.0.0.1"),
    "metadata": lambda internet: leading(internet, "169.254.169.254"),
    "mapped": lambda internet: leading(internet, "::ffff:127.0.0.1"),
    "public and private": lambda internet: mixed(internet),
    "no such name": lambda internet: unknown(internet),
    "refused": lambda internet: leading(internet, PUBLIC),
    "lost": lambda internet: lost(internet),
    "ssh": lambda internet: leading(internet, PUBLIC, hostile([say("SSH-2.0-OpenSSH_9.6 secret-host")])),
    "http": lambda internet: leading(internet, PUBLIC, hostile([say("HTTP/1.1 400", "Server: secret-host")])),
    "silent": lambda internet: leading(internet, PUBLIC, hostile([hang()])),
    "hangs up": lambda internet: leading(internet, PUBLIC, hostile([])),
    "busy": lambda internet: leading(internet, PUBLIC, hostile([say("554 secret-host wants nothing")])),
    "no encryption": lambda internet: leading(internet, PUBLIC, hostile([*_GREETED, say("250 secret-host"), hang()])),
    "foreign certificate": lambda internet: leading(internet, PUBLIC, hostile(_ENCRYPTED, ca=trustme.CA())),
}


def test_every_failure_before_a_verified_greeting_looks_the_same(
    user: Browser, mailbox: Mailbox, internet: Internet
) -> None:
    """Byte for byte, and no sooner: forbidden, unknown, refused, lost, not a mail server (S01-S05, S13)."""
    tried(user, mailbox)  # the first one makes what the others find ready
    bodies: dict[str, tuple[str, str]] = {}
    took: dict[str, float] = {}
    for name, lead in TARGETS.items():
        with lead(internet):
            began = time.monotonic()
            page = tried(user, mailbox)
            took[name] = time.monotonic() - began
            part = tried(user, mailbox, fragment="1")
        bodies[name] = (body(page), body(part))
        assert page.status_code == part.status_code == 200
        assert SENTENCE in page.text
        assert "secret-host" not in page.text + part.text
        internet.lost.clear()
    assert {name: found for name, found in bodies.items() if found != bodies["refused"]} == {}
    assert min(took.values()) >= SECONDS / 2, took
    assert set(internet.dialled) == {PUBLIC}


@pytest.mark.parametrize("lasts", [0.0, 0.3, 4.0, 8.9])
def test_the_answer_comes_at_the_same_moment(lasts: float) -> None:
    """However soon or late an attempt fails; a deadline ends the latest before that moment."""
    now = [100.0]

    def steps(patience: Patience) -> Iterator[Step]:
        now[0] += lasts
        assert patience.remaining() == pytest.approx(9.0 - lasts)
        yield Step(Stage.RESOLVE, StepState.FAILED, raw=f"took {lasts}")

    patience = Patience(20.0, lambda: now[0])
    endpoint = Endpoint(name="x", host=TARGET, port=587, security=Security.STARTTLS)
    first = next(
        behind_fence(steps(patience), endpoint, patience, lambda seconds: now.__setitem__(0, now[0] + seconds))
    )
    assert (first.stage, now[0]) == (Stage.SETTINGS, pytest.approx(110.0))


def test_who_greets_and_is_verified_gets_the_whole_time() -> None:
    """A slow mail server is not cut off where an unknown one would be."""
    now = [0.0]
    patience = Patience(20.0, lambda: now[0])
    passed = (Stage.RESOLVE, Stage.CONNECT, Stage.TLS, Stage.CERTIFICATE, Stage.GREETING, Stage.EHLO)

    def steps() -> Iterator[Step]:
        for stage in passed:
            now[0] += 1.0
            yield Step(stage, StepState.OK, raw="secret-host")
        assert patience.remaining() == pytest.approx(14.0)

    endpoint = Endpoint(name="x", host=TARGET, port=465, security=Security.SSL)
    shown = list(behind_fence(steps(), endpoint, patience, lambda seconds: pytest.fail("it waits")))
    assert [step.stage for step in shown] == list(passed)
    assert {step.raw for step in shown} == {""}


def test_the_one_answer_does_not_come_step_by_step(user: Browser, mailbox: Mailbox, internet: Internet) -> None:
    """Nothing of the test is out before it has ended: how far it came cannot be seen from the stream."""
    internet.names[TARGET] = [[PUBLIC]]
    data = {**typed(mailbox, host=TARGET, port="587", fragment="1"), "csrf_token": user.token()}
    began = time.monotonic()
    response = user.client.post("/smtp/me/test", data=data, buffered=False)
    pieces = iter(response.response)
    assert "Testing" in str(next(pieces))
    waited = []
    for _piece in pieces:
        waited.append(time.monotonic() - began)
    assert min(waited) >= SECONDS / 2
    response.close()


NOT_PUBLIC = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "192.0.2.1", "224.0.0.1"),
    *("240.0.0.1", "255.255.255.255", "0.0.0.0", "169.254.169.254", "::1", "::", "::ffff:127.0.0.1"),
    *("::ffff:a9fe:a9fe", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
]
NO_NAMES = [
    *("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "169.254.43518", "fe80::1%lo", "0"),
    *("localhost", "LOCALHOST", "mail", "a..b", ".", "", "-a.test", "a_b.test", "1.2.3.4.5", "x" * 64 + ".test"),
]


def test_addresses_that_are_not_public(make_site: MakeSite, mailbox: Mailbox, internet: Internet) -> None:
    """Whatever the operator allows his admins: no connection, and the one sentence (S01, S02, S12)."""
    allowed = {"SMTPSERVERS_ALLOWED_NETWORKS": ["0.0.0.0/0", "::/0"], "SMTPSERVERS_PERSONAL_HOSTS": []}
    site = make_site(SMTPSERVERS_TEST_DEADLINE_SECONDS=0.1, **allowed)
    user = person(site.app, "ann")
    for host in NOT_PUBLIC:
        answer = tried(user, mailbox, host)
        assert SENTENCE in answer.text, host
        assert "public address" not in answer.text, host
    assert (internet.dialled, mailbox.connections) == ([], 0)


def test_what_is_no_host_name(user: Browser, mailbox: Mailbox, internet: Internet) -> None:
    """The form says so; nothing is looked up (S03, S08)."""
    for host in NO_NAMES:
        assert tried(user, mailbox, host).status_code == 422, host
    assert (internet.resolved, internet.dialled) == ([], [])


@pytest.mark.parametrize("port", ["0", "-1", "65536", "22", "6379", "80", "11211", "2e1", "٢٥"])
def test_ports_that_users_may_not_use(user: Browser, mailbox: Mailbox, internet: Internet, port: str) -> None:
    """S09: neither saved nor tested."""
    internet.names[TARGET] = [[PUBLIC]]
    for path in ("/me/test", "/me/add", "/me/set-up/check"):
        answer = tried(user, mailbox, TARGET, path, port=port)
        assert answer.status_code == 422, path
    assert (internet.resolved, internet.dialled) == ([], [])


def test_a_name_that_leads_elsewhere_afterwards(user: Browser, mailbox: Mailbox, internet: Internet) -> None:
    """It is looked up once for each attempt, and connected to what was looked at (S06, T02)."""
    internet.names[TARGET] = [[PUBLIC], ["127.0.0.1"]]
    tried(user, mailbox)
    assert (internet.resolved, internet.dialled, mailbox.connections) == ([TARGET], [PUBLIC], 0)


def test_a_saved_server_whose_name_leads_inside_later(
    fenced: Host, user: Browser, mailbox: Mailbox, internet: Internet
) -> None:
    """Each mail is guarded anew, in a worker as well (S07)."""
    tried(user, mailbox, path="/me/add")
    (server,) = servers_of(fenced, ANN)
    internet.names[TARGET] = [["127.0.0.1"]]
    internet.dialled.clear()
    mailbox.forget()
    with fenced.app.app_context():
        fenced.state.store.verify_address(server.public_id, server.address, scope=ANN)
        fenced.state.store.commit()
        with fenced.smtp.using(owner="ann"), pytest.raises(AddressBlocked):
            fenced.smtp.send(Message("Hi", sender=server.address, recipients=["x@example.test"], body="x"))
    assert (internet.dialled, mailbox.connections) == ([], 0)


def test_something_else_that_listens_hears_nothing(user: Browser, mailbox: Mailbox, internet: Internet) -> None:
    """A Redis, say, that never greets: no byte reaches it (S14, T05)."""
    with leading(internet, PUBLIC, hostile([hang()])) as server:
        tried(user, mailbox)
        assert server is not None
        assert (server.connections, server.received) == (1, b"")


def test_a_stored_server_is_fenced_as_well(fenced: Host, user: Browser, mailbox: Mailbox, internet: Internet) -> None:
    """Its own test page, the list and the past tests say no more than the form does."""
    tried(user, mailbox, path="/me/add")
    (server,) = servers_of(fenced, ANN)
    for lead in (lambda: leading(internet, "10.0.0.1"), lambda: leading(internet, PUBLIC)):
        with lead():
            tested = user.post(f"/me/{server.public_id}/test", {"recipient": ""})
        assert SENTENCE in tested.text
    with fenced.app.app_context():
        (server,) = fenced.smtp.servers(scope=ANN)
        fenced.state.store.record_test(server, False, "The connection was refused", tested_by="flask smtp")
        fenced.state.store.commit()
    for path in ("/me", f"/me/{server.public_id}/test", f"/me/{server.public_id}/edit"):
        assert "refused" not in words(user.get(path)), path


# -- who learns more


@pytest.mark.parametrize(("password", "right"), [("wrong-word-1", False), ("", True)])
def test_what_a_server_says_is_shown_once_it_has_taken_the_login(
    make_site: MakeSite, mailbox: Mailbox, internet: Internet, password: str, right: bool
) -> None:
    """A verified server of the user's: the cause, but not its words before the login; after it everything (T04)."""
    site = make_site(SMTPSERVERS_PERSONAL_HOSTS=[])
    user = person(site.app, "ann")
    internet.names["mail.example.test"] = [[PUBLIC]]
    internet.ports[PUBLIC] = mailbox.submission
    changes = {"smtp_secret": password} if password else {}
    answer = tried(user, mailbox, "mail.example.test", send_as="badsender@home.test", **changes)
    assert SENTENCE not in answer.text
    assert ("sender refused" in answer.text) is right
    if not right:
        assert "535" not in answer.text
        assert "password" in words(answer)


def test_presets_and_named_hosts_get_the_exact_cause(make_site: MakeSite, mailbox: Mailbox, internet: Internet) -> None:
    """They are no secret, so the whole diagnosis helps."""
    site = make_site(SMTPSERVERS_PERSONAL_HOSTS=["mail.corp.test"], SMTPSERVERS_PERSONAL_PROVIDERS=["gmail"])
    user = person(site.app, "ann")
    for host in ("smtp.gmail.com", "mail.corp.test"):
        internet.names[host] = [[PUBLIC]]
        answer = tried(user, mailbox, host)
        assert SENTENCE not in answer.text
        assert "Stopped at step 3" in words(answer)
    assert tried(user, mailbox, TARGET).status_code == 422


def test_a_users_test_tells_nothing_of_the_apps_servers(
    make_site: MakeSite, mailbox: Mailbox, internet: Internet
) -> None:
    """No other server of the app is connected to or named to explain his failure, and no report is made."""
    site = make_site(SMTPSERVERS_PERSONAL_HOSTS=["mail.named.test"])
    with site.app.app_context():
        main = site.smtp.add_server(name="Secret main", host="main.corp.test", port=587, security="starttls",
                             address="info@corp.test")  # fmt: skip
        site.state.store.record_test(main, passed=True, title="")
        site.state.store.commit()
    user = person(site.app, "ann")
    with hostile(_ENCRYPTED, context=server_context(trustme.CA(), "mail.named.test")) as server:
        internet.names["mail.named.test"] = [[PUBLIC]]
        internet.ports[PUBLIC] = server.port
        answer = tried(user, mailbox, "mail.named.test")
    assert "ertificate" in words(answer)
    assert "main.corp.test" not in internet.resolved
    assert "Secret main" not in answer.text
    assert "Download report" not in answer.text


def test_admins_are_not_fenced(fenced: Host, mailbox: Mailbox, internet: Internet) -> None:
    """The same failure, for the one who looks after the app's servers."""
    internet.names[TARGET] = [[PUBLIC]]
    admin = person(fenced.app, "root", "admin")
    answer = tried(
        admin, mailbox, path="/test", timeout_seconds="1", pipelining="1", sender_policy="keep", sender_format="{name}"
    )
    assert SENTENCE not in answer.text
    assert "No mail server answers there" in words(answer)


# -- who gets the test message


@pytest.mark.parametrize("path", ["/me/test", "stored"])
def test_the_test_message_goes_to_the_users_own_address_only(
    site: Host, ann: Browser, mailbox: Mailbox, path: str
) -> None:
    """D02: neither the form nor the page of a stored server sends it to anybody else, proved or not."""
    from .test_page import set_up

    unproved = ann.post("/me/test", typed(mailbox, recipient="ann@home.test"))
    assert "once your address is proved" in words(unproved)
    set_up(ann, mailbox)
    (server,) = servers_of(site, ANN)
    where = path if path != "stored" else f"/me/{server.public_id}/test"
    fields = typed(mailbox, name="Other")
    refused = ann.post(where, {**fields, "recipient": "victim@corp.test"})
    assert (refused.status_code, mailbox.letters) == (422, [])
    assert "to your own address only: ann@home.test" in words(refused)
    assert "on its way" in words(ann.post(where, {**fields, "recipient": "ANN@home.test"}))
    assert [letter.recipients for letter in mailbox.letters] == [["ANN@home.test"]]


def test_nobody_learns_which_servers_other_users_test(make_site: MakeSite, mailbox: Mailbox) -> None:
    """A user must wait for another's test of the same server, and is not told that it is the same one."""
    site = make_site()
    ann = person(site.app, "ann")
    with site.app.test_request_context("/smtp/me/test"):
        session["user"] = "bob"
        turn = take_turn("localhost", mailbox.submission)
    answer = ann.post("/me/test", typed(mailbox))
    with site.app.app_context():
        turn.end()
    assert answer.status_code == 429
    assert "the same server" not in answer.text
