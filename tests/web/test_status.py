"""How the app's mail stands: on our pages, and in the host's through ``smtp_status()`` and the banner."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, render_template_string
from sqlalchemy import event

from flask_smtpservers import Scope
from flask_smtpservers.permissions import Action
from tests.apps import Host

from .browser import Browser, words
from .conftest import MakeSite
from .tenants import MAKING, person, with_login
from .test_used_for import ACME, add

OFF = "Sending is switched off: no mail goes out. Tests still work."
ALL_OFF = "Sending is switched off for the whole app: no mail goes out. Tests still work."

#: A page of the host, with the banner in its frame.
PAGE = '<main>{% include "smtpservers/banner.html" %}{{ smtp_status().sending_enabled }}</main>'


def host_page(app: Flask) -> None:
    app.add_url_rule("/shop", "shop_page", lambda: render_template_string(PAGE))


def switch(site: Host, on: bool, scope: Scope = ACME) -> None:
    with site.app.app_context():
        site.state.store.switch_sending(on, scope=scope)
        site.state.store.commit()


def test_while_mail_goes_out_the_banner_is_not_there(site: Host, admin: Browser) -> None:
    host_page(site.app)
    add(site, "Shop", "info@shop.test")
    assert admin.client.get("/shop").text == "<main>True</main>"


def test_every_page_of_ours_says_that_sending_is_off(site: Host, admin: Browser) -> None:
    """Once; and the list, which has the switch itself, says it there."""
    saved = add(site, "Shop", "info@shop.test")
    switch(site, False, Scope())
    for path in ("/used-for", "/which-server", "/check", "/add", f"/{saved.public_id}/edit", "/help/", "/history"):
        assert words(admin.get(path)).count(OFF) == 1, path
    page = words(admin.get("/"))
    assert OFF not in page
    assert "Off: no mail leaves this app" in page


@pytest.mark.parametrize(("role", "linked"), [("admin", True), ("user", False)])
def test_in_the_hosts_page_everybody_may_read_it(site: Host, role: str, linked: bool) -> None:
    """The link, and the names of servers, only for those who may see them."""
    host_page(site.app)
    saved = add(site, "Shop", "info@shop.test")
    with site.app.app_context():
        site.state.store.record_test(saved, passed=False, title="The server refused the password")
    switch(site, False, Scope())
    answer = Browser(site.app, role).client.get("/shop")
    assert OFF in words(answer)
    assert ("SMTP Servers" in words(answer)) is linked
    assert ('href="/smtp/"' in answer.text) is linked
    assert ("“Shop” is failing: The server refused the password" in words(answer)) is linked
    assert '<link rel="stylesheet" href="/smtp/static/smtpservers.css?v=' in answer.text
    assert "<style" not in answer.text
    assert "style=" not in answer.text


def test_a_failing_server_is_told_to_those_who_may_see_it(site: Host) -> None:
    """While sending is on; a paused one sends nothing anyway."""
    host_page(site.app)
    saved = add(site, "Shop", "info@shop.test")
    with site.app.app_context():
        site.state.store.record_test(saved, passed=False, title="Bad <b>certificate</b>")
    assert "“Shop” is failing: Bad <b>certificate</b>" in words(Browser(site.app).client.get("/shop"))
    assert Browser(site.app, "user").client.get("/shop").text == "<main>True</main>"
    with site.app.app_context():
        site.state.store.set_enabled(saved.public_id, False)
        site.state.store.commit()
    assert Browser(site.app).client.get("/shop").text == "<main>True</main>"


def test_a_host_that_shows_the_banner_in_its_frame_shows_it_once(make_site: MakeSite) -> None:
    """Also around our pages, where we would say it ourselves."""
    site = make_site(SMTPSERVERS_BASE_TEMPLATE="frame.html")
    from jinja2 import DictLoader

    frame = (
        '<html>{% include "smtpservers/banner.html" %}{% block head %}{% endblock %}{% block content %}{% endblock %}'
    )
    site.app.__dict__["jinja_loader"] = DictLoader({"frame.html": frame})
    add(site, "Shop", "info@shop.test")
    switch(site, False, Scope())
    assert words(Browser(site.app).get("/used-for")).count(OFF) == 1


def test_a_tenant_reads_whose_switch_it_is(make_site: MakeSite) -> None:
    """The tenant's own, or that of the whole app; another tenant's is no business of his."""
    site = with_login(make_site(**MAKING))
    host_page(site.app)
    acme, bolt = person(site, "acme admin"), person(site, "bolt admin")
    switch(site, False, ACME)
    assert OFF in words(acme.client.get("/shop"))
    assert bolt.client.get("/shop").text == "<main>True</main>"
    assert words(acme.get("/")).count("Off: no mail leaves this app") == 1
    switch(site, True, ACME)
    switch(site, False, Scope())
    for browser in (acme, bolt):
        assert ALL_OFF in words(browser.client.get("/shop"))
        page = words(browser.get("/"))
        assert ALL_OFF in page
        assert "On here, but sending is switched off for the whole app." in page


def test_what_a_page_does_not_ask_for_is_not_looked_up(site: Host) -> None:
    """One SELECT for the switch; none for the servers, for those who may not see them."""
    host_page(site.app)
    add(site, "Shop", "info@shop.test")
    site.app.add_url_rule("/plain", "plain", lambda: render_template_string("Hello"))
    statements: list[str] = []
    with site.app.app_context():
        event.listen(site.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    visitor = Browser(site.app, "user")
    visitor.client.get("/plain")
    assert statements == []
    visitor.client.get("/shop")
    assert len([one for one in statements if "smtpservers_option" in one]) == 1
    assert not any("FROM smtpservers_server" in one for one in statements)


def test_a_database_that_is_down_spoils_no_page(site: Host, admin: Browser, caplog: pytest.LogCaptureFixture) -> None:
    host_page(site.app)
    with site.app.app_context():
        for table in reversed(site.db.metadata.sorted_tables):
            site.db.session.execute(site.db.text(f"DROP TABLE {table.name}"))
        site.db.session.commit()
    answer = admin.client.get("/shop")
    assert answer.text == "<main>True</main>", "tables that are not there switch nothing off"
    with site.app.app_context():
        site.db.engine.dispose()
        path = Path(site.db.engine.url.database or "")
    path.write_text("no database at all, but some text of a fair length " * 100)
    assert admin.client.get("/shop").text == "<main>True</main>"
    assert "could not be read" in caplog.text
    with site.app.app_context():
        site.db.engine.dispose()
    path.unlink()


def test_without_a_request_it_is_about_the_app(site: Host) -> None:
    """A template that a job renders."""
    with site.app.app_context():
        assert render_template_string("{{ smtp_status().sending_enabled }} {{ smtp_status().url }}") == "True "
    switch(site, False, Scope())
    with site.app.app_context():
        assert render_template_string("{{ smtp_status().notice }}") == OFF


def test_a_host_whose_access_aborts_still_has_a_page(make_site: MakeSite) -> None:
    """The banner asks quietly."""
    from flask import abort

    site = make_site(access=lambda action, scope: abort(401) if action is Action.VIEW_SERVERS else False)
    host_page(site.app)
    switch(site, False, Scope())
    answer = Browser(site.app).client.get("/shop")
    assert answer.status_code == 200
    assert OFF in words(answer)
