"""What a user's own server never takes the place of, and the one port at which a listed host may be used."""

from __future__ import annotations

from typing import Any

import pytest
from flask import session
from flask_mail import Message

from flask_smtpservers.config import Settings
from flask_smtpservers.errors import ServerNotFound
from flask_smtpservers.outbox.rerouting import route_again
from flask_smtpservers.providers.catalog import packaged
from flask_smtpservers.servers import personal
from flask_smtpservers.smtp.guard import Guard
from tests.apps import Host, server_fields
from tests.peers.mailbox import Mailbox
from tests.web.browser import words

from .conftest import ANN, Internet, MakeSite, link_in, person, servers_of, typed

HERS = "ann@home.test"


def set_up(site: Host, mailbox: Mailbox, name: str = "Mine") -> None:
    """Give ann a server that is proved."""
    ann = person(site.app, "ann")
    assert ann.post("/me/add", typed(mailbox, name=name)).status_code == 303
    assert ann.post(link_in(mailbox)).status_code == 303
    mailbox.forget()


def message(sender: Any) -> Message:
    return Message("Hi", sender=sender, recipients=["guest@example.test"], body="x")


def sent(site: Host, name: str | None, sender: Any = HERS, **said: str) -> str:
    """The server that a mail goes through, in a request of ann's; what is explained is the same."""
    with site.app.test_request_context():
        session["user"] = "ann"
        with site.smtp.using(name, **said):
            explained = site.smtp.explain(message(sender)).server_name
            went = str(site.smtp.send(message(sender)).server_name)
    assert explained == went
    return went


@pytest.mark.parametrize("said", [{}, {"owner": "ann"}])
@pytest.mark.parametrize("sender", [HERS, "billing@example.test"])
def test_a_paused_server_of_the_app(site: Host, mailbox: Mailbox, said: dict[str, str], sender: str) -> None:
    """Mail that is meant for it does not go through a user's that has its name."""
    with site.app.app_context():
        fields = {**server_fields(mailbox), "name": "Billing", "address": "billing@example.test"}
        site.state.store.set_enabled(site.smtp.add_server(**fields).public_id, False)
        site.db.session.commit()
    with site.app.app_context():
        site.state.store.add({**server_fields(mailbox), "name": "billing", "address": HERS}, scope=ANN)
        site.state.store.verify_address(site.smtp.servers(scope=ANN)[0].public_id, HERS, scope=ANN)
        site.state.store.commit()
    with pytest.raises(ServerNotFound, match="“Billing” was asked for, but it cannot send"):
        sent(site, "Billing", sender, **said)
    assert mailbox.letters == []


def test_a_server_of_the_app_that_is_not_there(site: Host, mailbox: Mailbox) -> None:
    """A request is nobody's word that the name is one of the user's; `using(owner=…)` and the id are."""
    set_up(site, mailbox, "transactional")
    with pytest.raises(ServerNotFound, match="No SMTP server is called “Transactional”"):
        sent(site, "Transactional")
    assert mailbox.letters == []
    assert sent(site, "Transactional", owner="ann") == "transactional"
    assert sent(site, servers_of(site, ANN)[0].public_id) == "transactional"


def test_nobody_can_call_a_server_built_in(site: Host, mailbox: Mailbox) -> None:
    answer = person(site.app, "ann").post("/me/add", typed(mailbox, name="built-IN"))
    assert answer.status_code == 422
    assert "The app's own mail server is called “Built-in”. Choose another name." in words(answer)
    set_up(site, mailbox)
    assert sent(site, "Built-in", owner="ann") == "Built-in"


APPS = ("app@example.test", ("Shop", "app@example.test"), "Shop <app@example.test>")


@pytest.mark.parametrize("default", APPS)
def test_the_apps_default_sender_however_it_is_written(make_site: MakeSite, mailbox: Mailbox, default: Any) -> None:
    """A password reset goes through the app's server: with another name, in other letters, written now or for later."""
    site = make_site(MAIL_DEFAULT_SENDER=default, SMTPSERVERS_KINDS={"letters": {"personal": True}})
    set_up(site, mailbox)
    mine = servers_of(site, ANN)[0].public_id
    for sender in (None, *APPS, "App@Example.test", ("Support", "APP@example.TEST")):
        for said in ({}, {"owner": "ann"}, {"kind": "letters"}):
            assert sent(site, None, sender, **said) == "Built-in", (sender, said)
        with pytest.raises(ServerNotFound):
            sent(site, mine, sender, owner="ann")
        with site.app.app_context():
            site.smtp.enqueue(message(sender), owner="ann")
            site.db.session.commit()
    with site.app.app_context():
        waiting = in_outbox(site)
        assert len(waiting) == 6
        for row in waiting:
            assert (row["server_id"] or "", row["owner"]) == ("", "")
            assert route_again(site.state, row).server_name == "Built-in"
    with site.app.app_context(), site.smtp.using(owner="ann"):
        explained = site.smtp.explain(message(("Support", "app@example.test")))
    assert "The message has the app's own sender, so it is not a user's own mail." in [
        one.reason for one in explained.tried
    ]
    assert sent(site, None, "else@example.test", owner="ann") == "Mine"
    assert mailbox.letters[-1].username


