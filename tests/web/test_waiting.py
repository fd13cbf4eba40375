"""Draft, test, activate for an edit: the old settings stay in use until the new ones have passed."""

from __future__ import annotations

from typing import Any

import pytest

from flask_smtpservers.permissions import Action, Scope
from flask_smtpservers.servers.profile import ServerProfile
from tests.apps import Host, server_fields
from tests.peers.mailbox import PASSWORD, Mailbox

from .browser import Browser, form_of, words
from .conftest import MakeSite

FORM = "smtp-change-form"
WRONG = "wr0ng-CANARY"


def live(site: Host, server: str) -> ServerProfile:
    with site.app.app_context():
        return site.state.store.get(server)


def change(browser: Browser, server: str, **changes: Any) -> Any:
    """Save the form with changes, and return the page that it leads to."""
    form = {**form_of(browser.get(f"/{server}/edit")), **changes}
    return browser.follow(browser.post(f"/{server}/edit", form))


def test_a_change_that_works_is_used_once_it_has_passed(
    site: Host, admin: Browser, shop: str, mailbox: Mailbox
) -> None:
    """Saved: the old stays. Tested: the new is used, and the list says that it works."""
    page = change(admin, shop, port=str(mailbox.plain), encryption="none", username="", name="Till")
    text = words(page)
    assert "Change of “Till”" in text
    assert "mail goes out with the old settings until the new ones have passed" in text
    assert f"Port before: {mailbox.submission} → after: {mailbox.plain}" in text
    assert "Password removed" in text
    server = live(site, shop)
    assert (server.port, server.name) == (mailbox.submission, "Till"), "the name needs no test"
    assert "Change waiting" in words(admin.get("/"))

    tested = words(admin.post(f"/{shop}/change/test", form_of(page, FORM)))
    assert "It works" in tested
    assert "The new settings are in use." in tested
    server = live(site, shop)
    assert (server.port, server.test_passed, server.has_password) == (mailbox.plain, True, False)
    listed = words(admin.get("/"))
    assert "Change waiting" not in listed
    assert "Working – tested just now" in listed


def test_a_change_that_fails_leaves_the_old_in_use(site: Host, admin: Browser, shop: str) -> None:
    """The page says so, with the cause; the new settings are kept for mending, testing again, using, dropping."""
    before = live(site, shop)
    admin.post(f"/{shop}/password", {"smtp_secret": WRONG})
    page = admin.get(f"/{shop}/change")
    tested = admin.post(f"/{shop}/change/test", form_of(page, FORM))
    text = words(tested)
    assert "In the server's own words 535" in text
    assert "The old settings stay in use: mail goes out as before." in text
    for button in (
        "Test again and activate",
        "Edit the new settings",
        "Drop the change",
        "Use them without a passed test",
    ):
        assert button in text
    after = live(site, shop)
    assert (after.password, after.digest) == (before.password, before.digest)
    assert "CANARY" not in tested.text

    admin.post(f"/{shop}/password", {"smtp_secret": PASSWORD})
    page = admin.get(f"/{shop}/change")
    assert "The new settings are in use." in words(admin.post(f"/{shop}/change/test", form_of(page, FORM)))


