"""Proving that an address is one's own: a link that counts once, for one day, for the one who asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.apps import Host
from tests.peers.mailbox import Mailbox
from tests.web.browser import Browser, form_of, words

from .conftest import ANN, BOB, MakeSite, link_in, person, servers_of, typed
from .test_page import set_up


def test_only_the_one_who_asked_can_use_the_link(
    site: Host, ann: Browser, bob: Browser, admin: Browser, mailbox: Mailbox
) -> None:
    """Others who are signed in learn nothing from it, and nobody else gets as far as the page."""
    ann.post("/me/add", typed(mailbox))
    link = link_in(mailbox)
    assert person(site.app, None).get(link).status_code == 403
    assert admin.get(link).status_code == 403
    for answer in (bob.get(link), bob.post(link)):
        assert answer.status_code == 404
        assert "This link does not work here" in words(answer)
        assert "ann@home.test" not in answer.text
    assert not servers_of(site, ANN)[0].proved
    assert ann.client.head(f"/smtp{link}").status_code == 200
    assert ann.post(link, token="").status_code == 400
    assert not servers_of(site, ANN)[0].proved
    ann.follow(ann.post(link))
    assert servers_of(site, ANN)[0].proved
    assert "This address is proved" in words(ann.get(link))


def test_a_forged_or_damaged_link(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    ann.post("/me/add", typed(mailbox))
    link = link_in(mailbox)
    for wrong in (link[:-3], f"{link}x", "/me/confirm/nonsense", f"/me/confirm/{'a' * 5000}"):
        assert ann.get(wrong).status_code == 404, wrong
        assert ann.post(wrong).status_code == 404, wrong
    assert not servers_of(site, ANN)[0].proved


def test_the_link_holds_neither_the_address_nor_an_id(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """L10, and what the mail says is not for a user to choose: nobody advertises with it."""
    ann.post("/me/add", typed(mailbox, name="Buy cheap pills", send_as='"Buy cheap pills" <ann@home.test>'))
    text = mailbox.letters[-1].message.get_content()
    assert "pills" not in mailbox.letters[-1].content.decode()
    assert "Corner Shop" in text
    assert "home" not in link_in(mailbox)
    assert servers_of(site, ANN)[0].public_id not in text
    assert mailbox.letters[-1].message["Auto-Submitted"] == "auto-generated"


def test_another_address_must_be_proved_anew(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """The link for the old one is worth nothing then, and one is sent to the new one."""
    ann.post("/me/add", typed(mailbox))
    first = link_in(mailbox)
    (server,) = servers_of(site, ANN)
    changed = typed(mailbox, send_as="ceo@corp.test", server=server.public_id, version="1", smtp_secret="")
    ann.post(f"/me/{server.public_id}/edit", changed)
    assert mailbox.letters[-1].recipients == ["ceo@corp.test"]
    refused = ann.post(first)
    assert (refused.status_code, "This link is for another address" in words(refused)) == (409, True)
    assert not servers_of(site, ANN)[0].usable


def test_links_are_sent_sparingly(site: Host, ann: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute between two, ten a day for one user, five a day for one address whoever asks."""
    ann.post("/me/add", typed(mailbox))
    (server,) = servers_of(site, ANN)
    again = f"/me/{server.public_id}/prove"
    assert "A link was sent just now" in words(ann.follow(ann.post(again)))
    assert len(mailbox.letters) == 1
    clock = [datetime.now(UTC)]
    monkeypatch.setattr(site.state.store, "_clock", lambda: clock[0])
    for _number in range(4):
        clock[0] += timedelta(minutes=2)
        assert "A link was sent to ann@home.test" in words(ann.follow(ann.post(again)))
    clock[0] += timedelta(minutes=2)
    assert "gets no more" in words(ann.follow(ann.post(again)))
    bob = person(site.app, "bob")
    assert "gets no more" in words(bob.follow(bob.post("/me/add", typed(mailbox))))
    assert len(mailbox.letters) == 5
    clock[0] += timedelta(hours=25)
    assert "A link was sent" in words(ann.follow(ann.post(again)))


