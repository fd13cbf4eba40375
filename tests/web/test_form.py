"""Adding and editing a server in the form, without JavaScript."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.apps import Host
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, form_of, typed, words
from .conftest import MakeSite


def stored(site: Host) -> Any:
    with site.app.app_context():
        (server,) = site.smtp.servers()
        return server


def test_a_server_is_added(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """Every field arrives; the page says so and points at the new row."""
    answer = admin.post("/add", typed(mailbox, reply_to="help@example.test", timeout_seconds="7.5"))
    server = stored(site)
    assert answer.location == f"/smtp/?at={server.public_id}#server-{server.public_id}"
    assert "“Shop” was saved." in words(admin.follow(answer))
    assert (server.name, server.host, server.port, server.security) == (
        "Shop",
        "localhost",
        mailbox.submission,
        "starttls",
    )
    assert (server.sender_name, server.address, server.reply_to) == (
        "Doe, John",
        "shop@example.test",
        "help@example.test",
    )
    assert (server.username, server.timeout_seconds, server.enabled) == (USERNAME, 7.5, True)
    assert server.is_default, "the first one"
    with site.app.app_context():
        password = site.state.store.password_of(server)
        assert password is not None
        assert password.reveal() == PASSWORD


def test_name_and_address_round_trip(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    admin.post("/add", typed(mailbox))
    server = stored(site)
    page = admin.get(f"/{server.public_id}/edit")
    assert form_of(page)["send_as"] == '"Doe, John" <shop@example.test>'
    admin.post(f"/{server.public_id}/edit", {**form_of(page), "send_as": "shop@example.test"})
    assert stored(site).sender_name == ""


def test_saving_without_changing_anything_changes_nothing(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """What the form shows is what is stored, in every field."""
    admin.post("/add", typed(mailbox, reply_to="help@example.test", timeout_seconds="7.5", sender_policy="force"))
    before = stored(site)
    answer = admin.post(f"/{before.public_id}/edit", form_of(admin.get(f"/{before.public_id}/edit")))
    assert answer.status_code == 303
    assert stored(site) == before


def test_the_sign_in_method_is_chosen_under_advanced(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """A select with "Automatic" first and no method for tokens; open when another one is chosen; it is kept."""
    page = admin.get("/add").text
    choices = re.search(r'<select id="smtp-auth_mechanism".*?</select>', page, re.DOTALL)
    assert choices is not None
    assert re.findall(r'value="(.*?)"', choices[0]) == [
        "",
        "PLAIN",
        "LOGIN",
        "CRAM-MD5",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
    ]
    assert "Automatic is right for nearly everybody" in page
    admin.post("/add", typed(mailbox, auth_mechanism="LOGIN"))
    server = stored(site)
    assert server.auth_mechanism == "LOGIN"
    edit = admin.get(f"/{server.public_id}/edit")
    assert form_of(edit)["auth_mechanism"] == "LOGIN"
    assert re.search(r'<details class="[^"]*smtp-advanced"[^>]* open', edit.text)
    answer = admin.post(f"/{server.public_id}/edit", {**form_of(edit), "auth_mechanism": "XOAUTH2"})
    assert (answer.status_code, stored(site)) == (422, server)
    assert "Choose one of: automatic, PLAIN, LOGIN" in words(answer)


def test_everything_wrong_is_said_at_once_and_everything_typed_is_kept(site: Host, admin: Browser) -> None:
    """422, a summary with links, a message beside each field, and no row."""
    sent = {
        "name": "Mine",
        "send_as": "nobody",
        "host": "http://mail.example.com",
        "port": "99999",
        "ssl": "1",
        "username": "me",
        "sender_format": "{user} via {app}",
        "reply_to": "also nobody",
        "recipient": "ann@example.test",
    }
    answer = admin.post("/add", sent)
    assert answer.status_code == 422
    page = answer.text
    for name in ("send_as", "host", "port", "reply_to"):
        assert f'href="#smtp-{name}"' in page
        assert f'id="smtp-{name}" name="{name}" aria-describedby="smtp-{name}-notes" aria-invalid="true"' in page
        assert f'id="smtp-{name}-notes"' in page
    assert 'aria-invalid="true"' not in page.split('id="smtp-name"')[1].split(">")[0]
    assert "5 things need your attention" in words(answer), "the password is missing as well"
    kept = form_of(answer)
    assert {name: kept[name] for name in sent} == sent
    with site.app.app_context():
        assert site.smtp.servers() == []


def test_ssl_is_on_for_a_new_server_and_can_be_switched_off(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    page = form_of(admin.get("/add"))
    assert (page["ssl"], page["port"], page["encryption"]) == ("1", "465", "starttls")
    admin.post("/add", typed(mailbox, ssl="1", port=str(mailbox.smtps)))
    server = stored(site)
    assert server.security == "ssl"
    assert form_of(admin.get(f"/{server.public_id}/edit"))["ssl"] == "1"


@pytest.mark.parametrize(
    ("sent", "port"),
    [
        ({"port": "465", "followed": "ssl:465", "encryption": "starttls"}, 587),
        ({"port": "587", "followed": "starttls:587", "ssl": "1"}, 465),
        ({"port": "2525", "followed": "ssl:465", "encryption": "starttls"}, 2525),
        ({"port": "2525", "followed": "", "encryption": "starttls"}, 2525),
        ({"port": "2525", "followed": "starttls:2525", "encryption": "starttls"}, 2525),
    ],
)
def test_the_port_follows_the_encryption_until_one_is_typed(
    site: Host, admin: Browser, mailbox: Mailbox, sent: dict[str, str], port: int
) -> None:
    """A port that we proposed changes with the encryption; one that was typed stays."""
    fields = {name: value for name, value in typed(mailbox).items() if name not in ("port", "followed", "encryption")}
    admin.post("/add", {**fields, **sent})
    assert stored(site).port == port


def test_a_port_that_does_not_fit_is_warned_of_and_mended_with_one_click(
    site: Host, admin: Browser, mailbox: Mailbox
) -> None:
    """SSL with 587: nothing is saved yet; the correction keeps all that was typed, the password too."""
    answer = admin.post("/add", typed(mailbox, ssl="1", port="587", host="mail.example.com"))
    assert answer.status_code == 422
    assert "Port 587 usually needs STARTTLS" in words(answer)
    assert "Please check before it is saved" in words(answer)
    fixed = admin.post("/add", {**form_of(answer), "fix": "security=starttls"})
    assert "Changed – Encryption: STARTTLS. Test it or save it." in words(fixed)
    form = form_of(fixed)
    assert "ssl" not in form
    assert (form["encryption"], form["port"], form["host"]) == ("starttls", "587", "mail.example.com")
    assert admin.post("/add", form).status_code == 303
    with site.app.app_context():
        server = stored(site)
        password = site.state.store.password_of(server)
        assert password is not None
        assert password.reveal() == PASSWORD
    assert mailbox.connections == 0


def test_a_warning_can_be_overruled_and_is_then_not_repeated(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """Some providers do speak TLS from the first byte at 587; who says so once is not asked at every change."""
    answer = admin.post("/add", typed(mailbox, ssl="1", port="587", host="mail.example.com"))
    key = answer.text.split('name="keep" value="')[1].split('"')[0]
    assert admin.post("/add", {**form_of(answer), "keep": key}).status_code == 303
    server = stored(site)
    page = admin.get(f"/{server.public_id}/edit")
    assert "Port 587 usually needs STARTTLS" in words(page), "but it is still shown beside the field"
    assert admin.post(f"/{server.public_id}/edit", {**form_of(page), "name": "Other"}).status_code == 303


def test_overruling_one_warning_does_not_overrule_another(admin: Browser, mailbox: Mailbox) -> None:
    answer = admin.post("/add", typed(mailbox, ssl="1", port="587", host="mail.example.com"))
    key = answer.text.split('name="keep" value="')[1].split('"')[0]
    again = admin.post("/add", {**form_of(answer), "keep": key, "ssl": "", "encryption": "starttls", "port": "465"})
    assert again.status_code == 303 or "Please check" in words(again)
    other = admin.post("/add", {**typed(mailbox, host="gmail.com", ssl="1", port="465", name="B"), "keep": key})
    assert other.status_code == 422
    assert "Did you mean smtp.gmail.com?" in words(other)


@pytest.mark.parametrize(
    "fix",
    [
        "",
        "port=x",
        "port=٤٦٥",
        "security=rot13",
        "password=stolen",
        "nonsense",
        "&".join(f"port={n}" for n in range(99)),
    ],
)
def test_a_correction_that_we_did_not_propose_is_refused(admin: Browser, mailbox: Mailbox, fix: str) -> None:
    assert admin.post("/add", {**typed(mailbox), "fix": fix}).status_code == 400


def test_a_pasted_address_is_split_with_a_notice(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    fields = {**typed(mailbox, host="smtp://mail.example.com:2525"), "port": ""}
    page = admin.follow(admin.post("/add", fields))
    assert "was split into its parts" in words(page)
    assert (stored(site).host, stored(site).port) == ("mail.example.com", 2525)


def test_blanks_are_trimmed_with_a_notice(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    page = words(admin.follow(admin.post("/add", typed(mailbox, host="  localhost ", username=f"{USERNAME} "))))
    assert "Blanks around the server were removed." in page
    assert "Blanks around the user name were removed." in page
    assert stored(site).host == "localhost"


def test_mass_assignment_is_ignored(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """What the form does not show cannot be set through it."""
    extra = {"public_id": "x" * 32, "id": "7", "position": "5", "owner": "eve", "tenant": "t", "password_token": "t"}
    admin.post("/add", typed(mailbox, **extra, tested_at="2026-01-01", test_passed="1"))
    server = stored(site)
    assert server.public_id != "x" * 32
    assert (server.position, server.tested_at) == (0, None)


def test_env_references_are_not_taken_from_the_form(
    site: Host, admin: Browser, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may add a server must not read the process's environment by sending it to a server of his own."""
    monkeypatch.setenv("DATABASE_PASSWORD", "from the environment")
    admin.post("/test", typed(mailbox, smtp_secret="env:DATABASE_PASSWORD"))
    assert [password for _user, password in mailbox.logins] == ["env:DATABASE_PASSWORD"]
    admin.post("/add", typed(mailbox, smtp_secret="env:DATABASE_PASSWORD"))
    with site.app.app_context():
        password = site.state.store.password_of(stored(site))
        assert password is not None
        assert password.reveal() == "env:DATABASE_PASSWORD"


