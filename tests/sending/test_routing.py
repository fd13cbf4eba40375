"""Which server sends a message: the rules as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flask_smtpservers.errors import ServerNotFound
from flask_smtpservers.policy import Kind
from flask_smtpservers.sending.routing import Question, Rule, route
from flask_smtpservers.servers.profile import ForeignSender, ServerProfile

from .profiles import server

NOW = datetime(2026, 11, 20, tzinfo=UTC)
MAIN = server("Main", "info@acme.test", is_default=True, position=0)
BILLS = server("Bills", "bills@acme.test", position=1)
NEWS = server("News", "news@letters.test", position=2)
NEWS_TWO = server("News two", "other@letters.test", position=3)
PAUSED = server("Old", "old@gone.test", position=4, enabled=False)
ALL = (NEWS_TWO, PAUSED, NEWS, BILLS, MAIN)


@pytest.mark.parametrize(
    ("question", "servers", "name", "rule"),
    [
        (Question(), (), "Built-in", Rule.BUILT_IN),
        (Question(), ALL, "Main", Rule.DEFAULT),
        (Question(), (BILLS, NEWS), "Built-in", Rule.BUILT_IN),
        (Question(address="bills@acme.test"), ALL, "Bills", Rule.ADDRESS),
        (Question(address="BILLS@Acme.Test"), ALL, "Bills", Rule.ADDRESS),
        (Question(address="ann@acme.test"), ALL, "Main", Rule.DOMAIN),
        (Question(address="ann@ACME.test"), (BILLS, NEWS), "Bills", Rule.DOMAIN),
        (Question(address="ann@letters.test"), ALL, "News", Rule.DOMAIN),
        (Question(address="ann@elsewhere.test"), ALL, "Main", Rule.DEFAULT),
        (Question(address="ann@elsewhere.test"), (BILLS,), "Built-in", Rule.BUILT_IN),
        (Question(address="old@gone.test"), ALL, "Main", Rule.DEFAULT),
        (Question(address="ann@sub.acme.test"), ALL, "Main", Rule.DEFAULT),
        (Question(using="news"), ALL, "News", Rule.USING),
        (Question(using="NEWS"), ALL, "News", Rule.USING),
        (Question(using="id-bills"), ALL, "Bills", Rule.USING),
        (Question(using="News", address="bills@acme.test"), ALL, "News", Rule.USING),
        (Question(using="Built-in"), ALL, "Built-in", Rule.USING),
        (Question(using="built-in"), (server("Built-in", "x@acme.test"),), "Built-in", Rule.USING),
    ],
)
def test_the_rules_in_their_order(
    question: Question, servers: tuple[ServerProfile, ...], name: str, rule: Rule
) -> None:
    """Asked for by name, then From address, then From domain, then the default, then the app's own; case is ignored."""
    decided = route(question, servers)
    assert (decided.server_name, decided.rule) == (name, rule)


def test_of_several_that_fit_the_default_comes_first() -> None:
    """Then the order of the list decides."""
    second, third = server("B", "b@acme.test", position=1), server("C", "c@acme.test", position=2)
    default = server("Z", "z@acme.test", position=3, is_default=True)
    question = Question(address="ann@acme.test")
    assert route(question, [third, second, default]).server is default
    assert route(question, [third, second]).server is second


def test_every_rule_that_was_tried_says_how_it_went() -> None:
    """An admin who wonders reads why his server was not taken."""
    decided = route(Question(address="old@gone.test"), ALL)
    assert [tried.rule for tried in decided.tried] == [rule for rule in Rule if rule is not Rule.BUILT_IN]
    assert decided.tried[3].reason == "“Old” sends as old@gone.test. It is paused."
    assert decided.tried[-1].reason == decided.reason == "“Main” is the default server."