def test_a_link_that_is_too_old(site: Host, ann: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    ann.post("/me/add", typed(mailbox))
    later = datetime.now(UTC) + timedelta(hours=24, seconds=1)
    monkeypatch.setattr(site.state.store, "_clock", lambda: later)
    for answer in (ann.get(link_in(mailbox)), ann.post(link_in(mailbox))):
        assert (answer.status_code, "This link is too old" in words(answer)) == (410, True)
    assert not servers_of(site, ANN)[0].proved
    assert "Send me the link" in words(ann.get("/me"))


def test_without_a_shared_server_no_link_goes_out(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The page says so, nothing is lost, and another try is possible at once."""
    site = make_site(MAIL_PORT=1)
    ann = person(site.app, "ann")
    assert "The link could not be sent to ann@home.test" in words(ann.follow(ann.post("/me/add", typed(mailbox))))
    (server,) = servers_of(site, ANN)
    page = words(ann.follow(ann.post(f"/me/{server.public_id}/prove")))
    assert "The link could not be sent" in page
    assert "Send me the link" in page


def test_the_link_never_goes_through_a_users_server(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """Not even through the one whose address is proved already."""
    set_up(ann, mailbox)
    ann.post("/me/add", typed(mailbox, name="Second", send_as="ann@work.test"))
    assert [letter.username for letter in mailbox.letters] == [None]


def test_an_address_that_the_host_vouches_for(make_site: MakeSite, mailbox: Mailbox) -> None:
    """No link is needed; an error or nonsense vouches for nothing."""
    known: dict[str, Any] = {"ann": ["ANN@home.test", "not an address", None], "bob": None}
    site = make_site(init={"verified_addresses": lambda owner: known[owner]})
    ann, bob = person(site.app, "ann"), person(site.app, "bob")
    assert "A link was sent" not in words(ann.follow(ann.post("/me/add", typed(mailbox))))
    assert servers_of(site, ANN)[0].usable
    ann.post("/me/add", typed(mailbox, name="Second", send_as="ceo@corp.test"))
    assert [server.usable for server in servers_of(site, ANN)] == [True, False]
    bob.post("/me/add", typed(mailbox, send_as="bob@home.test"))
    assert not servers_of(site, BOB)[0].usable


def test_another_address_of_a_server_in_use(site: Host, ann: Browser, mailbox: Mailbox) -> None:
    """The change waits for its test like any other; once it is used, the address must be proved, and is not before."""
    set_up(ann, mailbox)
    (server,) = servers_of(site, ANN)
    here = f"/me/{server.public_id}"
    change = typed(mailbox, send_as="ann@work.test", smtp_secret="", version=str(server.version))
    waiting = ann.follow(ann.post(f"{here}/edit", change))
    assert servers_of(site, ANN)[0].usable
    tested = words(ann.post(f"{here}/change/test", form_of(waiting, "smtp-change-form")))
    assert "The new settings are in use." in tested
    assert "once you have proved that it is yours" in tested
    (server,) = servers_of(site, ANN)
    assert (server.address, server.usable, mailbox.letters) == ("ann@work.test", False, [])
    ann.post(f"{here}/prove")
    assert mailbox.letters[-1].recipients == ["ann@work.test"]
    ann.post(link_in(mailbox))
    assert servers_of(site, ANN)[0].usable
    change = typed(mailbox, send_as="ann@third.test", smtp_secret="", version=str(servers_of(site, ANN)[0].version))
    waiting = ann.follow(ann.post(f"{here}/edit", change))
    forced = ann.post(f"{here}/change/use", form_of(waiting, "smtp-change-form"))
    assert "A link was sent to ann@third.test" in words(ann.follow(forced))
    assert not servers_of(site, ANN)[0].usable


def forge(site: Host, browser: Browser, mailbox: Mailbox) -> int:
    """Add a server with a request that says it was made to another host; return the status of the answer."""
    token = browser.client.get("/token").text
    cookie = browser.client.get_cookie("session")
    assert cookie is not None
    fields = {**typed(mailbox, send_as="victim@corp.test"), "csrf_token": token}
    headers = {"Host": "evil.test", "Cookie": f"session={cookie.value}"}
    return site.app.test_client(use_cookies=False).post("/smtp/me/add", data=fields, headers=headers).status_code


@pytest.mark.parametrize(
    ("config", "status", "host"),
    [
        ({"TRUSTED_HOSTS": None}, 303, None),
        ({"TRUSTED_HOSTS": ["localhost"]}, 400, None),
        ({"TRUSTED_HOSTS": None, "SERVER_NAME": "localhost"}, 303, "http://localhost"),
        ({"TRUSTED_HOSTS": None, "SMTPSERVERS_EXTERNAL_URL": "https://shop.test"}, 303, "https://shop.test"),
    ],
)
def test_a_request_cannot_lead_the_link_to_another_host(
    make_site: MakeSite, mailbox: Mailbox, config: dict[str, Any], status: int, host: str | None
) -> None:
    """Else the victim, or a scanner of his, would hand the token to whoever forged the request's Host."""
    site = make_site(**config)
    assert forge(site, person(site.app, "ann"), mailbox) == status
    texts = [letter.message.get_content() for letter in mailbox.letters]
    assert [f"{host}/smtp/me/confirm/" in text for text in texts] == ([True] if host else [])


def test_an_app_that_does_not_know_its_address_sends_no_link(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The user is told that it is nothing he can mend; an address that the host vouches for needs no link."""
    vouched = {"verified_addresses": lambda owner: ["ann@home.test"]}
    site = make_site(TRUSTED_HOSTS=None, init=vouched)
    ann = person(site.app, "ann")
    ann.post("/me/add", typed(mailbox))
    said = words(ann.follow(ann.post("/me/add", typed(mailbox, name="Second", send_as="ann@work.test"))))
    assert "this app was not told its own address. Ask whoever runs it" in said
    assert [server.usable for server in servers_of(site, ANN)] == [True, False]
    assert "Send me the link" in words(ann.get("/me"))
    assert mailbox.letters == []