# -- providers


def test_choosing_a_provider_fills_in_what_it_prescribes(admin: Browser) -> None:
    """Without a script: radio button, "Fill in", done. The password field takes the provider's word and steps."""
    answer = admin.post(
        "/add", {**form_of(admin.get("/add")), "send_as": "Me <me@gmail.com>", "provider": "gmail", "fill": "1"}
    )
    form = form_of(answer)
    assert (form["host"], form["port"], form["ssl"]) == ("smtp.gmail.com", "465", "1")
    assert (form["username"], form["name"], form["provider"]) == ("me@gmail.com", "Gmail", "gmail")
    page = words(answer)
    assert "App password" in page
    assert "Turn on 2-Step Verification" in page
    assert "465 – SSL (chosen)" in page
    assert "587 – STARTTLS" in page


def test_choosing_another_provider_keeps_what_was_typed(admin: Browser) -> None:
    form = form_of(admin.post("/add", {"send_as": "me@gmail.com", "provider": "gmail", "fill": "1"}))
    form = form_of(
        admin.post("/add", {**form, "username": "own", "name": "Own name", "provider": "sendgrid", "fill": "1"})
    )
    assert (form["host"], form["username"], form["name"]) == ("smtp.sendgrid.net", "own", "Own name")


def test_a_fixed_user_name_is_filled_in_and_replaced_again(admin: Browser) -> None:
    form = form_of(admin.post("/add", {"send_as": "me@example.com", "provider": "sendgrid", "fill": "1"}))
    assert form["username"] == "apikey"
    form = form_of(admin.post("/add", {**form, "provider": "fastmail", "fill": "1"}))
    assert form["username"] == "me@example.com"


