"""Who a message is from: reading senders strictly, and the server's sender rules."""

from __future__ import annotations

import re

import pytest
from werkzeug.local import LocalProxy

from flask_smtpservers.errors import MessageRefused
from flask_smtpservers.sending.sender import (
    Mailbox,
    Sender,
    decide_sender,
    envelope_address,
    format_name,
    is_default_sender,
    mailbox,
    parse_mailbox,
    read_recipient,
    read_sender,
    recover,
)
from flask_smtpservers.servers.profile import ForeignSender, SenderPolicy

from .profiles import server


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("j@d.org", "", "j@d.org"),
        ("  j@d.org ", "", "j@d.org"),
        ("<j@d.org>", "", "j@d.org"),
        ("Jane Doe <j@d.org>", "Jane Doe", "j@d.org"),
        ("J. Doe <j@d.org>", "J. Doe", "j@d.org"),
        ('"Doe, John" <j@d.org>', "Doe, John", "j@d.org"),
        (r'"A \"B\" \\ C" <j@d.org>', r'A "B" \ C', "j@d.org"),
        ('"CEO <ceo@victim.test>" <j@d.org>', "CEO <ceo@victim.test>", "j@d.org"),
        ("Jörg → ✓ <j@d.org>", "Jörg → ✓", "j@d.org"),
        ("=?utf-8?q?J=C3=B6rg?= <j@d.org>", "Jörg", "j@d.org"),
        ("=?x-none?q?J?= <j@d.org>", "=?x-none?q?J?=", "j@d.org"),
        ("Jane   Doe <j@d.org>", "Jane Doe", "j@d.org"),
        ("j@Bücher.example", "", "j@xn--bcher-kva.example"),
        ("j@BÜCHER.example", "", "j@xn--bcher-kva.example"),
        ("j@faß.de", "", "j@xn--fa-hia.de"),
        ("j@xn--bcher-kva.example", "", "j@xn--bcher-kva.example"),
        ("root@localhost", "", "root@localhost"),
        ("j+tag@D.org", "", "j+tag@D.org"),
        ("j@[127.0.0.1]", "", "j@[127.0.0.1]"),
        ("j@[IPv6:::1]", "", "j@[IPv6:::1]"),
        ("Jörg <jörg@d.org>", "Jörg", "jörg@d.org"),
        ("用户@例え.jp", "", "用户@xn--r8jz45g.jp"),
    ],
)
def test_one_mailbox_is_read(text: str, name: str, address: str) -> None:
    assert parse_mailbox(text) == Mailbox(name, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jane",
        "@d.org",
        "j@",
        "a@x.org, b@y.org",
        "a@x.org b@y.org",
        "a@x.org, Bob <b@y.org>",
        "Doe, John <j@d.org>",
        "friends: a@x.org, b@y.org;",
        "Team: <j@d.org>",
        "CEO <ceo@victim.test> <j@d.org>",
        "<@relay.org:j@d.org>",
        "@relay.org:j@d.org",
        "j(comment)@d.org",
        "j@d.org (comment)",
        "Jane (Sales) <j@d.org>",
        "alice@x.org)bob@evil.org",
        "j%d.org@relay.org",
        "relay!j@d.org",
        '"j doe"@d.org',
        "=?utf-8?q?j?=@d.org",
        ".j@d.org",
        "j..k@d.org",
        "j@d..org",
        "j@d.org.",
        "j@-d.org",
        "j@d_e.org",
        "j@127.0.0.1",
        "j@[127.0.0.1",
        "j@[300.0.0.1]",
        "j@[fe80::1]",
        "j@xn--99999.org",
        "j@xn--ls8h.org",
        "j@ex℀mple.org",
        f"{'j' * 65}@d.org",
        f"j@{'d' * 64}.org",
        f"j@{'.'.join(['d' * 60] * 5)}",
        "j@d.org>",
        "j@d\x00.org",
        "j@d.org\r\n",
        "j@d.org\rBcc: x@y.org",
        "Ja\nne <j@d.org>",
        "Ja\tne <j@d.org>",
        "Ja\x85ne <j@d.org>",
        "Ja\u2028ne <j@d.org>",
        "Ja\u202ene <j@d.org>",
        "Ja\u2066ne <j@d.org>",
        "Ja\ud800ne <j@d.org>",
        "=?utf-8?q?Ja=0Ane?= <j@d.org>",
        "=?utf-8?b?4oCu?= <j@d.org>",
    ],
)
def test_what_is_not_exactly_one_mailbox_is_refused(text: str) -> None:
    """Readers of mail differ about each of these; so nobody may send them."""
    with pytest.raises(MessageRefused) as caught:
        parse_mailbox(text)
    assert not re.search("[\x00-\x1f\x80-\x9f\u2028\u202e]", str(caught.value))


