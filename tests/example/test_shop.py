"""The example app as a person uses it: its pages, its mail, and what it lets whom do."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask.testing import FlaskClient

from example_app.extensions import db, smtp
from example_app.postoffice import PostOffice
from example_app.seed import LOGINS
from flask_smtpservers import Scope

from .conftest import signed_in_as, submit

PAGES = ["/", "/receipt", "/write", "/newsletter", "/inbox", "/settings", "/smtp/", "/smtp/me"]


def add_server(app: Flask, office: PostOffice, **changes: object) -> None:
    fields: dict[str, object] = {
        "name": "Shop",
        "host": office.host,
        "port": office.submission_port,
        "security": "starttls",
        "username": office.shop.username,
        "password": office.shop.password,
        "address": "orders@corner-shop.test",
        "sender_name": "Corner Shop",
    }
    with app.app_context():
        smtp.add_server(**{**fields, **changes})
        db.session.commit()


def test_migrations_make_every_table(shop: Flask) -> None:
    """After ``flask db upgrade`` the database has just what the models say, those of the extension too."""
    with shop.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []
        assert "smtpservers_server" in db.metadata.tables


def test_migrations_can_be_undone(shop: Flask) -> None:
    """``flask db downgrade`` leads back to an empty database."""
    with shop.app_context():
        flask_migrate.downgrade(revision="base")
        assert [name for name in db.inspect(db.engine).get_table_names() if name != "alembic_version"] == []


def test_keys_are_private_and_kept(shop: Flask) -> None:
    """The keys are made once and only their owner can read them."""
    path = Path(shop.instance_path) / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert shop.config["SECRET_KEY"] in path.read_text()


@pytest.mark.parametrize("path", PAGES[1:])
def test_visitors_must_sign_in(visitor: FlaskClient, path: str) -> None:
    """Somebody who is not signed in is sent to the sign-in page."""
    answer = visitor.get(path)
    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in")


def test_home_tells_what_to_try(visitor: FlaskClient, office: PostOffice) -> None:
    """The first page shows the values of the server to enter."""
    page = visitor.get("/").text
    for value in (
        office.host,
        str(office.submission_port),
        str(office.smtps_port),
        office.shop.username,
        office.shop.password,
    ):
        assert f"<code>{value}</code>" in page


def test_sign_in_page_shows_the_logins(visitor: FlaskClient) -> None:
    """The sign-in page of the demo shows its logins; a wrong password is refused in one sentence."""
    page = visitor.get("/sign-in").text
    assert all(login.password in page and login.name in page for login in LOGINS)
    answer = submit(visitor, "/sign-in", username="ada", password="wrong")
    assert "User name or password is wrong." in answer.text
    assert visitor.get("/inbox").status_code == 302


@pytest.mark.parametrize(
    "target", ["//evil.test/", "/\\evil.test", "https://evil.test", "\\/evil.test", "/\t/evil.test"]
)
def test_sign_in_leads_nowhere_else(visitor: FlaskClient, target: str) -> None:
    """The page to go to after signing in is one of the shop's."""
    answer = submit(visitor, f"/sign-in?next={target}", username="ada", password="ada-demo")
    assert answer.location == "/"


def test_admin_manages_mail_and_staff_does_not(admin: FlaskClient, staff: FlaskClient) -> None:
    """The admin has "SMTP Servers" in the navigation and may open it; the staff has neither."""
    assert 'href="/smtp/"' in admin.get("/receipt").text
    assert admin.get("/smtp/").status_code == 200
    assert 'href="/smtp/"' not in staff.get("/receipt").text
    assert staff.get("/smtp/").status_code == 403


