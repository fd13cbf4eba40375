"""Pasted headers: the way of a message, and the verdict on its sender, of twenty receivers; hostile ones do no harm."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_smtpservers.diagnosis.received import FIELD_LIMIT, HOP_LIMIT, TEXT_LIMIT, Journey, read_headers
from flask_smtpservers.diagnosis.verdicts import Grade, Method, Verdict

FOLDER = Path(__file__).parent / "received"

#: File -> (SPF, DKIM, DMARC), the servers that took it in their order, seconds on the way.
EXPECTED = {
    "gmail": ("pass pass pass", "mail.shop.example mx.google.com 2002:a05:7022:628c:b0:a1:2345:6789", 7),
    "gmail_softfail": ("softfail - fail", "mx.google.com 2002:a05:6000:1a8b:b0:385:f79d:21a2", 0),
    "outlook": (
        "pass pass pass",
        " ".join(
            [
                "DU6PEPF0000A7DE.mail.protection.outlook.com",
                "AM9PR05MB8123.eurprd05.prod.outlook.com",
                "DB8PR05MB6012.eurprd05.prod.outlook.com",
            ]
        ),
        3,
    ),
    "microsoft365_unaligned": (
        "pass pass fail",
        "AM4PEPF00027A5D.mail.protection.outlook.com VI1PR08MB4321.eurprd08.prod.outlook.com",
        2,
    ),
    "yahoo": ("pass pass pass", "10.217.136.81", None),
    "postfix_opendkim": ("pass pass pass", "mx.example.org", None),
    "exim": ("fail fail fail", "mail.shop.example mx.example.net", 148),
    "icloud": (
        "pass pass pass",
        "p00-icloudmta-asmtp-us-central-1k-10-percent-1 p123-mailgateway-smtp-1",
        1,
    ),
    "protonmail": ("none none none", "mailin041.protonmail.ch", None),
    "fastmail": ("pass pass pass", "phl-mx-06.messagingengine.com phl-compute-05.internal sloti12d1t06", 3),
    "gmx": ("neutral pass -", "mx-ha.gmx.net", None),
    "zoho": ("pass permerror pass", "mx.zohomail.com", None),
    "qq": ("pass pass pass", "newxmmxsza45-3.qq.com", None),
    "mailing_list_arc": (
        "pass fail fail",
        "lists.example.org lists.example.org mx.google.com 2002:a05:6359:6f05:b0:1bd",
        237,
    ),
    "arc_only": ("softfail pass pass", "relay.example.net inner.example.org", 4),
    "rspamd": ("temperror pass pass", "mx1.example.org imap.example.org", 1),
    "amavis_permerror": ("permerror neutral permerror", "mx.example.com localhost mx.example.com", 60),
    "sendmail_no_results": ("- - -", "mail.shop.example old.example.edu", 118),
    "outlook_double_spaced": ("pass none bestguesspass", "AM4PEPF00027A5D.mail.protection.outlook.com", None),
    "mailru": ("pass pass pass", "rx1.m.smailru.net fallback12.i.mail.ru", 1199),
}


def journey(name: str) -> Journey:
    return read_headers((FOLDER / f"{name}.txt").read_text())


def verdict(found: Journey, method: Method) -> Verdict:
    return next(one for one in found.verdicts if one.method is method)


def test_every_file_is_expected() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_real_headers(name: str, ends: str) -> None:
    found = read_headers((FOLDER / f"{name}.txt").read_text().replace("\n", ends))
    results, servers, seconds = EXPECTED[name]
    assert [one.result or "-" for one in found.verdicts[:3]] == results.split()
    assert [hop.receiver for hop in found.hops] == servers.split()
    assert found.seconds == seconds
    assert found.sender_domain == "shop.example"
    assert not found.empty


def test_the_way_of_a_message() -> None:
    """In the order in which it went, each server with its time in UTC, its delay, and whether TLS was used."""
    first, second, last = journey("gmail").hops
    assert (first.sender, first.receiver, first.protocol, first.delay) == ("app", "mail.shop.example", "ESMTPSA", None)
    assert first.at == datetime(2026, 11, 20, 12, 1, 2, tzinfo=UTC)
    assert (second.sender, second.receiver, second.encrypted, second.delay) == (
        "mail.shop.example",
        "mx.google.com",
        True,
        6,
    )
    assert (last.protocol, last.encrypted, last.delay) == ("SMTP", False, 1)
    assert [hop.encrypted for hop in journey("outlook").hops] == [True, True, False]
    assert [hop.encrypted for hop in journey("exim").hops] == [False, True]


def test_clocks_that_differ() -> None:
    """A server whose clock is slow seems to have taken the message before it was sent."""
    assert [hop.delay for hop in journey("sendmail_no_results").hops] == [None, -118]


@pytest.mark.parametrize(
    ("name", "method", "grade", "domain", "server", "text", "advice"),
    [
        ("gmail", "spf", "ok", "shop.example", "mx.google.com", "shop.example allows the server", ""),
        (
            "gmail_softfail",
            "spf",
            "warning",
            "shop.example",
            "mx.google.com",
            "shop.example does not list the server",
            "Add the sending service to the SPF record of shop.example",
        ),
        ("gmail_softfail", "dkim", "idle", "", "", "The headers tell no result.", ""),
        (
            "gmail_softfail",
            "dmarc",
            "failed",
            "shop.example",
            "mx.google.com",
            "Neither SPF nor DKIM speak for shop.example",
            "sign with DKIM as shop.example itself",
        ),
        ("microsoft365_unaligned", "dkim", "ok", "amazonses.example", "", "signed by amazonses.example", ""),
        ("exim", "dkim", "failed", "shop.example", "mx.example.net", "does not fit the message", "Compare the key"),
        ("protonmail", "spf", "warning", "shop.example", "mail.protonmail.ch", "does not say which", "Publish an SPF"),
        ("protonmail", "dkim", "warning", "", "mail.protonmail.ch", "is not signed", "Switch on DKIM"),
        ("protonmail", "dmarc", "warning", "shop.example", "mail.protonmail.ch", "no rule", "p=none"),
        ("gmx", "spf", "warning", "shop.example", "gmx.net", "does not say which servers", "Publish an SPF record"),
        ("zoho", "dkim", "failed", "shop.example", "mx.zohomail.com", "missing or cannot be read", "Publish the key"),
        ("qq", "spf", "ok", "shop.example", "mx.qq.com", "shop.example allows", ""),
        (
            "mailing_list_arc",
            "dkim",
            "warning",
            "shop.example",
            "mx.google.com",
            "does not fit",
            "straight to a mailbox",
        ),
        ("mailing_list_arc", "arc", "ok", "", "mx.google.com", "vouch for what they had found", ""),
        ("arc_only", "spf", "warning", "shop.example", "last.example.net", "does not list", "straight to a mailbox"),
        ("rspamd", "dkim", "ok", "shop.example", "mx1.example.org", "signed by shop.example", ""),
        ("rspamd", "spf", "warning", "shop.example", "mx1.example.org", "could not be finished", "another test"),
        ("amavis_permerror", "spf", "failed", "shop.example", "UNKNOWN", "has a mistake", "more than ten look-ups"),
        ("amavis_permerror", "dmarc", "failed", "shop.example", "OpenDMARC", "DMARC record", "_dmarc.shop.example"),
    ],
)
def test_results_in_words(name: str, method: str, grade: str, domain: str, server: str, text: str, advice: str) -> None:
    """What was found, by whom, and what to do about it."""
    found = verdict(journey(name), Method(method))
    assert (found.grade, found.domain, found.server) == (Grade(grade), domain, server)
    assert text in found.text
    assert advice in found.advice
    assert bool(found.advice) is bool(advice)


def test_what_was_forwarded_is_noticed() -> None:
    """By a mailing list, or by a second seal; a single one is the last server's own."""
    assert {name for name in EXPECTED if journey(name).forwarded} == {"mailing_list_arc", "arc_only"}