def test_without_any_server_the_reasons_are_complete() -> None:
    decided = route(Question(), [server("Main", "a@b.test", is_default=True, enabled=False)])
    assert decided.server is None
    assert [tried.reason for tried in decided.tried] == [
        "The program asked for no server by name.",
        "Users have no servers of their own here.",
        "The message is of no kind in particular.",
        "The message has no sender of its own.",
        "The message has no sender of its own.",
        "The mail belongs to no tenant.",
        "“Main” is the default server. It is paused.",
        "The app's own MAIL_* settings are used.",
    ]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (Question(using="nobody"), "No SMTP server is called “nobody”."),
        (Question(using=""), "No SMTP server is called “”."),
        (Question(using="old"), "The server “Old” was asked for, but it cannot send. It is paused."),
    ],
)
def test_a_server_asked_for_that_cannot_send_is_an_error(question: Question, text: str) -> None:
    """Mail that was meant for one server never goes out through another."""
    with pytest.raises(ServerNotFound) as caught:
        route(question, ALL)
    assert str(caught.value) == text


def test_without_a_default_and_without_the_built_in_nothing_is_guessed() -> None:
    with pytest.raises(ServerNotFound, match="make one of the servers the default"):
        route(Question(), (BILLS,), builtin=False)


def test_of_two_servers_with_one_name_the_enabled_one_is_taken() -> None:
    twins = [server("Twin", "a@x.test", enabled=False, position=0), server("twin", "b@x.test", position=1)]
    decided = route(Question(using="twin"), twins)
    assert decided.server is twins[1]


# -- kinds, tenants, users

RECEIPTS, BULK = Kind("receipts", "Receipts"), Kind("bulk", "Newsletters", bulk=True)
LETTERS = Kind("letters", "Letters", personal=True)
SUSPENDED = server("Bad", "bad@acme.test", position=5, suspended_at=NOW)
WIDE = server("Wide", "desk@wide.test", position=6, allowed_senders=("boss@partner.test", "friends.test"))
STRICT = server("Strict", "desk@strict.test", position=7, foreign_sender=ForeignSender.REFUSE)
SHARED = (*ALL, SUSPENDED, WIDE, STRICT)

ACME = server("Acme", "info@acme.test", tenant="acme", is_default=True)
ACME_NEWS = server("News", "news@acme-letters.test", tenant="acme", position=1, public_id="id-acme-news")
OTHERS = server("Other", "bills@acme.test", tenant="other", is_default=True, public_id="id-other")

ANNS = server("Anns", "ann@home.test", owner="7", address_verified_at=NOW, is_default=True)
ANNS_SECOND = server("Second", "ann@work.test", owner="7", address_verified_at=NOW, position=1)
UNPROVED = server("Claim", "boss@corp.test", owner="7", position=2)
BOBS = server("Bobs", "bob@home.test", owner="8", address_verified_at=NOW, is_default=True)
ANNS_AT_ACME = server(
    "Anns", "ann@home.test", owner="7", tenant="acme", address_verified_at=NOW, public_id="id-anns-acme"
)
EVERYBODY = (*SHARED, ACME, ACME_NEWS, OTHERS, ANNS, ANNS_SECOND, UNPROVED, BOBS, ANNS_AT_ACME)


def users(address: str = "", owner: str = "7", **changes: Any) -> Question:
    """A question where users have servers of their own and somebody is in front of the page."""
    return Question(address=address, owner=owner, personal=True, **changes)


