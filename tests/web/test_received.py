"""Pasting the headers of a message that arrived into the page."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.apps import Host

from .browser import Browser, words

FOLDER = Path(__file__).parent.parent / "diagnosis" / "received"


def headers(name: str) -> str:
    return (FOLDER / f"{name}.txt").read_text()


def test_what_the_headers_mean(admin: Browser) -> None:
    """Each result with its words, what to do and who says so; then the way, hop by hop, with the time that it took."""
    assert "Show original" in words(admin.get("/headers"))
    page = admin.post("/headers", {"headers": headers("gmail_softfail")})
    assert page.status_code == 200
    said = words(page)
    assert "SPF softfail shop.example does not list the server that sent this message." in said
    assert "What to do: Add the sending service to the SPF record of shop.example" in said
    assert "Says mx.google.com." in said
    assert "DKIM no result The headers tell no result." in said
    assert "vps-1.hosting.example mx.google.com ESMTP" in said
    assert "2026-05-01 05:15:31 UTC" in said
    way = words(admin.post("/headers", {"headers": headers("mailing_list_arc")}))
    assert "It was forwarded or came over a mailing list." in way
    assert "From the first server to the last it took 4 min." in way
    assert "clocks differ" in words(admin.post("/headers", {"headers": headers("sendmail_no_results")}))


def test_what_was_pasted_stays_to_be_mended_and_nowhere_else(
    admin: Browser, site: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    page = admin.post("/headers", {"headers": "Received: from canary-pasted.example by b; x"})
    assert "canary-pasted" in page.text
    assert "canary-pasted" not in admin.get("/headers").text
    assert "canary-pasted" not in caplog.text


@pytest.mark.parametrize("text", ["", " \n", "Hello", "To: ann@example.test\n\nHello"])
def test_a_text_without_headers_is_refused_kindly(admin: Browser, text: str) -> None:
    page = admin.post("/headers", {"headers": text})
    assert page.status_code == 422
    assert "There are no headers of a message that arrived in this text." in words(page)
    assert 'aria-invalid="true"' in page.text


@pytest.mark.parametrize(
    "text",
    [
        "Received: from <script>alert(1)</script> by </textarea><b>x; Fri, 20 Nov 2026 12:01:05 +0000",
        'Authentication-Results: "><img src=x>; spf=pass smtp.mailfrom="><script>@x.example',
        "Received-SPF: pass\0\nFrom: a@<b>\u202e.example\nReceived: by \0 x; y",
        "Received: from a by " + "b" * 300_000 + "; x",
    ],
    ids=["HTML", "HTML in a result", "NUL", "long"],
)
def test_hostile_headers_do_no_harm(admin: Browser, text: str) -> None:
    page = admin.post("/headers", {"headers": text})
    assert page.status_code in (200, 422)
    for evil in ("<script>alert", "<b>x", "<img", "><script>", "\u202e"):
        assert evil not in page.text.partition("<form")[0]
    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert len(page.text) < 600_000


def test_of_a_megabyte_only_the_beginning_is_read(admin: Browser) -> None:
    page = admin.post("/headers", {"headers": headers("gmail") + "x" * 1_000_000})
    assert "only its beginning was read" in words(page)
    assert len(page.text) < 300_000