def test_what_stands_in_the_text_of_the_message_does_not_count() -> None:
    """Whoever wrote the message must not write its verdict."""
    found = journey("gmail")
    assert verdict(found, Method.DMARC).domain == "shop.example"
    assert len(found.hops) == 3


@pytest.mark.parametrize("text", ["", "\n\n", "Hello", "To: ann@example.com", "From: x", "\0", ":", "Received:"])
def test_a_text_without_headers_is_said_to_be_empty(text: str) -> None:
    found = read_headers(text)
    assert found.empty or text == "Received:"


HOSTILE = {
    "one long line": "Received: " + "(" * 1_000_000,
    "comments": "Authentication-Results: a; spf=pass " + "()" * 500_000,
    "many hops": "Received: from a by b with c; Fri, 20 Nov 2026 12:01:05 +0000\n" * 20_000,
    "many results": "Authentication-Results: a; " + "spf=pass smtp.mailfrom=x; " * 40_000,
    "many headers": "Authentication-Results: a; dkim=pass header.d=x\n" * 20_000,
    "NUL": "Received: from a\0 by b\0; Fri\nFrom: <a@b\0c>\n" * 1000,
    "quotes": 'From: "' + '\\"' * 400_000,
    "semicolons": "Received: " + ";" * 1_000_000,
    "blanks": "Received: from" + " " * 1_000_000 + "by",
    "equals": "Authentication-Results: " + "a=" * 400_000,
    "lines": "\n" * 1_000_000,
    "surrogates": "Received: from \ud800 by \udfff; x",
    "dates": "Received: by a; 99 Nov 99999999999999 99:99:99 +9999\n" * 100,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_headers_are_bounded(text: str) -> None:
    """A megabyte of anything is read in a moment, and little of it is kept."""
    began = time.perf_counter()
    found = read_headers(text)
    assert time.perf_counter() - began < 2
    assert len(found.hops) <= HOP_LIMIT
    assert len(repr(found)) < HOP_LIMIT * 1500
    assert found.cut is (len(text) > TEXT_LIMIT)


NAMES = st.sampled_from(
    ["Received", "Authentication-Results", "ARC-Authentication-Results", "Received-SPF", "From", "ARC-Seal", "X"]
)
PIECES = st.sampled_from(
    [
        *("from", "by", "with", "spf=", "dkim=", "dmarc=pass", "i=1;", "(", ")", '"', "\\", ";", "=", "header.d=", "@"),
        *("Fri, 20 Nov 2026 12:01:05 +0000", "\r\n ", "\n", "\0", "\u202e", "<script>", "smtp.mailfrom=a@b.example"),
    ]
)
VALUES = st.lists(PIECES | st.text(max_size=12), max_size=12).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_whatever_is_pasted_is_read(fields: list[tuple[str, str]]) -> None:
    """Nothing raises; what comes out is printable, bounded, and says nothing that does not stand there."""
    text = "\n".join(f"{name}: {value}" for name, value in fields)
    found = read_headers(text)
    assert [one.method for one in found.verdicts[:3]] == [Method.SPF, Method.DKIM, Method.DMARC]
    said = [part for hop in found.hops for part in (hop.sender, hop.receiver, hop.protocol)]
    said += [part for one in found.verdicts for part in (one.result, one.domain, one.server)]
    for part in said:
        assert len(part) <= FIELD_LIMIT
        assert not set(part) & set("\0\r\n\u202e")
        assert part.lower() in text.lower() or "\\" in text
    for one in found.verdicts:
        assert (one.grade is Grade.MISSING) is (one.result == "")


def test_comments_in_comments_end_nothing() -> None:
    """The parser of the standard library calls itself for each of them."""
    assert read_headers("From: " + "(" * 100_000 + " a@example.test\nSubject: x\n").hops == ()