@pytest.mark.parametrize(
    ("flattened", "name", "address"),
    [
        ("Doe, John <j@d.org>", "Doe, John", "j@d.org"),
        ("CEO <ceo@victim.test> <me@d.org>", "CEO <ceo@victim.test>", "me@d.org"),
        ("a@victim.test, b <me@d.org>", "a@victim.test, b", "me@d.org"),
        ('"Doe, John" <j@d.org>', "Doe, John", "j@d.org"),
        ('Say "hi" <j@d.org>', 'Say "hi"', "j@d.org"),
        ("Team: Sales; <j@d.org>", "Team: Sales;", "j@d.org"),
        ("Jane (Sales) <j@d.org>", "Jane (Sales)", "j@d.org"),
        (" <j@d.org>", "", "j@d.org"),
        ("j@d.org", "", "j@d.org"),
    ],
)
def test_a_flattened_pair_is_recovered(flattened: str, name: str, address: str) -> None:
    """Flask-Mail makes "name <address>" of a sender pair without quoting: the last < begins the address."""
    assert recover(flattened) == Mailbox(name, address)


@pytest.mark.parametrize(
    "flattened", ["a@x.org, b@y.org", "CEO <a@x.org>, b@y.org", "x <a@x.org, b@y.org>", "x <>", "x"]
)
def test_recovering_never_guesses_an_address(flattened: str) -> None:
    with pytest.raises(MessageRefused):
        recover(flattened)


@pytest.mark.parametrize("address", ["a@x.org> <b@y.org", "a@x.org\r\nBcc: b@y.org", "a@x.org, b@y.org"])
def test_the_address_of_a_pair_is_one_address(address: str) -> None:
    with pytest.raises(MessageRefused):
        mailbox("Ann", address)


def test_pairs_texts_and_callables_are_read() -> None:
    assert read_sender(("Doe, John", "j@d.org")) == Mailbox("Doe, John", "j@d.org")
    assert read_sender(lambda: ("Doe, John", "j@d.org")) == Mailbox("Doe, John", "j@d.org")
    assert read_sender("j@d.org") == Mailbox("", "j@d.org")
    assert read_sender(LocalProxy(lambda: ("Doe, John", "j@d.org"))) == Mailbox("Doe, John", "j@d.org")
    assert read_sender(LocalProxy(lambda: "Doe, John <j@d.org>")) == Mailbox("Doe, John", "j@d.org")
    assert read_sender(None) is None
    assert read_recipient(("Doe, John", "j@d.org")) == Mailbox("Doe, John", "j@d.org")
    assert read_recipient((None, "j@d.org")) == Mailbox("", "j@d.org")


@pytest.mark.parametrize(
    ("box", "text"),
    [
        (Mailbox("", "j@d.org"), "j@d.org"),
        (Mailbox("Doe, John", "j@d.org"), '"Doe, John" <j@d.org>'),
        (Mailbox("CEO <c@v.test>", "j@d.org"), '"CEO <c@v.test>" <j@d.org>'),
        (Mailbox('A "B" \\', "j@d.org"), r'"A \"B\" \\" <j@d.org>'),
        (Mailbox("Jörg", "j@d.org"), "Jörg <j@d.org>"),
    ],
)
def test_a_mailbox_is_written_so_that_it_reads_back(box: Mailbox, text: str) -> None:
    assert str(box) == text
    assert parse_mailbox(text) == box


def test_the_key_ignores_the_case_of_the_domain_only() -> None:
    """RFC 5321 §2.4: a local part belongs to its host, which may tell J from j."""
    assert Mailbox("x", "J@D.Org").key == Mailbox("", "J@d.org").key != Mailbox("", "j@d.org").key


