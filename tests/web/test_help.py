"""The help pages: every provider has one, all can be found, and form, result and list lead to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import session
from werkzeug.test import TestResponse

from flask_smtpservers.permissions import Action
from flask_smtpservers.providers.catalog import packaged
from flask_smtpservers.providers.provider import Provider
from tests.apps import Host
from tests.peers.mailbox import Mailbox

from .browser import BASE, Browser, typed, words
from .conftest import MakeSite

IDS = [one.id for one in packaged().providers if one.id != "custom"]

ACME: dict[str, Any] = {
    "id": "acme",
    "name": "Acme <Mail>",
    "kind": "relay",
    "servers": [{"host": "smtp.acme.example", "port": 465, "security": "ssl"}],
    "help": "Ask <b>Jo</b> for the password.",
}


def named(page: str) -> list[str]:
    """Return the ids of the providers that a page links to."""
    return re.findall(rf'href="{BASE}/help/([a-z0-9-]+)"', page)


def faults(provider: Provider, answer: TestResponse) -> list[str]:
    """Return what is missing on a provider's page, or should not be there."""
    page = words(answer)
    wanted = [provider.name, "As of 20 November 2026.", *(server.host for server in provider.all_servers)]
    missing = [text for text in wanted if text not in page]
    return [*missing, *(mark for mark in (" None ", "%(", "Undefined") if mark in page)]


def test_every_provider_has_a_page(admin: Browser) -> None:
    """It opens, names the provider and its servers, and says where that comes from and of which day it is."""
    for one in packaged().providers:
        if one.id in IDS:
            answer = admin.get(f"/help/{one.id}")
            assert (one.id, answer.status_code, faults(one, answer)) == (one.id, 200, [])


def test_the_index_lists_them_all_by_kind(admin: Browser) -> None:
    """The packaged choice first, then each kind in the order of the alphabet; everybody once; no "Other server"."""
    answer = admin.get("/help/")
    page = words(answer)
    assert sorted(named(answer.text)) == sorted(IDS)
    titles = ("Used most", "Mail accounts", "Web hosts and own domains", "Sending services", "For trying out")
    assert [page.index(title) for title in titles] == sorted(page.index(title) for title in titles)
    assert "You need: App password (2 min)" in page
    assert "You need: Authorisation code (3 min)" in page
    assert "Not possible here" in page


@pytest.mark.parametrize(
    ("sought", "first", "count"),
    [("gmail", "gmail", None), ("授权", None, 0), ("腾讯", "qq", None), ("smtp.office365.com", "microsoft365", 1)],
)
def test_the_index_is_searched_by_the_server(admin: Browser, sought: str, first: str | None, count: int | None) -> None:
    """Without a script; what was looked for stays in the box, and nothing found is said."""
    answer = admin.get("/help/", query_string={"find": sought})
    found = named(answer.text)
    assert f'value="{sought}"' in answer.text
    assert (found[0] if found else None) == first
    assert count is None or len(found) == count
    assert f"{len(found)} of {len(IDS)} providers" in words(answer)
    assert ("No provider matches" in words(answer)) == (not found)


def test_what_is_looked_for_is_only_text(admin: Browser) -> None:
    """Neither markup nor a very long text does harm."""
    answer = admin.get("/help/", query_string={"find": "<script>" * 1000})
    assert answer.status_code == 200
    assert "<script>" not in answer.text.partition("<body")[2]
    assert len(answer.text) < 10_000


@pytest.mark.parametrize("path", ["/help/nobody", "/help/custom", "/help/Gmail", "/help/gmail/x", "/help/%00"])
def test_nobody_else_has_a_page(admin: Browser, path: str) -> None:
    """An unknown id is not found."""
    assert admin.get(path).status_code == 404


def test_whoever_may_not_see_servers_may_not_see_help(make_site: MakeSite) -> None:
    """Denied like the list; and no other page of ours leads there."""
    site = make_site(access=lambda action, scope: session.get("role") == "admin" and action != Action.VIEW_SERVERS)
    browser = Browser(site.app)
    assert browser.get("/help/").status_code == browser.get("/help/gmail").status_code == 403
    form = browser.get("/add?provider=gmail")
    assert form.status_code == 200
    assert named(form.text) == []


def test_gmail(make_site: MakeSite) -> None:
    """Steps in their order, the app's name for the app password, both ports, limits, what is related."""
    page = words(Browser(make_site(SMTPSERVERS_APP_NAME="Corner Shop").app).get("/help/gmail"))
    marks = (
        "Google no longer accepts",
        "Turn on 2-Step Verification",
        "myaccount.google.com/apppasswords",
        "A good name for it there: Corner Shop",
        "smtp.gmail.com",
        "465 with SSL, 587 with STARTTLS",
        "If it fails",
        "An app password is needed",
        "Messages a day: 500",
        "Google Workspace SMTP relay",
        "The provider's own page was read.",
    )
    places = [page.find(mark) for mark in marks]
    assert -1 not in places
    assert places == sorted(places)


def test_microsoft_365(admin: Browser) -> None:
    """OAuth2 before the password, the dates of 2026, no port 465, and the three switches that stop a sign-in."""
    page = words(admin.get("/help/microsoft365"))
    assert page.index("OAuth2") < page.index("app password")
    for mark in (
        "From the end of December 2026",
        "second half of 2027",
        "no port that is encrypted from the first byte",
        "SMTP sign-in is switched off for this mailbox",
        "SMTP sign-in is switched off in your organisation",
        "A security policy refuses this sign-in",
        "include:spf.protection.outlook.com",
        "Microsoft 365 SMTP relay (connector)",
    ):
        assert mark in page
    assert "465 with" not in page


