"""Setting up a server from an address: what is found, what is asked first, what is checked, and what is never sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from flask_smtpservers.web.turns import SEARCHES_PER_MINUTE
from tests.apps import Host
from tests.peers.mailbox import PASSWORD, Mailbox
from tests.providers.world import Records, World, making

from .browser import Browser, form_of, words
from .conftest import MakeSite

ME = "me@example.org"


@pytest.fixture
def world(ca: trustme.CA, ca_file: Path) -> Iterator[World]:
    """An internet on loopback for the app under test."""
    with making(ca, ca_file) as made:
        yield made


@contextmanager
def serving(world: World, *names: str) -> Iterator[Mailbox]:
    """A mail server that is called ``names`` and where me@example.org signs in."""
    running = Mailbox(world.ca, account=ME).start(names)
    for name in names:
        world.lead(name, (465, running.smtps), (587, running.submission))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def hoster(world: World) -> Iterator[Mailbox]:
    """A mail server called mail.hoster.net, and one called smtp.example.org."""
    with serving(world, "mail.hoster.net", "smtp.example.org") as running:
        yield running


@pytest.fixture
def here(site: Host, world: World) -> Host:
    """A site whose app is in the world."""
    return put_into(site, world)


def put_into(site: Host, world: World) -> Host:
    site.state.finder.environment = Records(world)
    site.state.network = world
    return site


def find(browser: Browser, address: str = ME, **more: str):  # type: ignore[no-untyped-def]
    return browser.post("/set-up", {"address": address, **more})


# -- the way from the empty list
def test_the_empty_list_asks_for_an_address(here: Host, admin: Browser) -> None:
    """One field, one primary button, and the way for those who know their settings."""
    page = admin.get("/")
    assert 'action="/smtp/set-up"' in page.text
    assert 'name="address"' in page.text
    assert page.text.count("smtp-primary") == 1
    assert "Configure SMTP server" in page.text
    assert "Enter the server's settings yourself" in words(page)
    assert "Find settings from an address" in words(admin.get("/add"))


def test_what_will_be_asked_is_said_first(make_site: MakeSite, tmp_path: Path) -> None:
    """Before the button is pressed: what is asked of whom, and that a service learns the domain."""
    assert "its DNS records, its page of mail settings" in words(Browser(make_site().app).get("/set-up"))
    service = make_site(
        SMTPSERVERS_ISPDB="https://autoconfig.example.net/v1.1/", database_url=f"sqlite:///{tmp_path / '2.db'}"
    )
    assert "https://autoconfig.example.net/v1.1 is asked too" in words(Browser(service.app).get("/set-up"))


def test_switched_off(make_site: MakeSite) -> None:
    """Without discovery there is the form, as before."""
    site = make_site(SMTPSERVERS_DISCOVERY="off")
    browser = Browser(site.app)
    assert browser.get("/set-up").location == "/smtp/add"
    assert find(browser).location == "/smtp/add"
    page = browser.get("/").text
    assert "/smtp/set-up" not in page
    assert page.count("smtp-primary") == 1
    assert "set-up" not in browser.get("/add").text


def test_offline_asks_nobody(make_site: MakeSite, world: World) -> None:
    """What is on this machine is found; of the rest it is said that nobody was asked."""
    site = put_into(make_site(SMTPSERVERS_DISCOVERY="offline"), world)
    browser = Browser(site.app)
    assert "nobody is asked" in words(browser.get("/set-up"))
    assert "smtp.gmail.com" in words(find(browser, "me@gmail.com"))
    assert "Nothing is known about example.org without asking it." in words(find(browser))
    assert (world.asked, world.dialled) == ([], [])


# -- what is found
def test_gmail(here: Host, admin: Browser) -> None:
    """The preset with its words: what the secret is called, how to get it, and the form already filled in."""
    page = find(admin, '"Corner Shop" <shop@gmail.com>')
    text = words(page)
    assert "App password" in text
    assert "Turn on 2-Step Verification" in text
    assert "It is in the list of providers that comes with this app." in text
    assert "Reliable" in text
    form = form_of(page)
    assert (form["host"], form["port"], form["ssl"]) == ("smtp.gmail.com", "465", "1")
    assert (form["username"], form["send_as"]) == ("shop@gmail.com", '"Corner Shop" <shop@gmail.com>')
    assert (form["enabled"], form["is_default"]) == ("1", "1")
    assert 'name="confirmed"' not in page.text


def test_microsoft_365_by_mx(here: Host, admin: Browser, world: World) -> None:
    """An own domain at Microsoft 365 is recognised, to be confirmed, and OAuth2 is said plainly."""
    world.mx("example-org.mail.protection.outlook.com")
    world.starttls("smtp.office365.com")
    page = find(admin)
    text = words(page)
    assert "Microsoft 365" in text
    assert "OAuth2 (sign in with Microsoft)" in text
    assert "receives the mail of example.org" in text
    assert "Is that also where you send from?" in text
    assert form_of(page)["provider"] == "microsoft365"
    assert form_of(page)["asked"] == "smtp.office365.com"
    assert "confirmed" not in form_of(page)  # the box is there, and not ticked before


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("me@outlook.com", "neither a password nor an app password"),
        ("me@tuta.com", "does not offer SMTP"),
    ],
)
def test_what_cannot_work_is_said_plainly(here: Host, admin: Browser, address: str, sentence: str) -> None:
    """No password is asked for where none can help."""
    page = find(admin, address)
    assert page.status_code == 200
    assert sentence in words(page)
    assert 'name="smtp_secret"' not in page.text
    assert page.text.count("smtp-primary") == 1


def test_qq_wants_an_authorisation_code(here: Host, admin: Browser) -> None:
    page = words(find(admin, "10001@qq.com"))
    assert "Authorisation code" in page
    assert "smtp.qq.com" in page


def test_a_blocked_port_gives_way_to_the_next(here: Host, admin: Browser, world: World) -> None:
    """Where 465 does not answer, the provider's next port is taken, and the page says why."""
    world.ssl("smtp.163.com", 994)
    page = find(admin, "me@163.com")
    assert form_of(page)["port"] == "994"
    assert "smtp.163.com could not be reached at port 465." in words(page)


