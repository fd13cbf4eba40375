""" "Test SMTP Settings", against a real server on loopback: streamed, complete, and without side effects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, USERNAME, Mailbox

from .browser import Browser, form_of, typed, words
from .conftest import MakeSite


def server(site: Host, server_id: str) -> Any:
    with site.app.app_context():
        return site.state.store.get(server_id)


def test_a_stored_server_is_tested(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    """Every step with its state in words; signed in as whom; accepted with which queue id; the list knows it."""
    assert "Send a test message to" in words(admin.get(f"/{shop}/test"))
    page = words(admin.post(f"/{shop}/test", {"recipient": "ann@example.test"}))
    assert "It works: the test message is on its way." in page
    assert f"Signed in to localhost as {USERNAME}." in page
    assert "The server accepted the test message (queue id Q1)." in page
    for step in (
        "Find server",
        "Reach it",
        "Greeting",
        "Encrypt",
        "Certificate",
        "Sign in",
        "Sender",
        "Recipient",
        "Message",
    ):
        assert f"{step} " in page
    assert page.partition("Report of an SMTP test")[0].count("Done") == 12
    (letter,) = mailbox.letters
    assert (letter.recipients, letter.username) == (["ann@example.test"], USERNAME)
    assert "Working – tested just now" in words(admin.get("/"))


@pytest.mark.parametrize("extra", [{}, {"fragment": "1"}], ids=["page", "fragment"])
def test_what_works_is_one_click_away(site: Host, admin: Browser, mailbox: Mailbox, extra: dict[str, str]) -> None:
    """STARTTLS at a port that is SSL from the start: the page names it, and a button puts it right."""
    wrong = typed(mailbox, port=str(mailbox.smtps), **extra)
    answer = admin.post("/test", wrong)
    assert "Stopped at step" in words(answer)
    assert 'name="fix" value="security=ssl" form="smtp-form"' in answer.text
    assert "Use SSL" in words(answer)
    mended = form_of(admin.post("/add", {**wrong, "fix": "security=ssl"}))
    assert (mended["port"], mended.get("ssl")) == (str(mailbox.smtps), "1")
    assert mailbox.logins == []


def test_with_an_empty_recipient_nothing_is_sent(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    page = words(admin.post(f"/{shop}/test", {"recipient": " "}))
    assert "It works: the settings are right." in page
    assert "Nothing was sent, because no recipient was entered." in page
    assert mailbox.letters == []
    assert mailbox.connections == 1


@pytest.mark.parametrize("recipient", ["nobody", "a@example.test, b@example.test", "a@b@c", "a@example.test\r\nX: y"])
def test_a_wrong_recipient_is_said_before_any_connection(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox, recipient: str
) -> None:
    answer = admin.post(f"/{shop}/test", {"recipient": recipient})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    unsaved = admin.post("/test", typed(mailbox, recipient=recipient))
    assert unsaved.status_code == 422
    assert 'href="#smtp-recipient"' in unsaved.text
    assert mailbox.connections == 0


def test_a_refused_password_is_explained(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    """One headline that counts the steps, why with the server's own words, what to do, and the rest not reached."""
    admin.post(f"/{shop}/password", {"smtp_secret": "wrong"})
    admin.use_change(shop)
    page = words(admin.post(f"/{shop}/test", {"recipient": "ann@example.test"}))
    assert "Stopped at step 9 of 12: " in page
    assert "Why" in page
    assert "In the server's own words 535" in page
    assert "Do this" in page
    assert "Technical details" in page
    assert page.partition("Report of an SMTP test")[0].count("Not reached") == 3
    assert "Failing – " in words(admin.get("/"))
    assert mailbox.letters == []


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({"host": "127.0.0.1", "port": "1"}, "Reach it Failed"),
        ({"send_as": "badsender@example.test"}, "Sender Failed"),
        ({"recipient": "bad@example.test"}, "Recipient Failed"),
        ({"ssl": "1"}, "Encrypt Failed"),
    ],
)
def test_each_failure_stops_at_its_step(admin: Browser, mailbox: Mailbox, changes: dict[str, str], stage: str) -> None:
    page = words(admin.post("/test", typed(mailbox, **{"recipient": "ann@example.test", **changes})))
    assert "Stopped at step " in page
    label, state = stage.rsplit(" ", 1)
    row = page.split(f"{label} ", 1)[1]
    assert row.index(state) < row.index("Not reached")
    assert mailbox.letters == []


