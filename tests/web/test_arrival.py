"""Proof of arrival: the link in the test message, the page behind it, and the result page that hears of it."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from flask_smtpservers.sending.arrival import await_arrival
from tests.apps import Host, hosting, server_fields
from tests.peers.mailbox import Letter, Mailbox

from .browser import BASE, Browser, form_of, typed, words
from .conftest import MakeSite

LINK = re.compile(r"^(https?://\S+/arrival/\S+)$", re.MULTILINE)


def text_of(letter: Letter) -> str:
    return str(letter.message.get_content())


def link_in(letter: Letter) -> str:
    (link,) = LINK.findall(text_of(letter).replace("\r\n", "\n"))
    return str(link)


def path_of(link: str) -> str:
    return link.partition(BASE)[2]


def poll_of(text: str) -> str:
    (url,) = re.findall(r'data-smtp-arrival="([^"]+)"', text)
    return str(url).removeprefix(BASE)


@pytest.fixture
def stranger(site: Host) -> Browser:
    """Somebody without any rights who got the message."""
    return Browser(site.app, "anonymous")


def test_the_message_carries_a_link_and_nothing_else_that_is_looked_up(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox
) -> None:
    """One plain text part with the time, the server's name and the link; no picture, no address or secret in it."""
    admin.post(f"/{shop}/test", {"recipient": "ann@example.test"})
    (letter,) = mailbox.letters
    assert letter.message.get_content_type() == "text/plain"
    text = text_of(letter)
    assert "Mail server: Shop (localhost, port " in text
    assert re.search(r"Sent: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", text)
    assert "It works once, for 7 days." in text
    assert text.count("http") == 1
    link = link_in(letter)
    assert link.startswith("http://localhost/smtp/arrival/")
    assert "example" not in link
    assert all(len(line) < 998 for line in letter.content.split(b"\r\n"))
    assert link.encode() in letter.content, "whole, without soft line breaks"


def test_opening_the_link_turns_the_result(
    site: Host, admin: Browser, stranger: Browser, shop: str, mailbox: Mailbox
) -> None:
    """The result waits; whoever got the message opens the link without a login; then the result says after how long."""
    page = admin.post(f"/{shop}/test", {"recipient": "ann@example.test"})
    assert "Arrival Open the link in the message Waiting" in words(page)
    poll = poll_of(page.text)
    assert "Waiting" in words(admin.get(f"{poll}?fragment=1"))
    opened = stranger.get(path_of(link_in(mailbox.letters[0])))
    assert opened.status_code == 200
    assert "Thank you: the message arrived Arrived after less than a second." in words(opened)
    assert "“Shop”" in words(opened)
    assert "example.test" not in opened.text
    assert "Show the test" not in opened.text, "for those who may see it"
    fragment = admin.get(f"{poll}?fragment=1")
    assert fragment.headers["X-Smtpservers-Fragment"] == "1"
    assert "Arrival The link in the message was opened Arrived less than a second" in words(fragment)
    assert 'data-smtp-arrival=""' in fragment.text
    assert "Arrived after less than a second." in words(admin.get(poll))
    assert "Arrival confirmed" in words(admin.get("/"))
    assert "Arrival confirmed" in words(admin.get(f"/{shop}/edit"))


def test_a_link_counts_once(site: Host, admin: Browser, stranger: Browser, shop: str, mailbox: Mailbox) -> None:
    admin.post(f"/{shop}/test", {"recipient": "ann@example.test"})
    path = path_of(link_in(mailbox.letters[0]))
    assert stranger.client.head(BASE + path).status_code == 200
    first, second = stranger.get(path), stranger.get(path)
    assert "Thank you" in words(first), "a HEAD request is none"
    assert "This was confirmed before" in words(second)
    assert second.status_code == 200
    assert "Show the test" in words(admin.get(path))


def test_a_test_of_unsaved_values_is_remembered_once_they_are_saved(
    site: Host, admin: Browser, stranger: Browser, mailbox: Mailbox
) -> None:
    tested = admin.post("/test", typed(mailbox, recipient="ann@example.test"))
    stranger.get(path_of(link_in(mailbox.letters[0])))
    assert "Arrived after" in words(admin.get(poll_of(tested.text)))
    saved = words(admin.follow(admin.post("/add", form_of(tested))))
    assert "Arrival confirmed" in saved