def test_nothing_found_leads_to_the_form_with_what_was_typed(here: Host, admin: Browser) -> None:
    """Why there is nothing, and then the usual form with the address in it."""
    page = find(admin, "Shop <me@example.org>")
    assert "No server was found for example.org." in words(page)
    form = form_of(page, "smtp-find")
    full = find(admin, form["address"], manual="1")
    assert form_of(full)["send_as"] == "Shop <me@example.org>"
    assert form_of(full)["username"] == ME
    assert (form_of(full)["enabled"], form_of(full)["ssl"]) == ("1", "1")


@pytest.mark.parametrize(
    "typed", ["", "me", "me@", "me@localhost", "a@example.org, b@example.org", "x" * 5000, "me@\x00"]
)
def test_what_is_no_address(here: Host, admin: Browser, typed: str) -> None:
    """A sentence beside the field; nobody is asked."""
    page = find(admin, typed)
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text


def test_alternatives_can_be_chosen(here: Host, admin: Browser, world: World) -> None:
    """Another of the servers that were found, and nothing else, can be taken; the domain is not asked again."""
    world.srv(("mail.hoster.net", 587))
    world.starttls("mail.hoster.net")
    world.autoconfig("smtp.example.org 465 SSL")
    world.ssl("smtp.example.org")
    page = find(admin)
    assert form_of(page)["host"] == "smtp.example.org"
    asked = len(world.asked)
    other = find(admin, choose="mail.hoster.net:587:starttls")
    if "mail.hoster.net" in page.text:  # it was verified in time
        assert form_of(other)["host"] == "mail.hoster.net"
        assert form_of(other)["encryption"] == "starttls"
    assert form_of(find(admin, choose="evil.example.net:587:starttls"))["host"] == "smtp.example.org"
    assert len(world.asked) == asked


def test_the_owner_of_the_host_stands_out(here: Host, admin: Browser, world: World) -> None:
    """Whoever imitates a known name at the beginning of a long one is seen at its end."""
    world.srv(("smtp.example.org.mail.hoster.net", 587))
    world.starttls("smtp.example.org.mail.hoster.net")
    page = find(admin).text
    assert "smtp.example.org.mail.<strong>hoster.net</strong>" in page
    assert "Is that your provider?" in page


# -- the question
def test_a_strange_server_must_be_confirmed_before_a_password_goes_there(
    here: Host, admin: Browser, world: World, hoster: Mailbox
) -> None:
    """Not ticked: nothing is dialled, and the page asks again with everything still there."""
    world.srv(("mail.hoster.net", 587))
    page = find(admin)
    assert "example.org says its mail goes out through mail.hoster.net. Is that your provider?" in words(page)
    form = {**form_of(page), "smtp_secret": PASSWORD}
    before = len(world.dialled)
    refused = admin.post("/set-up/check", form)
    assert refused.status_code == 422
    assert "Tick this first" in words(refused)
    assert len(world.dialled) == before
    again = form_of(refused)
    assert again["host"] == "mail.hoster.net"
    passed = admin.post("/set-up/check", {**again, "confirmed": "mail.hoster.net"})
    assert "It works" in words(passed)
    assert hoster.logins == [(ME, PASSWORD)]