@pytest.mark.parametrize(
    ("sender", "default", "verdict"),
    [
        (None, None, True),
        (None, "app@x.org", True),
        ("", "app@x.org", True),
        ("app@x.org", "app@x.org", True),
        ("app@X.org", "app@x.org", True),
        ("Doe, John <j@x.org>", ("Doe, John", "j@x.org"), True),
        ('"Doe, John" <j@x.org>', ("Doe, John", "j@x.org"), True),
        ("j@x.org", ("Doe, John", "j@x.org"), True),
        ("Other <j@x.org>", ("Doe, John", "j@x.org"), False),
        ("ann@x.org", "app@x.org", False),
        ("ann@x.org", None, False),
        ("no-reply@localhost", None, True),
        ("None", None, True),
        ("not an address", "app@x.org", False),
    ],
)
def test_when_a_sender_says_nothing_of_its_own(sender: object, default: object, verdict: bool) -> None:
    """No sender, the app's default in any form, and Flask-Security's stand-in for a default that is not set."""
    assert is_default_sender(sender, default) is verdict


def test_a_callable_default_is_asked() -> None:
    def default() -> str:
        return "app@x.org"

    assert is_default_sender(default, default)
    assert is_default_sender("app@x.org", default)
    assert not is_default_sender("ann@x.org", default)


OWN = Mailbox("Corner Shop", "shop@x.org")
ANN = Mailbox("Ann", "ann@y.org")
BARE_ANN = Mailbox("", "ann@y.org")


@pytest.mark.parametrize(
    ("policy", "author", "is_default", "expected"),
    [
        (SenderPolicy.KEEP, None, True, Sender(OWN, "shop@x.org")),
        (SenderPolicy.KEEP, Mailbox("App", "app@z.org"), True, Sender(OWN, "shop@x.org")),
        (SenderPolicy.KEEP, ANN, False, Sender(ANN, "ann@y.org")),
        (SenderPolicy.KEEP, BARE_ANN, False, Sender(BARE_ANN, "ann@y.org")),
        (SenderPolicy.KEEP, Mailbox("", "Shop@X.org"), False, Sender(OWN, "shop@x.org")),
        (SenderPolicy.KEEP, Mailbox("Sale", "shop@x.org"), False, Sender(Mailbox("Sale", "shop@x.org"), "shop@x.org")),
        (SenderPolicy.FILL_NAME, ANN, False, Sender(ANN, "ann@y.org")),
        (SenderPolicy.FILL_NAME, BARE_ANN, False, Sender(Mailbox("Corner Shop", "ann@y.org"), "ann@y.org")),
        (SenderPolicy.FORCE, ANN, False, Sender(OWN, "shop@x.org", ANN)),
        (SenderPolicy.FORCE, Mailbox("Sale", "shop@x.org"), False, Sender(OWN, "shop@x.org")),
        (SenderPolicy.FORCE, Mailbox("App", "app@z.org"), True, Sender(OWN, "shop@x.org")),
    ],
)
def test_the_sender_rules(policy: SenderPolicy, author: Mailbox | None, is_default: bool, expected: Sender) -> None:
    """No own sender: the server's. Another one: kept, its name filled in, or replaced with the author in Reply-To."""
    shop = server("Shop", "shop@x.org", sender_name="Corner Shop", sender_policy=policy)
    assert decide_sender(author, is_default, shop) == expected


def test_the_servers_reply_to_comes_along() -> None:
    shop = server("Shop", "shop@x.org", reply_to="Help <help@x.org>")
    assert decide_sender(None, True, shop).reply_to == Mailbox("Help", "help@x.org")
    assert decide_sender(ANN, False, shop).reply_to == Mailbox("Help", "help@x.org")


def test_the_built_in_server_takes_the_author_as_it_is() -> None:
    assert decide_sender(ANN, True, None) == Sender(ANN, "ann@y.org")
    with pytest.raises(MessageRefused, match="no sender"):
        decide_sender(None, True, None)


def test_a_forced_sender_can_name_the_author() -> None:
    """The well-known "Ann via Shop": the format's {user} is the author that the address no longer shows."""
    shop = server("Shop", "shop@x.org", sender_policy=SenderPolicy.FORCE, sender_format="{user} via {app}")
    assert decide_sender(ANN, False, shop, app_name="Corner Shop").header == Mailbox(
        "Ann via Corner Shop", "shop@x.org"
    )
    assert decide_sender(None, True, shop, app_name="Corner Shop").header == Mailbox("Corner Shop", "shop@x.org")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{name}", "Shop"),
        ("{user} via {app}", "Ann via Host"),
        ("{name} ({address})", "Shop (s@x.org)"),
        ("{user.__class__} {0} {} {{name}} %s {unknown}", "{user.__class__} {0} {} {Shop} %s {unknown}"),
        ("{name}\r\nBcc: {user}", "Shop Bcc: Ann"),
        ("\u202e{name}", "Shop"),
        ("  {name}   {app} ", "Shop Host"),
        ("", ""),
    ],
)
def test_a_name_format_is_plain_replacement(template: str, expected: str) -> None:
    assert format_name(template, name="Shop", address="s@x.org", user="Ann", app="Host") == expected