def test_unsaved_values_are_tested_and_kept_and_then_saved(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """Without a script: the result, the form below with all values, and "Save" without typing the password again."""
    answer = admin.post("/test", typed(mailbox, recipient="ann@example.test"))
    assert answer.status_code == 200
    assert answer.text.index("It works") < answer.text.index('id="smtp-form"')
    with site.app.app_context():
        assert site.smtp.servers() == [], "a test saves nothing"
    form = form_of(answer)
    assert (form["send_as"], form["smtp_secret"]) == ('"Doe, John" <shop@example.test>', "")
    saved = admin.follow(admin.post("/add", form))
    assert "“Shop” was saved." in words(saved)
    assert "Working – tested just now" in words(saved), "it was, with exactly these values"
    assert "has not been tested" not in words(saved)


def test_what_the_script_tested_counts_as_tested(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """The part that the script puts into the page brings the proof along, also in a browser's first request."""
    answer = admin.post("/test", typed(mailbox, fragment="1"))
    saved = admin.follow(admin.post("/add", {**typed(mailbox), **form_of(answer)}))
    assert "Working – tested just now" in words(saved)


@pytest.mark.parametrize("change", [{"username": "me@example.test", "smtp_secret": "x"}, {"auth_mechanism": "LOGIN"}])
def test_values_that_were_changed_after_the_test_count_as_untested(
    site: Host, admin: Browser, mailbox: Mailbox, change: dict[str, str]
) -> None:
    form = form_of(admin.post("/test", typed(mailbox)))
    saved = words(admin.follow(admin.post("/add", {**form, **change})))
    assert "Not tested" in saved
    assert "It has not been tested yet" in saved


def test_a_chosen_sign_in_method_is_tested(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    """The method of the form is the one that is used; one that the server lacks is explained, with what it offers."""
    works = words(admin.post("/test", typed(mailbox, auth_mechanism="LOGIN")))
    assert f"Signed in to localhost as {USERNAME}." in works
    lacks = words(admin.post("/test", typed(mailbox, auth_mechanism="CRAM-MD5")))
    assert "localhost does not offer CRAM-MD5; it offers: " in lacks
    assert "Choose “Automatic” as the sign-in method, under “Advanced”." in lacks
    assert mailbox.logins == [(USERNAME, PASSWORD)], "by LOGIN"


def test_a_failed_test_is_remembered_as_well(site: Host, admin: Browser, mailbox: Mailbox) -> None:
    form = form_of(admin.post("/test", typed(mailbox, smtp_secret="wrong")))
    assert "Failing – " in words(admin.follow(admin.post("/add", form)))


def test_unsaved_changes_of_a_stored_server_use_its_password(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox
) -> None:
    """The destination is the same, so the stored password may go there; the stored server is not marked as tested."""
    form = {**form_of(admin.get(f"/{shop}/edit")), "send_as": "other@example.test"}
    assert f"Signed in to localhost as {USERNAME}." in words(admin.post("/test", form))
    assert mailbox.logins == [(USERNAME, PASSWORD)]
    assert server(site, shop).tested_at is None
    assert server(site, shop).address == "shop@example.test"


def test_the_steps_go_out_one_by_one(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    """Each step is flushed as it ends: the page's head is there before the server is even contacted."""
    token = admin.token()
    with admin.client.post(f"/smtp/{shop}/test", data={"csrf_token": token}) as answer:
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Content-Length" not in answer.headers
        pieces = iter(answer.iter_encoded())
        first = next(pieces).decode()
        assert "<h1>" in first
        assert mailbox.connections == 0
        rest = [piece.decode() for piece in pieces]
    assert [piece.count('class="smtp-step ') for piece in rest[:11]] == [1] * 11
    assert "It works" in rest[-2] + rest[-1]


def test_the_script_gets_only_the_part_that_it_needs(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    for answer in (
        admin.post(f"/{shop}/test", {"fragment": "1"}),
        admin.post("/test", typed(mailbox, fragment="1")),
    ):
        assert answer.headers["X-Smtpservers-Fragment"] == "1"
        assert answer.text.startswith('<div class="smtp-run">')
        assert "<html" not in answer.text
        assert "It works" in answer.text


def test_a_reader_who_leaves_does_not_stop_the_result(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    """The connection to the browser breaks off after the first steps: the outcome is stored all the same."""
    token = admin.token()
    with admin.client.post(f"/smtp/{shop}/test", data={"csrf_token": token}) as answer:
        pieces = iter(answer.iter_encoded())
        next(pieces)
        next(pieces)
    tested = server(site, shop)
    assert tested.test_passed is True
    assert tested.tested_at is not None


def test_the_result_lasts_also_where_the_host_has_a_transaction_open(make_site: MakeSite, mailbox: Mailbox) -> None:
    """A host that looks its user up in the database has one open in every request; ours is committed with it."""
    holder: list[Host] = []

    def asking(action: object, scope: object) -> bool:
        holder[0].db.session.execute(holder[0].db.text("SELECT 1"))
        return True

    site = make_site(access=asking)
    holder.append(site)
    with site.app.app_context():
        stored = site.smtp.add_server(**server_fields(mailbox))
        site.db.session.commit()
    browser = Browser(site.app)
    browser.post(f"/{stored.public_id}/test")
    assert server(site, stored.public_id).test_passed is True
    form = form_of(browser.post("/test", typed(mailbox, name="Second")))
    assert browser.post("/add", form).status_code == 303
    with site.app.app_context():
        assert [one.test_passed for one in site.smtp.servers()] == [True, True]


def test_a_secret_that_cannot_be_read_is_a_step_that_failed(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox
) -> None:
    with site.app.app_context():
        site.db.session.execute(site.db.text("UPDATE smtpservers_server SET host = '127.0.0.1'"))
        site.db.session.commit()
    page = words(admin.post(f"/{shop}/test"))
    assert "Stopped at step 1 of " in page
    assert mailbox.connections == 0


def test_an_error_inside_the_app_is_said_on_the_page(make_site: MakeSite, mailbox: Mailbox, caplog: Any) -> None:
    """The page is half out already, so it cannot become a 500: it ends with a sentence, and the log has the cause."""

    class Broken:
        def resolve(self, *args: Any) -> Any:
            raise RuntimeError("CANARY in a bug")

        dial = resolve

    site = make_site()
    site.state.network = Broken()  # type: ignore[assignment]
    answer = Browser(site.app).post("/test", typed(mailbox))
    assert answer.status_code == 200
    assert "The test could not be finished." in words(answer)
    assert "CANARY" not in answer.text
    assert "CANARY" in caplog.text


def test_a_test_of_values_that_are_wrong_says_so_beside_the_fields(admin: Browser, mailbox: Mailbox) -> None:
    answer = admin.post("/test", typed(mailbox, host="", send_as=""))
    assert answer.status_code == 422
    assert 'href="#smtp-host"' in answer.text
    assert mailbox.connections == 0
