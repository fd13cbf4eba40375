"""The button "Trust this certificate": who may, what it shows, and that no password goes along by itself."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from flask_smtpservers import Action
from flask_smtpservers.smtp.pinning import fingerprint_of
from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, Mailbox

from .browser import Browser, form_of, typed, words
from .conftest import MakeSite

ZEROS = "SHA256:" + ":".join(["00"] * 32)


@pytest.fixture
def own() -> Iterator[Mailbox]:
    """Somebody's own mail server, whose authority nobody knows."""
    running = Mailbox(trustme.CA()).start()
    yield running
    running.stop()


@pytest.fixture
def nas(site: Host, own: Mailbox) -> str:
    """The public id of a stored server that leads there."""
    with site.app.app_context():
        return site.smtp.add_server(**server_fields(own, name="NAS")).public_id


def shown_by(mailbox: Mailbox) -> str:
    return fingerprint_of(ssl.PEM_cert_to_DER_cert(mailbox.certificate))


def grouped(fingerprint: str) -> str:
    """As the page shows it: in groups of four bytes."""
    parts = fingerprint.removeprefix("SHA256:").split(":")
    return " ".join(":".join(parts[start : start + 4]) for start in range(0, 32, 4))


# -- a stored server
def test_a_stored_server_from_the_button_to_the_sent_mail(site: Host, admin: Browser, own: Mailbox, nas: str) -> None:
    """Shown in full; one press fills it in; the password is asked for again; saved and tested it works."""
    answer = admin.post(f"/{nas}/test", {"recipient": ""})
    page = words(answer)
    assert "Trust this certificate" in page
    assert grouped(shown_by(own)) in page
    for word in ("Made out to", "localhost", "Issued by", "trustme", "Valid from", "Ask whoever runs the server"):
        assert word in page
    assert f'value="{shown_by(own)}" form="smtp-test-form" formaction="/smtp/{nas}/trust"' in answer.text

    form_page = admin.post(f"/{nas}/trust", {"certificate": shown_by(own)})
    form = form_of(form_page)
    assert form["certificate_fingerprint"] == shown_by(own)
    assert form["smtp_secret"] == ""
    assert "Enter the password again" in words(form_page)
    with site.app.app_context():
        assert site.state.store.get(nas).certificate_fingerprint == "", "nothing is saved by it"

    refused = admin.post(f"/{nas}/edit", form)
    assert refused.status_code == 422
    assert "must be entered again" in words(refused)
    waiting = form_of(admin.follow(admin.post(f"/{nas}/edit", {**form, "smtp_secret": PASSWORD})), "smtp-change-form")
    assert "The new settings are in use." in words(admin.post(f"/{nas}/change/test", waiting))
    assert "It works" in words(admin.post(f"/{nas}/test", {"recipient": "ann@example.test"}))
    assert len(own.letters) == 1


def test_a_changed_certificate_shows_both(site: Host, admin: Browser, own: Mailbox, nas: str) -> None:
    """The trusted and the new fingerprint, the list failing, and no login."""
    trusted = shown_by(own)
    with site.app.app_context():
        site.smtp.edit_server(nas, certificate_fingerprint=trusted, password=PASSWORD)
    own.renew()
    page = words(admin.post(f"/{nas}/test", {"recipient": ""}))
    assert "The certificate has changed" in page
    assert grouped(trusted) in page
    assert grouped(shown_by(own)) in page
    assert "Failing – The certificate has changed" in words(admin.get("/"))
    assert own.logins == []
    form = form_of(admin.post(f"/{nas}/trust", {"certificate": shown_by(own)}))
    assert admin.post(f"/{nas}/edit", form).status_code == 422, "the new one asks for the password as well"


# -- what is typed and not saved yet
@pytest.mark.parametrize("extra", [{}, {"fragment": "1"}], ids=["page", "fragment"])
def test_the_button_of_a_new_server(site: Host, admin: Browser, own: Mailbox, extra: dict[str, str]) -> None:
    """The same in the form, with and without the script; what was typed for the unknown server is asked for again."""
    answer = admin.post("/test", typed(own, **extra))
    assert f'value="{shown_by(own)}" form="smtp-form" formaction="/smtp/trust"' in answer.text
    form_page = admin.post("/trust", {**typed(own), **form_of(answer), "certificate": shown_by(own)})
    form = form_of(form_page)
    assert (form["certificate_fingerprint"], form["smtp_secret"]) == (shown_by(own), "")
    assert form["send_as"] == '"Doe, John" <shop@example.test>', "everything else stays"
    for path in ("/test", "/add"):
        refused = admin.post(path, form)
        assert refused.status_code == 422
        assert "Enter the password" in words(refused)
    assert own.logins == []
    tested = admin.post("/test", {**form, "smtp_secret": PASSWORD})
    assert "It works" in words(tested)
    saved = admin.follow(admin.post("/add", form_of(tested)))
    assert "Working – tested just now" in words(saved)
    with site.app.app_context():
        (server,) = site.smtp.servers()
    assert server.certificate_fingerprint == shown_by(own)
    assert server.certificate_expires_at is not None, "the test that was taken over saw it"