@pytest.mark.parametrize(
    ("question", "chosen", "rule"),
    [
        # allowed senders: an address, then a domain
        (Question(address="BOSS@partner.test"), WIDE, Rule.ADDRESS),
        (Question(address="any@friends.test"), WIDE, Rule.DOMAIN),
        (Question(address="any@partner.test"), MAIN, Rule.DEFAULT),
        # a server that refuses a sender is not taken for its domain, a suspended one never
        (Question(address="ann@strict.test"), MAIN, Rule.DEFAULT),
        (Question(address="desk@strict.test"), STRICT, Rule.ADDRESS),
        (Question(address="bad@acme.test"), MAIN, Rule.DOMAIN),
        # kinds go before the sender
        (Question(kind=RECEIPTS, kind_servers=("id-news",), address="bills@acme.test"), NEWS, Rule.KIND),
        (Question(kind=RECEIPTS, kind_servers=("id-old",), address="bills@acme.test"), BILLS, Rule.ADDRESS),
        (Question(kind=RECEIPTS, kind_servers=("id-old", "id-news")), NEWS, Rule.KIND),
        (Question(kind=RECEIPTS, kind_servers=("id-acme-news",)), MAIN, Rule.DEFAULT),
        (Question(kind=RECEIPTS), MAIN, Rule.DEFAULT),
        # a tenant's servers go before the app's at every rule, and are nobody else's
        (Question(tenant="acme"), ACME, Rule.TENANT_DEFAULT),
        (Question(tenant="nobody"), MAIN, Rule.DEFAULT),
        (Question(tenant="acme", address="info@acme.test"), ACME, Rule.ADDRESS),
        (Question(tenant="acme", address="other@acme.test"), ACME, Rule.DOMAIN),
        (Question(tenant="acme", address="bills@acme.test"), BILLS, Rule.ADDRESS),
        (Question(tenant="acme", address="ann@letters.test"), NEWS, Rule.DOMAIN),
        (Question(tenant="other", address="bills@acme.test"), OTHERS, Rule.ADDRESS),
        (Question(tenant="acme", using="news"), ACME_NEWS, Rule.USING),
        (Question(using="news"), NEWS, Rule.USING),
        (Question(tenant="acme", kind=RECEIPTS, kind_servers=("id-acme-news", "id-news")), ACME_NEWS, Rule.KIND),
        # a user's own mail: named by the program, by its kind, or by his proved address
        (users("shop@x.test", owner_named=True), ANNS, Rule.PERSONAL),
        (users("ANN@work.test", owner_named=True), ANNS_SECOND, Rule.PERSONAL),
        (users("shop@x.test", kind=LETTERS), ANNS, Rule.PERSONAL),
        (users("ann@home.test"), ANNS, Rule.PERSONAL),
        (users("ann@home.test", tenant="acme"), ANNS_AT_ACME, Rule.PERSONAL),
        (users("shop@x.test"), MAIN, Rule.DEFAULT),
        (users("boss@corp.test"), MAIN, Rule.DEFAULT),
        (users("ann@home.test", owner="8"), MAIN, Rule.DEFAULT),
        (users("ann@home.test", owner=""), MAIN, Rule.DEFAULT),
        (users("bob@home.test", owner_named=True), ANNS, Rule.PERSONAL),
        (users("ann@home.test", kind=BULK), MAIN, Rule.DEFAULT),
        (users("ann@home.test", owner_named=True, kind=BULK), MAIN, Rule.DEFAULT),
        (users("", owner_named=True), MAIN, Rule.DEFAULT),
        (users("", kind=LETTERS), MAIN, Rule.DEFAULT),
        (users("x@shop.test", owner_named=True, from_app=True), MAIN, Rule.DEFAULT),
        (users("x@shop.test", kind=LETTERS, from_app=True), MAIN, Rule.DEFAULT),
        (users("ann@home.test", from_app=True), MAIN, Rule.DEFAULT),
        (Question(address="ann@home.test", owner="7", owner_named=True), MAIN, Rule.DEFAULT),
        (users("ann@home.test", withdrawn=frozenset({"id-anns"})), ANNS_SECOND, Rule.PERSONAL),
        (users("ann@home.test", owner="9", owner_named=True), MAIN, Rule.DEFAULT),
        # by name: only in his own mail, and never in the place of a server of the app
        (users("ann@home.test", owner_named=True, using="second"), ANNS_SECOND, Rule.USING),
        (users("ann@home.test", using="id-second"), ANNS_SECOND, Rule.USING),
        (users("ann@home.test", owner_named=True, using="news"), NEWS, Rule.USING),
    ],
)
def test_kinds_tenants_and_users(question: Question, chosen: ServerProfile, rule: Rule) -> None:
    decided = route(question, EVERYBODY)
    assert (decided.server_name, decided.rule) == (chosen.name, rule)
    assert decided.server is chosen


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (Question(using="bad"), "It was suspended by an administrator."),
        (Question(using="Acme"), "No SMTP server is called “Acme”."),
        (Question(using="id-other", tenant="acme"), "No SMTP server is called “id-other”."),
        (Question(using="anns"), "No SMTP server is called “anns”."),
        (users("shop@x.test", using="anns"), "No SMTP server is called “anns”."),
        (users("ann@home.test", using="anns", kind=BULK), "No SMTP server is called “anns”."),
        (users("", using="anns", owner_named=True), "No SMTP server is called “anns”."),
        (users("ann@home.test", using="bobs"), "No SMTP server is called “bobs”."),
        (users("ann@home.test", using="second"), "No SMTP server is called “second”."),
        (users("app@acme.test", using="second", owner_named=True, from_app=True), "No SMTP server is called “second”."),
        (users("app@acme.test", using="id-anns", owner_named=True, from_app=True), "No SMTP server is called"),
        (users("ann@home.test", owner_named=True, using="claim"), "Its sending address has not been proved yet."),
        (users("x@y.test", owner="9", owner_named=True, fallback=False), "The user has no server of his own. No other"),
        (users("x@y.test", owner="", kind=LETTERS, fallback=False), "Nothing says whose mail it is. No other"),
    ],
)
def test_what_may_not_be_used_is_an_error(question: Question, text: str) -> None:
    """A suspended server, one of another tenant or user, and a shared one where the operator wants none."""
    with pytest.raises(ServerNotFound) as caught:
        route(question, EVERYBODY)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "question",
    [
        users("shop@x.test"),
        users("", owner_named=True),
        users("a@b.c", kind=BULK),
        users("app@acme.test", owner_named=True, from_app=True),
    ],
)
def test_mail_that_is_no_users_own_needs_no_fall_back(question: Question) -> None:
    """The operator's word on fall-backs does not concern it."""
    assert route(replace(question, fallback=False), EVERYBODY).server is MAIN


