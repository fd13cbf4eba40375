"""The form on mail from other senders: each choice explained, and an example of what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from flask_smtpservers import Scope
from tests.apps import Host

from .browser import Browser, form_of, words
from .conftest import MakeSite
from .tenants import MAKING, person, with_login
from .test_used_for import add

AUTHOR = "For example, a mail from Ann Miller <ann@partner.example>"


def look(browser: Browser, **typed: Any) -> str:
    """Change something in the form and press "Show the effect"."""
    form = {"send_as": '"Till, Shop" <till@shop.test>', "sender_format": "{name}", "host": "mail.example.com"}
    answer = browser.post("/add", {**form, **typed, "look": "1"})
    assert answer.status_code == 200
    return words(answer)


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ({}, ["In the inbox Ann Miller", "address ann@partner.example", "(envelope sender) ann@partner.example"]),
        (
            {"foreign_sender": "rewrite"},
            ["inbox Ann Miller via Till, Shop", "address till@shop.test", "To: Ann Miller <ann@partner.example>"],
        ),
        ({"foreign_sender": "refuse", "name": "Till"}, ["It is not sent.", "The server “Till” sends only as"]),
        ({"foreign_sender": "refuse", "allowed_senders": "nonsense\npartner.example"}, ["In the inbox Ann Miller"]),
        (
            {"sender_policy": "force", "foreign_sender": "refuse"},
            ["In the inbox Till, Shop", "address till@shop.test", "To: Ann Miller <ann@partner.example>"],
        ),
        ({"foreign_sender": "rewrite", "sender_format": "{user} – {app}"}, ["In the inbox Ann Miller – shop"]),
        ({"reply_to": "desk@shop.test"}, ["To: desk@shop.test"]),
        ({"reply_to": "no address"}, ["In the inbox Ann Miller"]),
        ({"send_as": ""}, ["Enter the sending address first."]),
        ({"send_as": "nonsense"}, ["Enter the sending address first."]),
        ({"sender_policy": "x", "foreign_sender": "y"}, ["In the inbox Ann Miller"]),
    ],
)
def test_the_example_follows_the_choices(site: Host, admin: Browser, typed: dict[str, str], texts: list[str]) -> None:
    """Without JavaScript by a button; with it the same page is asked for."""
    page = look(admin, sender_policy=typed.pop("sender_policy", "keep"), **typed)
    assert AUTHOR in page
    example = page[page.index(AUTHOR) :]
    for text in texts:
        assert text in example


def test_each_choice_is_explained_in_a_sentence(admin: Browser) -> None:
    page = words(admin.get("/add"))
    for choice in (
        "Keep that sender From stays as the mail has it.",
        "Keep its address, add the name if it has none From stays; a bare address gets the name",
        "Always send as the address above; replies go to that sender From is always “Send as”",
        "Send it all the same For servers that take any sender. Many refuse such mail",
        "Put it in the name and in Reply-To From is the address above with the sender's name in front",
        "Refuse the mail Nothing is sent, and the program gets an error.",
    ):
        assert choice in page


def test_the_fold_tells_the_choice_and_is_open_where_something_is_set(site: Host, admin: Browser) -> None:
    plain = add(site, "Plain", "a@shop.test")
    strict = add(site, "Strict", "b@shop.test", foreign_sender="refuse")
    fold = 'id="smtp-senders-fold"'
    assert f"{fold}>" in admin.get(f"/{plain.public_id}/edit").text
    answer = admin.get(f"/{strict.public_id}/edit")
    assert f"{fold} open>" in answer.text
    assert "Mail from other senders Refused" in words(answer)


def test_what_is_chosen_is_saved(site: Host, admin: Browser) -> None:
    saved = add(site, "Shop", "a@shop.test")
    form = form_of(admin.get(f"/{saved.public_id}/edit"))
    assert (form["sender_policy"], form["foreign_sender"]) == ("keep", "keep")
    changed = {**form, "sender_policy": "force", "foreign_sender": "rewrite", "allowed_senders": "b@shop.test"}
    admin.follow(admin.post(f"/{saved.public_id}/edit", changed))
    with site.app.app_context():
        (now,) = site.smtp.servers()
    assert (now.sender_policy, now.foreign_sender, now.allowed_senders) == ("force", "rewrite", ("b@shop.test",))


def test_a_users_own_server_has_no_such_choice(make_site: MakeSite) -> None:
    """It sends as nobody else."""
    site = with_login(make_site(**MAKING))
    own = add(site, "Mine", "ann@home.test", scope=Scope("acme", "ann"), host="127.0.0.1", port=1, security="none")
    answer = person(site, "ann").get(f"/me/{own.public_id}/edit")
    assert answer.status_code == 200
    assert {"foreign_sender", "allowed_senders", "sender_policy"}.isdisjoint(form_of(answer))