def test_who_tested_is_told(make_site: MakeSite, mailbox: Mailbox) -> None:
    site = make_site(owner=lambda: "ann")
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    browser = Browser(site.app)
    browser.post(f"/{shop}/test")
    assert "Working – tested just now Tested by ann" in words(browser.get("/"))


def test_after_a_change_it_needs_a_new_test(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    assert "Not tested" in words(admin.get("/"))
    admin.post(f"/{shop}/test")
    with site.app.app_context():
        site.smtp.edit_server(shop, address="other@example.test")
    assert "Needs a new test Changed just now, after its last test" in words(admin.get("/"))
    assert "Needs a new test" in words(admin.get(f"/{shop}/edit"))


def test_without_a_message_nothing_is_awaited(admin: Browser, shop: str) -> None:
    page = admin.post(f"/{shop}/test")
    assert "It works" in page.text
    assert "Arrival" not in words(page)
    assert "data-smtp-arrival" not in page.text


def test_a_failed_test_awaits_nothing(admin: Browser, shop: str) -> None:
    page = admin.post(f"/{shop}/test", {"recipient": "bad@example.test"})
    assert "Stopped at step" in page.text
    assert "Waiting" not in words(page)
    assert "data-smtp-arrival" not in page.text


def signed(key: str, *, salt: str = "flask-smtpservers.arrival", age: int = 0, payload: str = "x" * 22) -> str:
    """Sign as the app does, or nearly."""

    class Past(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) - age

    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    made = URLSafeTimedSerializer([key], salt=salt, signer=Past, signer_kwargs=how).dumps(payload)
    return str(made)


KEY = "a secret key for tests only"


@pytest.mark.parametrize(
    ("token", "status", "says"),
    [
        (signed(KEY), 404, "This test is not known any more"),
        (signed(KEY, age=7 * 86_400 + 60), 410, "This link is too old It was valid for 7 days."),
        (signed("another app's key"), 404, "This link does not work"),
        (signed(KEY, salt="another salt"), 404, "This link does not work"),
        (signed(KEY)[:-4], 404, "This link does not work"),
        ("x", 404, "Perhaps a part of it is missing"),
        ("A" * 10_000, 404, "This link does not work"),
        ("%00", 404, "This link does not work"),
        (signed(KEY, payload="\0" * 22), 404, "This test is not known any more"),
    ],
    ids=["unknown", "expired", "another key", "another salt", "cut off", "nothing", "long", "NUL", "signed NUL"],
)
def test_links_that_are_none_are_told_apart(stranger: Browser, token: str, status: int, says: str) -> None:
    answer = stranger.get(f"/arrival/{token}")
    assert answer.status_code == status
    assert says in words(answer)
    assert "Send a new test message" in words(answer)


def test_a_link_that_was_signed_with_the_key_before_still_works(make_site: MakeSite, mailbox: Mailbox) -> None:
    """After ``SECRET_KEY`` was changed and the old one moved to ``SECRET_KEY_FALLBACKS``."""
    old = make_site()
    with old.app.app_context():
        shop = old.smtp.add_server(**server_fields(mailbox)).public_id
    Browser(old.app).post(f"/{shop}/test", {"recipient": "ann@example.test"})
    path = path_of(link_in(mailbox.letters[0]))
    stranger = make_site(SECRET_KEY="another key, quite new")
    assert Browser(stranger.app, "anonymous").get(path).status_code == 404
    new = make_site(SECRET_KEY="another key, quite new", SECRET_KEY_FALLBACKS=[KEY])
    assert "Thank you" in words(Browser(new.app, "anonymous").get(path))


@pytest.mark.parametrize(
    ("config", "begins"),
    [
        ({"SMTPSERVERS_EXTERNAL_URL": "https://shop.example.com"}, "https://shop.example.com/smtp/arrival/"),
        ({"SMTPSERVERS_EXTERNAL_URL": "https://shop.example.com/app/"}, "https://shop.example.com/app/smtp/arrival/"),
        ({"SERVER_NAME": "shop.example.org"}, "http://shop.example.org/smtp/arrival/"),
        (
            {"SMTPSERVERS_EXTERNAL_URL": "https://shop.example.com", "SERVER_NAME": "other.example.org"},
            "https://shop.example.com/smtp/arrival/",
        ),
        ({}, ""),
        ({"SMTPSERVERS_EXTERNAL_URL": "https://shop.example.com", "SMTPSERVERS_PAGES": False}, ""),
    ],
    ids=["external URL", "external URL with a path", "server name", "both", "neither", "no pages"],
)
def test_links_made_outside_of_a_request(ca_file: Path, config: dict[str, Any], begins: str) -> None:
    """They use ``SMTPSERVERS_EXTERNAL_URL``, else ``SERVER_NAME``; with neither there is a code, without pages none."""
    with hosting(ca_file=ca_file, **config) as host, host.app.app_context():
        awaited = await_arrival(host.state, None, name="Shop", recipient="ann@example.test")
        assert awaited.link.startswith(begins)
        assert bool(awaited.link) is bool(begins)
        assert bool(awaited.code) is (not begins and config.get("SMTPSERVERS_PAGES", True))
        assert awaited.trial.recipient == "a…@example.test"


def test_the_address_that_the_operator_names_goes_before_the_one_of_the_request(
    make_site: MakeSite, mailbox: Mailbox
) -> None:
    """A request with a forged Host header cannot put another address into the message."""
    site = make_site(SMTPSERVERS_EXTERNAL_URL="https://shop.example.com/app")
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
    Browser(site.app).post(f"/{shop}/test", {"recipient": "ann@example.test"})
    assert link_in(mailbox.letters[0]).startswith("https://shop.example.com/app/smtp/arrival/")


@pytest.fixture
def by_hand(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> Iterator[str]:
    """The code of a test message that was sent from the command line."""
    result = site.app.test_cli_runner().invoke(args=["smtp", "test", "Shop", "--to", "ann@example.test"])
    assert result.exit_code == 0
    assert "Waiting" in result.stdout
    assert "Enter the code from the message on the page “Confirm arrival”" in result.stdout
    text = text_of(mailbox.letters[0])
    assert "http" not in text
    (code,) = re.findall(r"^([2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4})\r?$", text, re.MULTILINE)
    yield code


def test_a_code_does_the_same_as_a_link(admin: Browser, by_hand: str) -> None:
    """Where the app does not know its own address; it may be typed with or without hyphens, in small letters."""
    assert "Code in the message" in words(admin.get("/arrival"))
    answer = admin.post("/arrival", {"code": f" {by_hand.lower().replace('-', ' ')}"})
    assert "Thank you: the message arrived" in words(answer)
    assert "This was confirmed before" in words(admin.post("/arrival", {"code": by_hand}))
    assert "Tested by flask smtp test Arrival confirmed" in words(admin.get("/"))


@pytest.mark.parametrize("code", ["", "x", "2222-2222-2222", "<b>", "2" * 500, "\0"])
def test_a_wrong_code_is_said(admin: Browser, by_hand: str, code: str) -> None:
    answer = admin.post("/arrival", {"code": code})
    assert answer.status_code == 422
    assert "No test message has this code." in words(answer)
    assert "<b>" not in answer.text


def test_a_test_that_nobody_ran_is_not_found(admin: Browser) -> None:
    for trial_id in ("0" * 32, "x", "%00"):
        assert admin.get(f"/tests/{trial_id}").status_code == 404


def test_without_a_database_the_message_goes_out_without_a_link(
    make_site: MakeSite, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that is not there yet does not stop a test."""
    site = make_site()
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox))
        site.db.session.execute(site.db.text("DROP TABLE smtpservers_trial"))
        site.db.session.commit()
        site.db.engine.dispose()
    site = make_site(create_tables=False)
    with site.app.app_context():
        awaited = await_arrival(site.state, shop, name="Shop", recipient="ann@example.test")
    assert not awaited.awaits
    assert "without a link" in caplog.text
