"""Which server sends a message: the rules as a table."""

from __future__ import annotations

import pytest

from flask_smtpservers.errors import ServerNotFound
from flask_smtpservers.sending.routing import Question, Rule, route
from flask_smtpservers.servers.profile import ServerProfile

from .profiles import server

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
    assert [tried.rule for tried in decided.tried] == [Rule.ADDRESS, Rule.DOMAIN, Rule.DEFAULT]
    assert decided.tried[0].reason == '"Old" sends as old@gone.test but is paused.'
    assert decided.tried[-1].reason == decided.reason == '"Main" is the default server.'


def test_without_any_server_the_reasons_are_complete() -> None:
    decided = route(Question(), [server("Main", "a@b.test", is_default=True, enabled=False)])
    assert decided.server is None
    assert [tried.reason for tried in decided.tried] == [
        "The message has no sender of its own.",
        "The message has no sender of its own.",
        'The default server "Main" is paused.',
        "The app's own MAIL_* settings are used.",
    ]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (Question(using="nobody"), 'No SMTP server is called "nobody".'),
        (Question(using=""), 'No SMTP server is called "".'),
        (Question(using="old"), 'The server "Old" is paused: enable it, or ask for another.'),
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