def test_a_branch_knows_its_own_servers(shop: Flask, admin: FlaskClient, office: PostOffice) -> None:
    """The manager of the harbour finds her server and the shop's by name; nobody else finds hers."""
    add_server(shop, office)
    add_server(shop, office, scope=Scope("harbour"), name="On the quay", address="harbour@corner-shop.test")
    with shop.app_context():
        (ours,), (hers,) = smtp.servers(), smtp.servers(scope=Scope("harbour"))
    mia, max_ = signed_in_as(shop, "mia"), signed_in_as(shop, "max")
    assert "On the quay" in mia.get("/smtp/").text
    assert mia.get(f"/smtp/{hers.public_id}/edit").status_code == 200
    assert mia.get(f"/smtp/{ours.public_id}/edit").status_code == 404
    for other in (admin, max_):
        assert "On the quay" not in other.get("/smtp/").text
        assert other.get(f"/smtp/{hers.public_id}/edit").status_code == 404
    submit(mia, "/receipt", address="ann@example.com")
    assert office.letters()[0].sender == "harbour@corner-shop.test"


def test_a_trainee_sets_up_nothing(shop: Flask, office: PostOffice) -> None:
    """Tom sends mail; he sees no settings of mail anywhere."""
    tom = signed_in_as(shop, "tom")
    submit(tom, "/receipt", address="ann@example.com")
    assert office.letters()[0].recipients == ("ann@example.com",)
    assert "/smtp/" not in tom.get("/settings").text
    assert [tom.get(path).status_code for path in ("/smtp/", "/smtp/me")] == [403, 403]


def test_my_settings(staff: FlaskClient, office: PostOffice) -> None:
    """The shop's own page has the section of Flask-SMTPServers in it; a letter has the name that was set there."""
    assert "SMTP Mail Settings" in staff.get("/settings").text
    assert "Your settings are saved." in staff.get(submit(staff, "/settings", name="Sam, baker").location).text
    submit(staff, "/write", address="ann@example.com", subject="Hi", text="Hello")
    assert office.letters() == []
    submit(staff, "/write", address="grace@example.com", subject="Hi", text="Hello")
    assert office.letters()[0].message["From"] == '"Sam, baker" <sam@corner-shop.test>'


def test_servers_to_look_at(shop: Flask, office: PostOffice) -> None:
    """``flask seed --servers`` sets up one server for each, once; what somebody has set up himself stays."""
    add_server(shop, office, scope=Scope("market"), name="Of my own", address="market@corner-shop.test")
    for _again in range(2):
        assert shop.test_cli_runner().invoke(args=["seed", "--servers"]).exit_code == 0
    scopes = [Scope(), Scope("harbour"), Scope("market"), Scope("harbour", "sam")]
    with shop.app_context():
        names = [[server.name for server in smtp.servers(scope=scope)] for scope in scopes]
        assert all(list(smtp.check(server))[-1].state == "ok" for server in smtp.servers(scope=Scope("harbour")))
    assert names == [["Corner Shop"], ["Corner Shop Harbour"], ["Of my own"], ["Sam Staff"]]


def test_the_pages_stand_in_the_shops_frame(admin: FlaskClient) -> None:
    """The extension's pages have the shop's navigation, with their entry marked as the current page."""
    page = admin.get("/smtp/").text
    assert 'href="/newsletter"' in page
    assert re.search(r'<a href="/smtp/" aria-current="page">', page)


@pytest.mark.parametrize("path", [*PAGES, "/sign-in", "/smtp/add", "/smtp/check", "/nowhere"])
def test_strict_policy(admin: FlaskClient, path: str) -> None:
    """Every page forbids inline script and style, and holds none."""
    answer = admin.get(path)
    assert answer.status_code == (404 if path == "/nowhere" else 200)
    assert "'unsafe-" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text)


def test_receipt_without_any_server(staff: FlaskClient, office: PostOffice) -> None:
    """With no server set up, the receipt goes through the app's own MAIL_* server."""
    page = submit(staff, "/receipt", address="ann@example.com").location
    assert "The receipt is on its way to ann@example.com" in staff.get(page).text
    (letter,) = office.letters()
    assert letter.username == office.website.username
    assert letter.recipients == ("ann@example.com",)


def test_receipt_through_a_server(shop: Flask, admin: FlaskClient, office: PostOffice) -> None:
    """With a server set up, the receipt goes through it, from the address of the orders, as text and HTML."""
    add_server(shop, office)
    submit(admin, "/receipt", address="ann@example.com")
    (letter,) = office.letters()
    assert letter.username == office.shop.username
    assert letter.sender == "orders@corner-shop.test"
    assert letter.message["From"] == "Corner Shop Orders <orders@corner-shop.test>"
    assert [kind for kind, _ in letter.bodies] == ["text/plain", "text/html"]
    assert "Total: EUR 10.50" in letter.bodies[0][1]