def test_a_tested_form_is_used_at_once(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    """Whoever tests before saving needs no second test; with another value after the test it waits."""
    form = {**form_of(admin.get(f"/{shop}/edit")), "timeout_seconds": "15"}
    tested = form_of(admin.post("/test", form))
    other = admin.post(f"/{shop}/edit", {**tested, "timeout_seconds": "16"})
    assert other.location.endswith(f"/{shop}/change#test")
    admin.post(f"/{shop}/change/discard", form_of(admin.get(f"/{shop}/change"), FORM))

    tested = form_of(admin.post("/test", {**form_of(admin.get(f"/{shop}/edit")), "timeout_seconds": "15"}))
    assert admin.post(f"/{shop}/edit", tested).location.endswith(f"/smtp/?at={shop}#server-{shop}")
    server = live(site, shop)
    assert (server.timeout_seconds, server.test_passed) == (15, True)


def test_a_failed_test_of_the_form_can_be_saved_for_later(site: Host, admin: Browser, shop: str) -> None:
    """The button keeps the change; the server in use does not become a draft."""
    form = {**form_of(admin.get(f"/{shop}/edit")), "port": "1", "smtp_secret": PASSWORD}
    tested = admin.post("/test", form)
    assert "Save for later" in words(tested)
    assert "Save as draft" not in words(tested)
    page = admin.follow(admin.post(f"/{shop}/edit", {**form_of(tested), "save": "draft"}))
    assert "Change of “Shop”" in words(page)
    server = live(site, shop)
    assert (server.enabled, server.draft) == (True, False)


def test_it_is_used_anyway(site: Host, admin: Browser, shop: str) -> None:
    """A second press behind a warning; then mail meets the new settings."""
    page = change(admin, shop, timeout_seconds="15")
    assert "Use the new settings anyway" in words(page)
    done = words(admin.use_change(shop))
    assert "The new settings of “Shop” are in use." in done
    assert live(site, shop).timeout_seconds == 15
    assert "is used without having passed a test" in words(admin.get(f"/{shop}/history"))


def test_it_is_dropped(site: Host, admin: Browser, shop: str) -> None:
    page = change(admin, shop, timeout_seconds="15")
    done = words(admin.follow(admin.post(f"/{shop}/change/discard", form_of(page, FORM))))
    assert "it goes on as before" in done
    assert live(site, shop).timeout_seconds == 10
    gone = admin.get(f"/{shop}/change", follow_redirects=True)
    assert "No change waits any more" in words(gone)


def test_editing_goes_on_with_the_new_settings(site: Host, admin: Browser, shop: str) -> None:
    """The form shows them and says so; the password typed for them is still there, nobody types it again."""
    change(admin, shop, port="2525", smtp_secret=WRONG)
    page = admin.get(f"/{shop}/edit")
    assert "These are the new settings, which wait for a test." in words(page)
    assert form_of(page)["port"] == "2525"
    assert "CANARY" not in page.text
    again = change(admin, shop, timeout_seconds="15")
    assert "Time-out in seconds before: 10 → after: 15" in words(again)
    with site.app.app_context():
        waiting = site.state.store.waiting(shop)
        assert waiting is not None
        password = site.state.store.password_of(waiting.profile)
        assert password is not None
        assert password.reveal() == WRONG


def test_a_correction_is_tested_and_saved(site: Host, admin: Browser, shop: str, mailbox: Mailbox) -> None:
    """The button of the diagnosis tests the waiting change with it; saved after that it is used."""
    page = change(admin, shop, port=str(mailbox.smtps), smtp_secret=PASSWORD)
    tested = admin.post(f"/{shop}/change/test", form_of(page, FORM))
    assert 'form="smtp-change-form"' in tested.text
    fixed = admin.post(f"/{shop}/change/test", {**form_of(page, FORM), "fix": "security=ssl"})
    assert "It works" in words(fixed)
    assert admin.post(f"/{shop}/edit", form_of(fixed)).location.endswith(f"#server-{shop}")
    server = live(site, shop)
    assert (server.port, server.security.value, server.test_passed) == (mailbox.smtps, "ssl", True)


@pytest.mark.parametrize("button", ["test", "use", "discard"])
def test_what_was_replaced_meanwhile_is_not_touched(site: Host, admin: Browser, shop: str, button: str) -> None:
    """A page that is older than the change says so and does nothing."""
    page = change(admin, shop, timeout_seconds="15")
    change(admin, shop, timeout_seconds="20")
    answer = words(admin.follow(admin.post(f"/{shop}/change/{button}", form_of(page, FORM))))
    assert "Nothing was done; look at it again." in answer
    assert "after: 20" in answer
    assert live(site, shop).timeout_seconds == 10


def test_a_change_that_is_replaced_during_its_test_is_not_used(site: Host, admin: Browser, shop: str) -> None:
    """The test belongs to what was tested: its success activates nothing else."""
    page = change(admin, shop, timeout_seconds="15")
    answer = admin.client.post(
        f"/smtp/{shop}/change/test",
        data={"csrf_token": admin.token(), **form_of(page, FORM)},
        buffered=False,
    )
    pieces = answer.iter_encoded()
    next(pieces)
    with site.app.app_context():
        site.state.store.propose(shop, {"timeout_seconds": 20})
    rest = b"".join(pieces).decode()
    assert "The new settings are in use." not in rest
    assert "replaced, used or dropped meanwhile" in rest
    assert live(site, shop).timeout_seconds == 10


def test_a_paused_server_is_changed_at_once(site: Host, admin: Browser, shop: str) -> None:
    admin.post(f"/{shop}/pause")
    form = {**form_of(admin.get(f"/{shop}/edit")), "timeout_seconds": "15"}
    assert admin.post(f"/{shop}/edit", form).location.endswith(f"#server-{shop}")
    assert live(site, shop).timeout_seconds == 15


def test_pressing_again_after_it_was_used_does_no_harm(admin: Browser, shop: str) -> None:
    """A page that is sent twice says that nothing waits."""
    page = change(admin, shop, timeout_seconds="15")
    form = form_of(page, FORM)
    admin.post(f"/{shop}/change/test", form)
    assert "No change waits any more" in words(admin.follow(admin.post(f"/{shop}/change/test", form)))


def test_who_may(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Without the right to edit there is nothing; without the right to test no button for it."""
    may = {"servers.view", "servers.edit", "servers.secrets"}
    site = make_site(access=lambda action, scope: action.value in may)
    with site.app.app_context():
        shop = site.smtp.add_server(**server_fields(mailbox)).public_id
        site.db.session.commit()
    browser = Browser(site.app)
    page = change(browser, shop, timeout_seconds="15")
    assert "Test and activate" not in words(page)
    assert "Use the new settings anyway" in words(page)
    form = form_of(page, FORM)
    assert browser.post(f"/{shop}/change/test", form).status_code == 403
    may.discard("servers.edit")
    assert browser.get(f"/{shop}/change").status_code == 403
    for button in ("test", "use", "discard"):
        assert browser.post(f"/{shop}/change/{button}", form).status_code == 403
    listed = browser.get("/")
    assert "Change waiting" in words(listed)
    assert f"/{shop}/change" not in listed.text


def test_an_unknown_server_is_not_found(admin: Browser) -> None:
    assert admin.get("/nobody/change").status_code == 404
    for button in ("test", "use", "discard"):
        assert admin.post(f"/nobody/change/{button}", {"mark": "x"}).status_code == 404


def test_a_person_changes_his_own_server(make_site: MakeSite, mailbox: Mailbox) -> None:
    """The same on the pages of one's own: a wrong password leaves the old one in use, and nobody else gets there."""
    site = make_site(
        access=lambda action, scope: action.value == "personal.manage",
        SMTPSERVERS_PERSONAL=True,
        SMTPSERVERS_PERSONAL_HOSTS=[f"localhost:{mailbox.submission}"],
    )
    ann, bob = (Browser(site.app) for _person in range(2))
    for browser, name in ((ann, "ann"), (bob, "bob")):
        with browser.client.session_transaction() as session:
            session["user"] = name
    with site.app.app_context():
        scope = Scope(owner="ann")
        server = site.state.store.add(server_fields(mailbox), scope=scope).profile.public_id
        site.state.store.verify_address(server, "shop@example.test", scope=scope)
        site.db.session.commit()
    here = f"/me/{server}"
    ann.post(f"{here}/password", {"smtp_secret": WRONG})
    page = ann.get(f"{here}/change")
    form = form_of(page, FORM)
    assert "mail goes out with the old settings" in words(page)
    assert f"/smtp{here}/change/use" in page.text
    assert bob.get(f"{here}/change").status_code == 404
    assert bob.post(f"{here}/change/use", {"mark": form["mark"]}).status_code == 404
    assert "The old settings stay in use" in words(ann.post(f"{here}/change/test", form))
    with site.app.app_context():
        password = site.state.store.password_of(site.state.store.get(server, scope=scope))
        assert password is not None
        assert password.reveal() == PASSWORD
    assert "A change of “Shop” was saved; it waits for its test by ann" in words(ann.get(f"{here}/history"))
    assert ann.get(f"/{server}/change").status_code == 403


def test_a_waiting_password_is_used_by_those_only_who_may_change_secrets(make_site: MakeSite, mailbox: Mailbox) -> None:
    """Who may edit but not change secrets puts no untested password of somebody else's in use; other changes he may."""
    denied: set[Action] = set()
    site = make_site(access=lambda action, scope: action not in denied)
    browser = Browser(site.app)
    with site.app.app_context():
        server = site.state.store.add(server_fields(mailbox)).profile.public_id
        site.state.store.commit()
    browser.post(f"/{server}/password", {"smtp_secret": WRONG})
    form = form_of(browser.get(f"/{server}/change"), FORM)
    denied.add(Action.CHANGE_SECRETS)
    assert "Use the new settings anyway" not in words(browser.get(f"/{server}/change"))
    assert browser.post(f"/{server}/change/use", form).status_code == 403
    denied.clear()
    assert "Use the new settings anyway" in words(browser.get(f"/{server}/change"))
    assert browser.post(f"/{server}/change/use", form).status_code == 303
