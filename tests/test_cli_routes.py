"""``flask smtp explain``, ``mode``, and the servers of tenants and users at a prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_smtpservers import Scope
from flask_smtpservers.policy import Mode

from .apps import Host, hosting, server_fields
from .peers.mailbox import Mailbox
from .test_cli import answer, run

ACME, ANN = Scope("acme"), Scope(owner="7")


@pytest.fixture
def host(ca_file: Path, mailbox: Mailbox) -> Iterator[Host]:
    """Servers of the app, of a tenant and of a user; the app's own is the mailbox's port without login."""
    config: dict[str, Any] = {
        "SMTPSERVERS_KINDS": {"receipts": "Receipts", "bulk": {"label": "News", "bulk": True}},
        "SMTPSERVERS_PERSONAL": True,
        "SMTPSERVERS_PERSONAL_HOSTS": [f"localhost:{mailbox.submission}"],
        "MAIL_SERVER": "localhost",
        "MAIL_PORT": mailbox.plain,
    }
    with hosting(ca_file=ca_file, init={"owner": lambda: None}, **config) as made:
        with made.app.app_context():
            made.smtp.add_server(**server_fields(mailbox))
            made.smtp.add_server(scope=ACME, **server_fields(mailbox, name="Acme", address="info@acme.test"))
            anns = made.smtp.add_server(scope=ANN, **server_fields(mailbox, name="Mine", address="ann@home.test"))
            made.state.store.verify_address(anns.public_id, "ann@home.test", scope=ANN)
        yield made


def test_explaining(host: Host, mailbox: Mailbox) -> None:
    """The server, the reason, and each rule with what became of it; nothing is sent."""
    result = run(host, "explain", "--from", "ann@home.test", "--to", "guest@example.test")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[:5] == [
        "Server: Shop",
        "Why this one: “Shop” is the default server.",
        "From: ann@home.test",
        "Replies go to: ann@home.test",
        "Envelope sender: ann@home.test",
    ]
    assert [line.split("  ")[:2] for line in lines[7:-1]] == [
        ["1", "Asked for by name"],
        ["2", "The user's own server"],
        ["3", "Kind of mail"],
        ["4", "Sender's address"],
        ["5", "Sender's domain"],
        ["6", "Default of the tenant"],
        ["7", "Default server"],
    ]
    assert lines[7].endswith("  The program asked for no server by name.")
    assert mailbox.connections == 0


@pytest.mark.parametrize(
    ("words", "name", "rule"),
    [
        ((), "Shop", "default"),
        (("--tenant", "acme"), "Acme", "tenant_default"),
        (("--from", "ann@home.test", "--owner", "7"), "Mine", "personal"),
        (("--from", "ann@home.test", "--owner", "7", "--kind", "bulk"), "Shop", "default"),
        (("--from", "ann@home.test", "--owner", "8"), "Shop", "default"),
        (("--using", "built-in"), "Built-in", "using"),
    ],
)
def test_an_explanation_is_what_a_send_does(
    host: Host, mailbox: Mailbox, words: tuple[str, ...], name: str, rule: str
) -> None:
    explained = answer(host, "explain", *words)
    sent = answer(host, "send", "--to", "guest@example.test", *words)
    assert (explained["server"]["name"], explained["rule"]) == (name, rule)
    assert (sent["server"], sent["rule"], sent["reason"]) == (explained["server"], rule, explained["reason"])
    assert explained["tried"][-1]["reason"] == explained["reason"]
    assert explained["obstacle"] == ""
    assert len(mailbox.letters) == 1


def test_what_passed_over_is_named(host: Host, mailbox: Mailbox) -> None:
    with host.app.app_context():
        host.smtp.add_server(**server_fields(mailbox, name="Old", enabled=False))
    result = run(host, "explain", "--from", "shop@example.test")
    assert "- “Old” sends as shop@example.test. It is paused." in [line.strip() for line in result.output.splitlines()]


def test_who_it_would_be_from(host: Host) -> None:
    """From, Reply-To and envelope sender, as those who get the mail see them."""
    with host.app.app_context():
        (shop,) = host.smtp.servers()
        host.smtp.edit_server(shop.public_id, foreign_sender="rewrite")
    explained = answer(host, "explain", "--from", "Ann <ann@partner.test>")
    assert explained["from"] == "Ann via Corner Shop <shop@example.test>"
    assert explained["reply_to"] == "Ann <ann@partner.test>"
    assert explained["envelope_sender"] == "shop@example.test"


def test_what_would_not_be_sent_is_explained_as_well(host: Host) -> None:
    """While sending is off, or no server fits: the rules all the same, the obstacle, and the exit code of a refusal."""
    with host.app.app_context():
        (shop,) = host.smtp.servers()
        host.smtp.edit_server(shop.public_id, foreign_sender="refuse")
        host.state.store.switch_mode(Mode.BUILTIN, False, scope=ACME)
        host.state.store.switch_sending(False)
        host.state.store.commit()
    result = run(host, "explain")
    assert result.exit_code == 2
    assert "Server: Shop" in result.output
    assert result.output.rstrip().endswith("Sending is switched off.")
    with host.app.app_context():
        host.state.store.switch_sending(True)
        host.state.store.commit()
    refused = run(host, "explain", "--from", "ann@partner.test")
    assert refused.exit_code == 2
    assert "Server: Shop" in refused.output
    assert "sends only as shop@example.test" in refused.output
    with host.app.app_context():
        host.smtp.remove_server(shop.public_id)
        (acme,) = host.smtp.servers(scope=ACME)
        host.smtp.remove_server(acme.public_id, scope=ACME)
    nowhere = run(host, "explain", "--tenant", "acme", "--json")
    assert nowhere.exit_code == 2
    found = json.loads(nowhere.output)
    assert (found["server"], found["rule"], found["from"]) == (None, None, None)
    assert found["obstacle"] == "No server fits this message: make one of the servers the default."
    assert len(found["tried"]) == 7


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--using", "nobody"), "No SMTP server is called “nobody”."),
        (("--kind", "letters"), "There is no kind of mail “letters”."),
    ],
)
def test_what_cannot_be_explained(host: Host, words: tuple[str, ...], text: str) -> None:
    result = run(host, "explain", *words)
    assert result.exit_code == 2
    assert text in result.output


def test_servers_of_others(host: Host, mailbox: Mailbox) -> None:
    """Each scope is listed, changed and tested by itself."""
    assert [one["name"] for one in answer(host, "list")["servers"]] == ["Shop"]
    (acme,) = answer(host, "list", "--tenant", "acme")["servers"]
    (anns,) = answer(host, "list", "--owner", "7")["servers"]
    assert (acme["tenant"], acme["owner"], anns["owner"], anns["name"]) == ("acme", "", "7", "Mine")
    assert anns["address_verified_at"]
    assert run(host, "edit", acme["id"], "--name", "Stolen").exit_code == 2
    assert run(host, "remove", anns["id"], "--yes", "--tenant", "acme").exit_code == 2
    edited = answer(host, "edit", "acme", "--tenant", "acme", "--allowed-senders", "a@b.test, c.test")
    assert edited["server"]["allowed_senders"] == ["a@b.test", "c.test"]
    assert run(host, "test", "mine", "--owner", "7").exit_code == 0
    assert run(host, "test", "mine").exit_code == 2
    assert run(host, "add", "--owner", "7", "--host", "10.1.2.3", "--address", "ann@home.test").exit_code == 2
    assert run(host, "remove", "mine", "--yes", "--owner", "7").exit_code == 0
    assert answer(host, "list", "--owner", "7")["servers"] == []


def test_the_ways_to_send(host: Host) -> None:
    usual = {"builtin": "on", "domain": "ask", "own": "on"}
    assert answer(host, "mode") == {"modes": usual}
    switched = answer(host, "mode", "builtin", "off", "--tenant", "acme")
    assert switched == {"modes": {**usual, "builtin": "ask"}}
    assert answer(host, "mode") == {"modes": usual}
    assert run(host, "send", "--to", "g@example.test", "--using", "built-in", "--tenant", "acme").exit_code == 2
    assert answer(host, "mode", "builtin", "usual", "--tenant", "acme") == {"modes": usual}
    assert run(host, "mode", "pigeon", "on").exit_code == 2
    assert run(host, "mode", "own").exit_code == 2
    assert "builtin: can be used" in run(host, "mode").output


def test_the_kinds_of_mail(host: Host) -> None:
    """Shown, assigned to a server of the tenant or of the app, and taken back."""
    assert [(one["id"], one["server"]) for one in answer(host, "kind")["kinds"]] == [("receipts", None), ("bulk", None)]
    assigned = answer(host, "kind", "receipts", "shop")["kinds"][0]
    assert assigned["server"]["name"] == "Shop"
    assert answer(host, "kind", "receipts", "acme", "--tenant", "acme")["kinds"][0]["server"]["name"] == "Acme"
    assert answer(host, "kind", "bulk", "shop", "--tenant", "acme")["kinds"][1]["server"]["name"] == "Shop"
    explained = answer(host, "explain", "--kind", "receipts", "--tenant", "acme")
    assert (explained["server"]["name"], explained["rule"]) == ("Acme", "kind")
    answer(host, "kind", "receipts", "--none", "--tenant", "acme")
    assert answer(host, "explain", "--kind", "receipts", "--tenant", "acme")["server"]["name"] == "Shop"
    assert "Shop, as for the whole app" in run(host, "kind", "--tenant", "acme").output
    lines = run(host, "kind").output.splitlines()
    assert [line.split() for line in lines] == [
        ["Kind", "Label", "Server"],
        ["receipts", "Receipts", "Shop"],
        ["bulk", "News", "chosen", "by", "the", "other", "rules"],
    ]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("pigeon", "shop"), "kind: Choose one of: receipts, bulk."),
        (("receipts",), "server: Name a server, or give --none."),
        (("receipts", "shop", "--none"), "server: Name a server, or give --none."),
        (("receipts", "nobody"), "There is no server “nobody”."),
        (("receipts", "acme"), "There is no server “acme”."),
        (("receipts", "mine", "--tenant", "acme"), "There is no server “mine”."),
    ],
)
def test_kinds_that_cannot_be_assigned(host: Host, words: tuple[str, ...], text: str) -> None:
    result = run(host, "kind", *words)
    assert result.exit_code == 2
    assert text in result.output
    assert all(one["server"] is None for one in answer(host, "kind")["kinds"])