def test_qq(admin: Browser) -> None:
    """The authorisation code, by its own name too."""
    page = words(admin.get("/help/qq"))
    for mark in ("Authorisation code (3 min)", "授权码", "An authorisation code is needed", "465 with SSL"):
        assert mark in page


def test_what_cannot_work_is_not_offered(admin: Browser) -> None:
    """Outlook.com: the reason, the date, no button, and where to go instead."""
    answer = admin.get("/help/outlook")
    assert "neither a password nor an app password" in words(answer)
    assert "16 September 2024" in words(answer)
    assert "provider=outlook" not in answer.text
    assert "microsoft365" in named(answer.text)
    assert f'href="{BASE}/add?provider=gmail"' in admin.get("/help/gmail").text


def test_what_is_general_knowledge_is_said_to_be(admin: Browser) -> None:
    """Such an entry claims no page and no list."""
    page = words(admin.get("/help/titan"))
    assert "general knowledge that was not checked: compare it" in page
    assert "was read" not in page


def test_regions_have_a_table(admin: Browser) -> None:
    """Zoho's data centres; few are shown at once, many are folded."""
    page = words(admin.get("/help/zoho"))
    assert "smtp.zoho.eu" in page
    assert "smtppro.zoho.in" in page
    assert "Servers by region (29)" in words(admin.get("/help/amazon-ses"))


def test_the_form_and_the_list_lead_there(admin: Browser) -> None:
    """The guide beside the password, in a new window so that nothing typed is lost; the list at its foot."""
    guide = admin.get("/add?provider=gmail").text.partition('id="smtp-guide"')[2]
    assert named(guide)[0] == "gmail"
    assert re.search(rf'href="{BASE}/help/gmail" target="_blank"', guide)
    assert f'href="{BASE}/help/"' in admin.get("/").text


@pytest.mark.parametrize("chosen", ["acme", "custom"])
def test_a_failed_test_leads_there(make_site: MakeSite, mailbox: Mailbox, chosen: str) -> None:
    """A provider of the operator's own, chosen or known by its server, which refuses the password."""
    here = {"host": "localhost", "port": mailbox.submission, "security": "starttls"}
    entry = {**ACME, "servers": [here], "password": "smtp-key", "docs_url": "https://acme.example/smtp"}
    site = make_site(SMTPSERVERS_PROVIDERS={"provider": [entry]})
    answer = Browser(site.app).post("/test", typed(mailbox, provider=chosen, smtp_secret="wrong one"))
    assert "Stopped at step" in words(answer)
    result = answer.text.partition("smtp-result")[2].partition("</section>")[0]
    assert named(result) == ["acme"]
    assert "https://acme.example/smtp" in result


def test_a_host_adds_hides_and_orders(make_site: MakeSite, tmp_path: Path) -> None:
    """In the form as in the index; its texts are only text; a hidden one still has its page."""
    path = tmp_path / "providers.toml"
    path.write_text(
        'hide = ["gmail"]\nfirst = ["acme", "qq"]\n[[provider]]\nid = "acme"\nname = "Acme <Mail>"\nkind = "relay"\n'
        'help = "Ask <b>Jo</b> for the password."\n'
        'servers = [{ host = "smtp.acme.example", port = 465, security = "ssl" }]\n'
    )
    admin = Browser(make_site(SMTPSERVERS_PROVIDERS=str(path)).app)
    assert named(admin.get("/help/").text)[:2] == ["acme", "qq"]
    form = admin.get("/add").text
    assert re.findall(r'name="provider" value="([a-z0-9-]+)"', form)[:3] == ["acme", "qq", "custom"]
    assert 'value="gmail"' not in form
    assert "gmail" not in named(admin.get("/help/?find=gmail").text)
    assert admin.get("/help/gmail").status_code == 200
    page = admin.get("/help/acme")
    assert "Acme &lt;Mail&gt;" in page.text
    assert "<b>Jo</b>" not in page.text
    assert "Stated by whoever runs this app." in words(page)
    assert "As of" not in words(page)


def test_two_apps_have_two_lists(make_site: MakeSite, tmp_path: Path) -> None:
    """What one operator adds, another app does not know."""
    with_acme = make_site(SMTPSERVERS_PROVIDERS={"provider": [ACME]})
    without = make_site(database_url=f"sqlite:///{tmp_path / 'second.db'}")
    assert Browser(with_acme.app).get("/help/acme").status_code == 200
    assert Browser(without.app).get("/help/acme").status_code == 404


def test_the_operators_provider_is_known_everywhere(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The warnings of form and API, and the search for a server, know it as well; and an internal domain of it."""
    entry = {**ACME, "domains": ["acme.internal"], "legacy_hosts": ["old.acme.example"]}
    site: Host = make_site(SMTPSERVERS_PROVIDERS={"provider": [entry]})
    answer = Browser(site.app).post("/add", typed(mailbox, host="old.acme.example", look="1"))
    assert "Did you mean smtp.acme.example?" in words(answer)
    with site.app.app_context():
        with pytest.raises(ValueError, match="is not a domain on the internet"):
            site.state.finder.find("me@other.internal", offline=True)
        found = site.state.finder.find("me@acme.internal", offline=True)
        best = found.best
        assert best is not None
        assert (best.host, best.port) == ("smtp.acme.example", 465)
        saved = site.state.store.add(
            {"name": "Old", "host": "old.acme.example", "port": 465, "security": "ssl", "address": "a@acme.example"}
        )
    assert [one.text for one in saved.warnings if one.field == "host"] == ["Did you mean smtp.acme.example?"]