def test_the_apps_mail_that_waits_does_not_wait_for_a_users_server(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Where no shared server sends users' mail, another one still sends the app's."""
    site = make_site(SMTPSERVERS_PERSONAL_FALLBACK=False)
    set_up(site, mailbox)
    fields = {**server_fields(mailbox), "address": "app@example.test"}
    with site.app.app_context():
        first, second = (site.smtp.add_server(**{**fields, "name": name}).public_id for name in ("First", "Second"))
        site.db.session.commit()
        site.smtp.enqueue(message(("Support", "app@example.test")), owner="ann")
        site.db.session.commit()
        (row,) = in_outbox(site)
        assert row["server_id"] == first
        site.state.store.set_enabled(first, False)
        site.state.store.commit()
        decided = route_again(site.state, row).server
    assert decided is not None
    assert decided.public_id == second


def in_outbox(site: Host) -> list[Any]:
    """The messages that wait, as they are stored."""
    with site.state.outbox.access.reading() as connection:
        return list(connection.execute(site.state.outbox.access.tables.message.select()).mappings())


# -- ports


def test_a_host_that_is_listed_with_a_port() -> None:
    """That port only; without one the usual ports; both, both."""
    catalog, usual = packaged(), Guard(["10.0.0.0/8"])

    def ports(*hosts: tuple[str, int | None], host: str = "Relay.corp.test", **more: Any) -> tuple[list[int], ...]:
        settings = Settings(personal=True, personal_hosts=hosts, **more)
        every = (25, 465, 587, 2525, 2600, 2601)
        return (
            [port for port in every if personal.permits(host, port, settings, catalog)],
            [port for port in every if personal.guard(usual, host, port, settings).allowed_networks],
            [port for port in every if personal.known_host(host, port, settings, catalog)],
        )

    name, plain, all_ports = "relay.corp.test", [25, 465, 587, 2525], [25, 465, 587, 2525, 2600, 2601]
    assert ports((name, 587)) == ([587], [587], [587])
    assert ports((name, 587), (name, 2600)) == ([587, 2600],) * 3
    assert ports((name, None)) == (plain, all_ports, all_ports)
    assert ports((name, None), (name, 2600)) == ([*plain, 2600], all_ports, all_ports)
    assert ports(("other.test", 587)) == ([], [], [])
    assert ports() == (plain, [], [])
    # a provider's host keeps the usual ports, at public addresses only
    gmail = {"host": "smtp.gmail.com", "personal_providers": ("gmail",)}
    assert ports(("smtp.gmail.com", 2600), **gmail)[:2] == ([*plain, 2600], [2600])
    guard = personal.guard(usual, name, 587, Settings(personal=True, personal_hosts=((name, 587),)))
    assert guard.ports == {587}


def test_other_ports_of_a_host_that_is_listed_with_one(
    make_site: MakeSite, mailbox: Mailbox, internet: Internet
) -> None:
    """They are neither tested nor saved, and nothing is connected to."""
    internet.names["relay.corp.test"] = [["10.9.8.7"]]
    internet.ports["10.9.8.7"] = mailbox.plain
    site = make_site(
        SMTPSERVERS_PERSONAL_HOSTS=["relay.corp.test:587"], SMTPSERVERS_ALLOWED_NETWORKS=["10.0.0.0/8", "127.0.0.0/8"]
    )
    ann = person(site.app, "ann")
    bare = {"host": "relay.corp.test", "encryption": "none", "username": "", "smtp_secret": ""}
    for path in ("/me/test", "/me/add"):
        answer = ann.post(path, typed(mailbox, port="25", **bare))
        assert answer.status_code == 422
        assert "This port is not one of those that may be used here." in words(answer)
    assert internet.dialled == []
    assert "It works" in words(ann.post("/me/test", typed(mailbox, port="587", **bare)))
    assert set(internet.dialled) == {"10.9.8.7"}