def test_why_the_others_lost() -> None:
    """Each server that a rule fits as well is named, with what stood in its way."""
    twin = server("Twin", "bills@acme.test", position=9)
    hidden = server("Hidden", "bills@acme.test", position=0, enabled=False)
    decided = route(Question(address="bills@acme.test"), [hidden, BILLS, twin])
    assert decided.server is BILLS
    assert [(other.server_name, other.reason) for other in decided.tried[-1].others] == [
        ("Hidden", "“Hidden” sends as bills@acme.test. It is paused."),
        ("Twin", "“Twin” sends as bills@acme.test. “Bills” comes first."),
    ]


def test_the_built_in_server_that_must_not_be_used() -> None:
    with pytest.raises(ServerNotFound, match="must not be used here"):
        route(Question(using="built-in"), (), builtin=False)


@pytest.mark.parametrize("state", [{"enabled": False}, {"suspended_at": NOW}, {}])
def test_a_users_server_never_takes_the_place_of_a_shared_one(state: dict[str, Any]) -> None:
    """Whether or not the shared one can send, and however the name is written."""
    shared = server("Billing", "billing@acme.test", public_id="id-shared", **state)
    anns = replace(ANNS, name="\uff22illing")
    question = users("ann@home.test", owner_named=True, using="BILLING")
    if state:
        with pytest.raises(ServerNotFound, match="“Billing” was asked for, but it cannot send"):
            route(question, [anns, shared])
    else:
        assert route(question, [anns, shared]).server is shared
    assert route(replace(question, using=ANNS.public_id), [anns, shared]).server is anns


@pytest.mark.parametrize("whose", [{}, {"tenant": "acme"}, {"owner": "7", "address_verified_at": NOW}])
def test_nobodys_server_takes_the_place_of_the_built_in(whose: dict[str, Any]) -> None:
    """One that has its name all the same, from SQL say, is found by its id only."""
    named = server("Built-in", "ann@home.test", public_id="id-named", **whose)
    question = users("ann@home.test", owner_named=True, tenant=whose.get("tenant", ""), using="BUILT-IN")
    decided = route(question, [named])
    assert (decided.server, decided.rule) == (None, Rule.USING)
    with pytest.raises(ServerNotFound, match="must not be used here"):
        route(question, [named], builtin=False)
    assert route(replace(question, using="id-named"), [named]).server is named


def test_an_id_goes_before_a_name() -> None:
    """A tenant's server that is called like the id of one of the app's does not get its mail."""
    named = server("id-news", "x@acme.test", tenant="acme", public_id="id-other-one")
    assert route(Question(using="id-news", tenant="acme"), [named, NEWS]).server is NEWS