def test_a_test_proves_nothing_for_another_fingerprint(admin: Browser, own: Mailbox) -> None:
    """What passed with one certificate was not tried with another."""
    form = form_of(admin.post("/test", typed(own, certificate_fingerprint=shown_by(own))))
    changed = {**form, "certificate_fingerprint": ZEROS, "smtp_secret": PASSWORD}
    assert "Not tested" in words(admin.follow(admin.post("/add", changed)))


def test_without_a_login_it_is_tested_at_once(admin: Browser, own: Mailbox) -> None:
    """There is no password to ask for."""
    values = typed(own, username="", smtp_secret="", port=str(own.plain))
    page = words(admin.post("/trust", {**values, "certificate": shown_by(own)}))
    assert "It works: the settings are right." in page
    assert "Nothing is saved yet" in page


def test_a_providers_server_takes_none(admin: Browser, own: Mailbox) -> None:
    """Whoever forges the button's request is told at the field, before anything is connected to."""
    values = typed(own, host="smtp.gmail.com", port="587", username="", smtp_secret="", certificate=ZEROS)
    answer = admin.post("/trust", values)
    assert answer.status_code == 422
    assert "shows certificates that everybody trusts" in words(answer)


# -- who may


@pytest.mark.parametrize(
    "actions",
    [
        {Action.VIEW_SERVERS, Action.TEST_SERVERS},
        {Action.VIEW_SERVERS, Action.TEST_SERVERS, Action.EDIT_SERVERS},
        {Action.VIEW_SERVERS, Action.TEST_SERVERS, Action.CHANGE_SECRETS},
    ],
    ids=["tests", "edits", "secrets"],
)
def test_only_who_edits_servers_and_secrets(make_site: MakeSite, own: Mailbox, actions: set[Action]) -> None:
    """Nobody else sees the button or may press it."""
    site = make_site(access=lambda action, scope: action in actions)
    with site.app.app_context():
        nas = site.smtp.add_server(**server_fields(own)).public_id
    person = Browser(site.app)
    page = words(person.post(f"/{nas}/test", {"recipient": ""}))
    assert "Stopped at step" in page
    assert "Trust this certificate" not in page
    assert grouped(shown_by(own)) not in page
    for path in ("/trust", f"/{nas}/trust"):
        assert person.post(path, {**typed(own), "certificate": ZEROS}).status_code == 403


def test_requests_that_are_none_of_ours(site: Host, admin: Browser, nas: str) -> None:
    """No token, no fingerprint, no such server, no GET."""
    assert admin.post(f"/{nas}/trust", {"certificate": ZEROS}, token="").status_code == 400
    for wrong in ("", "x", "ab" * 20, "\x00", "é" * 64, ZEROS + "<script>"):
        assert admin.post(f"/{nas}/trust", {"certificate": wrong}).status_code == 400
    assert admin.post("/nobody/trust", {"certificate": ZEROS}).status_code == 404
    for path in ("/trust", f"/{nas}/trust"):
        assert admin.get(path).status_code in (404, 405)


def test_it_is_never_offered_for_a_good_certificate(admin: Browser, shop: str) -> None:
    assert "Trust this certificate" not in words(admin.post(f"/{shop}/test", {"recipient": ""}))


def test_what_a_certificate_says_is_only_text(site: Host, admin: Browser, own: Mailbox, nas: str) -> None:
    """Whoever runs the server chose those words; they are escaped, and its control characters replaced."""
    own.ca = trustme.CA(organization_name="<script>alert(1)</script>\r\nX: y")
    own.renew("localhost")
    text = admin.post(f"/{nas}/test", {"recipient": ""}).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text


def test_the_field_by_hand(site: Host, admin: Browser, own: Mailbox) -> None:
    """It stands below "Advanced", takes what openssl prints, and complains beside itself."""
    openssl = shown_by(own).replace("SHA256:", "sha256 Fingerprint=")
    wrong = admin.post("/add", typed(own, certificate_fingerprint="ab" * 20))
    assert wrong.status_code == 422
    assert 'href="#smtp-certificate_fingerprint"' in wrong.text
    assert "SHA-1" in words(wrong)
    admin.follow(admin.post("/add", typed(own, certificate_fingerprint=openssl)))
    with site.app.app_context():
        (server,) = site.smtp.servers()
    assert server.certificate_fingerprint == shown_by(own)
    form: dict[str, Any] = form_of(admin.get(f"/{server.public_id}/edit"))
    assert form["certificate_fingerprint"] == shown_by(own)