def test_a_value_is_never_a_template() -> None:
    assert format_name("{user} {name}", name="{app}", user="{name}", app="Host") == "{name} {app}"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("bounce@x.org", "bounce@x.org"),
        ("Bounces <bounce@x.org>", "bounce@x.org"),
        (("Bounces", "bounce@Bücher.example"), "bounce@xn--bcher-kva.example"),
        ("<>", ""),
    ],
)
def test_an_envelope_sender_of_its_own(value: object, address: str) -> None:
    assert envelope_address(value) == address


@pytest.mark.parametrize(
    ("foreign", "author", "expected"),
    [
        (ForeignSender.KEEP, ANN, Sender(ANN, "ann@y.org")),
        (ForeignSender.REWRITE, ANN, Sender(Mailbox("Ann via Corner Shop", "shop@x.org"), "shop@x.org", ANN)),
        (
            ForeignSender.REWRITE,
            Mailbox("", "ann@y.org"),
            Sender(Mailbox("ann@y.org via Corner Shop", "shop@x.org"), "shop@x.org", Mailbox("", "ann@y.org")),
        ),
        (ForeignSender.REWRITE, Mailbox("Jo", "Jo@Z.org"), Sender(Mailbox("Jo", "Jo@Z.org"), "Jo@Z.org")),
        (ForeignSender.REWRITE, Mailbox("Di", "di@w.org"), Sender(Mailbox("Di", "di@w.org"), "di@w.org")),
        (ForeignSender.REFUSE, Mailbox("Jo", "jo@z.org"), Sender(Mailbox("Jo", "jo@z.org"), "jo@z.org")),
        (ForeignSender.REFUSE, Mailbox("Me", "SHOP@x.org"), Sender(Mailbox("Me", "SHOP@x.org"), "SHOP@x.org")),
    ],
)
def test_senders_that_a_server_is_not_for(foreign: ForeignSender, author: Mailbox, expected: Sender) -> None:
    """Kept, or rewritten with the author in the name and in Reply-To; allowed addresses and domains are not foreign."""
    shop = server(
        "Shop",
        "shop@x.org",
        sender_name="Corner Shop",
        foreign_sender=foreign,
        allowed_senders=("jo@z.org", "w.org"),
    )
    assert decide_sender(author, False, shop) == expected


def test_a_foreign_sender_that_is_refused() -> None:
    shop = server("Shop", "shop@x.org", foreign_sender=ForeignSender.REFUSE)
    with pytest.raises(MessageRefused, match=r"“Shop” sends only as shop@x.org .* from ann@y.org"):
        decide_sender(ANN, False, shop)
    assert decide_sender(None, True, shop).envelope == "shop@x.org"


def test_a_rewritten_sender_whose_format_names_the_author() -> None:
    shop = server("Shop", "shop@x.org", foreign_sender=ForeignSender.REWRITE, sender_format="{user} at {app}")
    assert decide_sender(ANN, False, shop, "Corner Shop").header == Mailbox("Ann at Corner Shop", "shop@x.org")
    nameless = Mailbox("", "ann@y.org")
    assert decide_sender(nameless, False, shop, "Corner Shop").header == Mailbox("ann@y.org", "shop@x.org")


def test_a_users_own_server_sends_as_nobody_else() -> None:
    """Whatever its policy is: only its own address has been proved."""
    anns = server("Anns", "ann@y.org", owner="7", foreign_sender=ForeignSender.KEEP)
    bob = Mailbox("Bob", "bob@z.org")
    assert decide_sender(bob, False, anns) == Sender(Mailbox("Bob", "ann@y.org"), "ann@y.org", bob)
    assert decide_sender(ANN, False, anns) == Sender(ANN, "ann@y.org")


def test_the_tenant_in_the_name() -> None:
    shop = server("Shop", "shop@x.org", sender_name="Desk", sender_format="{name} ({tenant})")
    assert decide_sender(None, True, shop, tenant_name="acme").header.name == "Desk (acme)"
    assert decide_sender(None, True, shop).header.name == "Desk"