def test_a_region_fills_in_its_own_server(admin: Browser) -> None:
    form = form_of(admin.post("/add", {"provider": "amazon-ses", "fill": "1"}))
    assert form["host"] == "email-smtp.us-east-1.amazonaws.com"
    form = form_of(admin.post("/add", {**form, "region": "eu-central-1", "fill": "1"}))
    assert form["host"] == "email-smtp.eu-central-1.amazonaws.com"


def test_the_address_chooses_among_a_providers_servers(admin: Browser) -> None:
    form = form_of(admin.post("/add", {"provider": "zoho", "send_as": "Me <me@zoho.eu>", "fill": "1"}))
    assert form["host"] == "smtp.zoho.eu"


def test_a_provider_without_an_ssl_port_says_so(admin: Browser) -> None:
    answer = admin.post("/add", {"provider": "microsoft365", "fill": "1"})
    assert "has no port that is encrypted from the first byte: use port 587 with STARTTLS" in words(answer)
    assert "ssl" not in form_of(answer)
    assert form_of(answer)["port"] == "587"


def test_a_provider_that_cannot_be_used_says_why(admin: Browser) -> None:
    assert "takes neither a password nor an app password" in words(
        admin.post("/add", {"provider": "outlook", "fill": "1"})
    )


def test_the_other_server_is_a_choice_like_any_other(admin: Browser) -> None:
    page = admin.get("/add").text
    assert "Other server" in page
    form = form_of(admin.post("/add", {"provider": "custom", "fill": "1", "name": "", "host": "mail.example.com"}))
    assert (form["provider"], form["host"], form["name"]) == ("custom", "mail.example.com", "")