def test_in_a_process_that_found_nothing_the_question_stays(
    here: Host, admin: Browser, world: World, hoster: Mailbox, make_site: MakeSite, tmp_path: Path
) -> None:
    """Another worker process does not know the answer; it asks nobody, and the form does not lose the question."""
    world.srv(("mail.hoster.net", 587))
    form = {**form_of(find(admin)), "smtp_secret": PASSWORD}
    here.state.finder._cache._kept.clear()
    asked = len(world.asked)
    refused = admin.post("/set-up/check", form)
    assert refused.status_code == 422
    assert "Make sure that mail.hoster.net is your provider" in words(refused)
    assert len(world.asked) == asked
    assert hoster.logins == []
    assert "It works" in words(admin.post("/set-up/check", {**form, "confirmed": "mail.hoster.net"}))


# -- the check
def test_two_typed_fields_and_it_works(here: Host, admin: Browser, world: World, hoster: Mailbox) -> None:
    """Address and password: found, checked, saved, and the app's mail goes out."""
    page = find(admin)
    assert form_of(page)["host"] == "smtp.example.org"
    result = admin.post("/set-up/check", {**form_of(page), "smtp_secret": PASSWORD, "recipient": "ann@example.org"})
    assert "It works: the test message is on its way." in words(result)
    assert hoster.letters[0].recipients == ["ann@example.org"]
    with here.app.app_context():
        assert here.smtp.servers() == []
    saved = admin.follow(admin.post("/add", form_of(result)))
    assert "Working" in words(saved)
    with here.app.app_context():
        (server,) = here.smtp.servers()
        assert (server.host, server.enabled, server.is_default) == ("smtp.example.org", True, True)
    assert all(PASSWORD not in seen for seen in admin.seen)


def test_a_second_account_gets_a_name_of_its_own(here: Host, admin: Browser) -> None:
    """The name that is proposed is free."""
    first = form_of(find(admin, "a@gmail.com"))
    assert first["name"] == "Gmail"
    admin.post("/add", {**first, "smtp_secret": "abcdefghijklmnop"})
    assert form_of(find(admin, "b@gmail.com"))["name"] == "b@gmail.com"


def test_what_was_changed_by_hand_is_checked(here: Host, admin: Browser, world: World, hoster: Mailbox) -> None:
    """Server details can be changed; a server of one's own needs no question."""
    world.srv(("mail.hoster.net", 587))
    form = {**form_of(find(admin)), "smtp_secret": PASSWORD, "host": "smtp.example.org"}
    assert "It works" in words(admin.post("/set-up/check", form))


def test_a_wrong_detail_is_said_on_the_same_page(here: Host, admin: Browser, world: World, hoster: Mailbox) -> None:
    answer = admin.post("/set-up/check", {**form_of(find(admin)), "port": "x", "smtp_secret": PASSWORD})
    assert answer.status_code == 422
    assert "One thing needs your attention" in words(answer)
    assert form_of(answer)["port"] == "x"
    assert hoster.logins == []


# -- limits
def test_searching_is_limited_and_remembered(here: Host, admin: Browser, world: World) -> None:
    """Ten different domains within a minute, then a sentence; a domain that was just asked costs nothing."""
    for number in range(SEARCHES_PER_MINUTE):
        assert find(admin, f"me@n{number}.example.org").status_code == 200
    assert find(admin, "other@n0.example.org").status_code == 200
    answer = find(admin, "me@more.example.org")
    assert answer.status_code == 429
    assert "Try again in a minute" in words(answer)
    assert not any("more.example.org" in name for name in world.asked)


def test_what_is_remembered_is_nobodys(here: Host, admin: Browser, world: World, hoster: Mailbox) -> None:
    """The answer for a domain comes from memory for the next address, and with its own user name."""
    assert form_of(find(admin, "ann@example.org"))["username"] == "ann@example.org"
    asked = len(world.asked)
    bob = find(admin, "bob@example.org")
    assert form_of(bob)["username"] == "bob@example.org"
    assert "ann@" not in bob.text
    assert len(world.asked) == asked


def test_the_domain_is_logged_and_not_the_address(here: Host, admin: Browser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "flask_smtpservers"):
        find(admin, "secret.person@example.org")
    assert "looking for the mail servers of example.org" in caplog.text
    assert "secret.person" not in caplog.text


def test_nothing_but_the_domain_leaves(here: Host, admin: Browser, world: World) -> None:
    """Neither the part before the @ nor a sign-in is sent to anybody while searching."""
    world.autoconfig("smtp.example.org 465 SSL")
    server = world.ssl("smtp.example.org")
    find(admin, "secret.person@example.org")
    server.settle()
    assert not any("secret" in name for name in world.asked)
    assert {"AUTH", "MAIL"}.isdisjoint(world.verbs)
