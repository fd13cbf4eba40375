"""Forged requests, headers, and what must never be cached or framed."""

from __future__ import annotations

import re

import pytest
from flask_wtf import CSRFProtect

from tests.apps import Host
from tests.peers.mailbox import Mailbox

from .browser import BASE, Browser, typed, words
from .conftest import MakeSite
from .test_access import path_of, rules


def changes(site: Host, shop: str) -> list[str]:
    return [path_of(rule, shop) for rule in rules(site.app) if "POST" in (rule.methods or set())]


def unchanged(site: Host, shop: str) -> bool:
    with site.app.app_context():
        (server,) = site.smtp.servers()
        return server.public_id == shop and server.version == 1 and site.state.store.sending_enabled()


@pytest.mark.parametrize("token", ["", "forged", "IjEyMyI.aR0.x"])
def test_a_change_without_the_right_token_is_refused(site: Host, shop: str, mailbox: Mailbox, token: str) -> None:
    """Every POST: 400 with a page that says how to go on; nothing changes, no server is contacted."""
    browser = Browser(site.app)
    for path in changes(site, shop):
        answer = browser.post(path, typed(mailbox), token=token)
        assert answer.status_code == 400, path
        assert "nothing was changed or sent" in words(answer)
        assert "reload the page" in words(answer)
    assert unchanged(site, shop)
    assert mailbox.connections == 0


def test_the_token_of_another_session_is_refused(site: Host, shop: str) -> None:
    stranger = Browser(site.app)
    assert Browser(site.app).post(f"/{shop}/pause", token=stranger.token()).status_code == 400
    assert unchanged(site, shop)


def test_an_expired_token_is_refused(make_site: MakeSite) -> None:
    site = make_site(WTF_CSRF_TIME_LIMIT=-1)
    answer = Browser(site.app).post("/sending", {"on": "0"})
    assert answer.status_code == 400
    assert "open for too long" in words(answer)


def test_protection_stays_on_when_the_host_switches_flask_wtfs_off(make_site: MakeSite, mailbox: Mailbox) -> None:
    """``WTF_CSRF_ENABLED = False``, as test suites and API hosts set it, does not open our pages."""
    site = make_site(WTF_CSRF_ENABLED=False)
    assert Browser(site.app).post("/sending", {"on": "0"}, token="").status_code == 400
    assert Browser(site.app).post("/sending", {"on": "0"}).status_code == 303


def test_it_works_beside_the_hosts_csrfprotect(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Our token satisfies the host's protection, and a missing one gets our page instead of a bare error."""
    site = make_site()
    CSRFProtect(site.app)
    browser = Browser(site.app)
    assert browser.post("/add", typed(mailbox)).status_code == 303
    answer = browser.post("/sending", {"on": "0"}, token="")
    assert answer.status_code == 400
    assert "nothing was changed or sent" in words(answer)


def test_the_hosts_name_for_the_token_field_is_used(make_site: MakeSite) -> None:
    site = make_site(WTF_CSRF_FIELD_NAME="proof")
    CSRFProtect(site.app)
    browser = Browser(site.app)
    assert 'name="proof"' in browser.get("/").text
    assert browser.post("/sending", {"on": "0", "proof": browser.token()}, token="").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Referer": "https://evil.example/page"},
        {"Origin": "null", "Referer": "https://evil.example/page"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_from_another_site_is_refused_although_its_token_is_right(
    site: Host, headers: dict[str, str]
) -> None:
    answer = Browser(site.app).post("/sending", {"on": "0"}, headers=headers)
    assert answer.status_code == 400
    assert "another web site" in words(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        {"Referer": "http://localhost/smtp/"},
        {"Origin": "null", "Referer": "http://localhost/smtp/"},
        {"Origin": "null"},
        {"Origin": "https://shop.example.com"},
    ],
)
def test_a_request_from_our_own_pages_is_taken(make_site: MakeSite, headers: dict[str, str]) -> None:
    """The app's public address counts as ours, also where a proxy passes another one on."""
    site = make_site(SMTPSERVERS_EXTERNAL_URL="https://shop.example.com/app")
    assert Browser(site.app).post("/sending", {"on": "0"}, headers=headers).status_code == 303


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_buttons_take_post_only(site: Host, shop: str, method: str) -> None:
    browser = Browser(site.app)
    pages = {rule.rule for rule in rules(site.app) if "GET" in (rule.methods or set())}
    for rule in rules(site.app):
        if rule.rule not in pages:
            path = BASE + path_of(rule, shop)
            assert browser.client.open(path, method=method).status_code == 405, path
    assert unchanged(site, shop)


def test_headers_of_every_page(site: Host, shop: str) -> None:
    """Not stored, not framed, not sniffed, nothing inline; also on errors."""
    browser = Browser(site.app)
    answers = [browser.get(path_of(rule, shop)) for rule in rules(site.app) if "GET" in (rule.methods or set())]
    answers += [browser.get("/nope/edit"), browser.post("/sending", token=""), Browser(site.app, "user").get("/")]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert "onclick" not in answer.text


def test_style_and_script_are_files_that_are_kept_until_they_change(site: Host) -> None:
    """Their address in the page carries a digest of their content; that address is answered once and for ever."""
    browser = Browser(site.app)
    for address in re.findall(r'"(/smtp/static/[^"]+)"', browser.get("/").text):
        with browser.client.get(address, buffered=True) as answer:
            assert "immutable" in answer.headers["Cache-Control"]
    for name in ("smtpservers.css", "smtpservers.js"):
        with browser.client.get(f"{BASE}/static/{name}", buffered=True) as answer:
            assert answer.status_code == 200
            assert "immutable" not in answer.headers.get("Cache-Control", ""), "without the digest"
            assert "no-store" not in answer.headers.get("Cache-Control", "")


@pytest.mark.parametrize("path", ["edit", "password", "remove", "test"])
@pytest.mark.parametrize("server_id", ["0" * 32, "x", "%00", "..%2f..", "'; DROP TABLE smtpservers_server"])
def test_an_unknown_server_is_not_found(site: Host, shop: str, path: str, server_id: str) -> None:
    """404, for reading and for changing."""
    browser = Browser(site.app)
    assert browser.get(f"/{server_id}/{path}").status_code == 404
    assert browser.post(f"/{server_id}/{path}", {"smtp_secret": "x"}).status_code == 404
    assert browser.post("/test", {"server": server_id}).status_code == 404


def test_the_hosts_own_404_page_is_used(site: Host) -> None:
    site.app.register_error_handler(404, lambda error: ("our own page", 404))
    assert Browser(site.app).get("/nope/edit").text == "our own page"