def test_a_server_that_is_known_brings_its_providers_words_along(site: Host, admin: Browser) -> None:
    """Nothing was chosen, or the server was added by a program: the host tells whose words help."""
    with site.app.app_context():
        server = site.smtp.add_server(
            name="A", host="smtp.qq.com", address="1@qq.com", username="1@qq.com", password="x"
        )
    page = words(admin.get(f"/{server.public_id}/edit"))
    assert "Authorisation code" in page
    assert "how to get the Authorisation code" in page
    assert "App password" in words(admin.post("/add", {"host": "smtp.gmail.com", "look": "1"})).split("Sign in")[1]


def test_a_link_may_name_the_provider(admin: Browser) -> None:
    assert form_of(admin.get("/add?provider=gmail"))["host"] == "smtp.gmail.com"
    assert form_of(admin.get("/add?provider=no-such"))["host"] == ""


def test_an_unknown_provider_is_no_accident(admin: Browser, mailbox: Mailbox) -> None:
    assert admin.post("/add", {"provider": "no-such", "fill": "1"}).status_code == 200
    assert admin.post("/add", typed(mailbox, provider="<b>")).status_code == 422


# -- two tabs


def test_the_second_of_two_editors_is_told_and_loses_nothing(site: Host, shop: str, make_site: Any) -> None:
    """409: who saved what meanwhile, beside one's own input; "Save" again replaces it knowingly."""
    ann, bob = Browser(site.app), Browser(site.app)
    for browser, name in ((ann, "ann"), (bob, "bob")):
        with browser.client.session_transaction() as cookie:
            cookie["user"] = name
    mine, theirs = form_of(ann.get(f"/{shop}/edit")), form_of(bob.get(f"/{shop}/edit"))
    assert bob.post(f"/{shop}/edit", {**theirs, "name": "Bob's"}).status_code == 303
    answer = ann.post(f"/{shop}/edit", {**mine, "reply_to": "ann@example.test"})
    assert answer.status_code == 409
    page = words(answer)
    assert "Changed meanwhile by bob, just now" in page
    assert "Name Bob's Shop" in page
    assert "Replies go to – ann@example.test" in page
    form = form_of(answer)
    assert (form["name"], form["reply_to"]) == ("Shop", "ann@example.test")
    assert ann.post(f"/{shop}/edit", form).status_code == 303
    assert (stored(site).name, stored(site).reply_to) == ("Shop", "ann@example.test")


@pytest.mark.parametrize("version", ["", "x", "0", "99"])
def test_a_form_without_its_version_overwrites_nothing(site: Host, admin: Browser, shop: str, version: str) -> None:
    form = form_of(admin.get(f"/{shop}/edit"))
    assert admin.post(f"/{shop}/edit", {**form, "version": version, "name": "Other"}).status_code == 409
    assert stored(site).name == "Shop"


def test_a_server_that_was_removed_meanwhile_is_not_found(site: Host, admin: Browser, shop: str) -> None:
    form = form_of(admin.get(f"/{shop}/edit"))
    admin.post(f"/{shop}/remove")
    assert admin.post(f"/{shop}/edit", form).status_code == 404


# -- removing


def test_before_a_server_is_removed_the_page_says_what_used_it(site: Host, admin: Browser, shop: str) -> None:
    page = words(admin.get(f"/{shop}/remove"))
    assert "Mail from shop@example.test goes through it." in page
    assert "It is the default" in page
    with site.app.app_context():
        assert len(site.smtp.servers()) == 1, "looking removes nothing"
    assert "“Shop” was removed." in words(admin.follow(admin.post(f"/{shop}/remove")))
    with site.app.app_context():
        assert site.smtp.servers() == []