def test_newsletter(shop: Flask, staff: FlaskClient, office: PostOffice) -> None:
    """Every customer gets a newsletter with their own name, whatever signs it has."""
    add_server(shop, office, security="ssl", port=office.smtps_port)
    page = submit(staff, "/newsletter", subject="Fresh", text="Hello {name}!").location
    assert "5 newsletters went out" in staff.get(page).text
    greetings = {letter.recipients[0]: letter.bodies[0][1].strip() for letter in office.letters()}
    assert greetings["john@example.com"] == "Hello Doe, John!"
    assert greetings["zoe@example.com"] == "Hello Zoë Müller!"
    assert {letter.message["From"].addresses[0].addr_spec for letter in office.letters()} == {"orders@corner-shop.test"}
    john = next(letter for letter in office.letters() if "john@example.com" in letter.recipients)
    assert john.message["To"].addresses[0].display_name == "Doe, John"


def test_wrong_password_is_told(shop: Flask, staff: FlaskClient, office: PostOffice) -> None:
    """A mail that cannot go out says why, on the page, without the password and without a traceback."""
    add_server(shop, office, password="wrong-CANARY")
    answer = submit(staff, "/receipt", address="ann@example.com")
    assert answer.status_code == 200
    assert 'role="alert">Not sent.' in answer.text
    assert "CANARY" not in answer.text
    assert office.letters() == []


def test_refused_recipient_is_told(shop: Flask, staff: FlaskClient, office: PostOffice) -> None:
    """A customer whose address the server refuses gets nothing, and the till is told."""
    add_server(shop, office)
    assert 'role="alert">Not sent.' in submit(staff, "/receipt", address="nobody@example.com").text


@pytest.mark.parametrize("address", ["", "ann", "ann@", "a b@example.com", "ann@example.com\nBcc: x@example.com"])
def test_bad_address_is_told_beside_the_field(staff: FlaskClient, office: PostOffice, address: str) -> None:
    """An address that is none is told beside the field, and nothing is sent."""
    answer = submit(staff, "/receipt", address=address)
    assert answer.status_code == 200
    assert 'aria-invalid="true"' in answer.text
    assert office.letters() == []


def test_inbox_shows_how_mail_came_in(staff: FlaskClient, office: PostOffice) -> None:
    """The inbox shows envelope, headers, login, TLS, and HTML as text."""
    assert "Nothing has arrived yet" in staff.get("/inbox").text
    submit(staff, "/receipt", address="ann@example.com")
    assert "Your receipt from Corner Shop" in staff.get("/inbox").text
    page = staff.get("/inbox/1").text
    assert f"<code>{office.website.username}</code>" in page
    assert "TLSv1.3" in page
    assert "<code>ann@example.com</code>" in page
    assert "Message-ID" in page
    assert "&lt;td&gt;Plum jam&lt;/td&gt;" in page
    assert staff.get("/inbox/99").status_code == 404


def test_forged_forms_are_refused(staff: FlaskClient, office: PostOffice) -> None:
    """A form from another site sends nothing."""
    assert staff.post("/receipt", data={"address": "ann@example.com"}).status_code == 400
    assert office.letters() == []


def test_the_link_of_a_test_message_can_be_opened_in_the_inbox(
    shop: Flask, admin: FlaskClient, visitor: FlaskClient, office: PostOffice
) -> None:
    """A newcomer tests, finds the message in the inbox, opens its link, and the list says that it arrived."""
    add_server(shop, office)
    with shop.app_context():
        (server,) = smtp.servers()
    assert "It works" in submit(admin, f"/smtp/{server.public_id}/test", recipient="ann@example.com").text
    letter = admin.get(f"/inbox/{office.letters()[0].number}").text
    (link,) = re.findall(r'<a href="(http://[^"]+/arrival/[^"]+)"', letter)
    assert "Arrived after" in visitor.get(link).text
    assert "Arrival confirmed" in admin.get("/smtp/").text