# -- the host's database


def test_a_failing_database_gets_a_clear_page(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """503, nothing half-written, no traceback."""
    with site.app.app_context():
        site.db.session.execute(site.db.text("DROP TABLE smtpservers_event"))
        site.db.session.commit()
    answer = admin.post("/add", typed(mailbox))
    assert answer.status_code == 503
    assert "Nothing was saved or changed" in words(answer)
    assert "Traceback" not in answer.text
    with site.app.app_context():
        assert site.db.session.execute(site.db.text("SELECT count(*) FROM smtpservers_server")).scalar() == 0


# -- certificates


def pair(ca: Any, days: int = 400) -> tuple[str, str]:
    issued = ca.issue_cert("client.example.test", not_after=datetime.now(UTC) + timedelta(days=days))
    return issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()


def test_certificate_and_key_are_stored_and_the_key_is_never_shown(
    site: Host, admin: Browser, mailbox: Mailbox, ca: Any
) -> None:
    certificate, key = pair(ca)
    admin.post("/add", typed(mailbox, client_certificate=certificate, client_key=key))
    server = stored(site)
    page = admin.get(f"/{server.public_id}/edit")
    assert "A key is stored" in words(page)
    assert form_of(page)["client_certificate"].strip() == certificate.strip()
    assert form_of(page)["client_key"] == ""
    assert "PRIVATE KEY-----\n" not in page.text
    assert admin.post(f"/{server.public_id}/edit", form_of(page)).status_code == 303
    with site.app.app_context():
        assert site.state.store.client_key_of(stored(site)) is not None, "an empty field keeps it"
    assert "its certificate is valid until" in words(page)


def test_the_key_can_be_removed_with_its_certificate(site: Host, admin: Browser, mailbox: Mailbox, ca: Any) -> None:
    certificate, key = pair(ca)
    admin.post("/add", typed(mailbox, client_certificate=certificate, client_key=key))
    server = stored(site)
    form = {**form_of(admin.get(f"/{server.public_id}/edit")), "client_certificate": "", "remove_client_key": "1"}
    assert admin.post(f"/{server.public_id}/edit", form).status_code == 303
    admin.use_change(server.public_id)
    assert stored(site).client_key is None


def test_a_key_of_another_certificate_is_refused(admin: Browser, mailbox: Mailbox, ca: Any) -> None:
    certificate, _key = pair(ca)
    _certificate, key = pair(ca)
    answer = admin.post("/add", typed(mailbox, client_certificate=certificate, client_key=key))
    assert answer.status_code == 422
    assert key.splitlines()[2] not in answer.text
    assert '<details class="smtp-card smtp-section smtp-advanced" open' in answer.text


def test_what_is_set_for_the_connections(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """A number of its own and PIPELINING off are stored, shown again, and taken back."""
    off = {name: value for name, value in typed(mailbox, max_connections="3").items() if name != "pipelining"}
    assert admin.post("/add", off).status_code == 303
    with site.app.app_context():
        (server,) = site.smtp.servers()
    assert (server.max_connections, server.pipelining) == (3, False)
    shown = form_of(admin.get(f"/{server.public_id}/edit"))
    assert (shown["max_connections"], "pipelining" in shown) == ("3", False)
    admin.post(f"/{server.public_id}/edit", {**shown, "max_connections": "", "pipelining": "1"})
    admin.use_change(server.public_id)
    with site.app.app_context():
        (server,) = site.smtp.servers()
    assert (server.max_connections, server.pipelining) == (0, True)


@pytest.mark.parametrize(("providers", "offered"), [([], False), (["gmail"], True)])
def test_where_there_is_no_provider_to_choose_none_is_asked_for(
    make_site: MakeSite, providers: list[str], offered: bool
) -> None:
    """The operator names one host for users, and perhaps a provider."""
    site = make_site(
        access=lambda action, scope: True,
        owner=lambda: "ann",
        SMTPSERVERS_PERSONAL=True,
        SMTPSERVERS_PERSONAL_HOSTS=["mail.example.org"],
        SMTPSERVERS_PERSONAL_PROVIDERS=providers,
    )
    page = Browser(site.app).get("/me/add")
    assert ("smtp-chooser" in page.text, "Mail provider" in words(page)) == (offered, offered)
