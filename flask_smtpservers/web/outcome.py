"""What can be pressed below the result of a test: the correction, saving, a draft, another try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..findings import Diagnosis
from ..i18n import gettext as _
from ..permissions import Action
from ..servers.profile import ServerProfile
from .access import allowed_quietly, scope_of_request
from .corrections import proposal
from .links import endpoint_of_request, link
from .sheet import Sheet

#: Fixes that end with another password in its field.
_RETYPE = frozenset(
    ["add_credentials", "create_app_password", "enter_password_again", "retype_credentials", "use_smtp_credentials"]
)


@dataclass(frozen=True, slots=True)
class AfterRun:
    """The buttons below a result, and where they lead.

    :param form: the id of the form that they send.
    :param test_url: where a correction is applied and tested at once; empty if there is no button for it.
    :param live: whether the script may show that test in the place of this one.
    :param save_url: where the form is saved; empty if there is nothing to save.
    :param save: what the button that saves is called.
    :param draft: whether it can be saved as a draft.
    :param waits: whether it then is a change that waits, while the stored server goes on as it is.
    :param bare: whether the page has buttons of its own below the result.
    :param password_url: where the password is entered again; empty for who may not.
    :param trust_url: where a certificate that no authority vouches for is trusted; empty for who may not.
    :param activate_url: where a stored server that is not in use is activated; empty if it is in use.
    """

    form: str
    test_url: str
    live: bool = False
    save_url: str = ""
    save: str = ""
    draft: bool = False
    waits: bool = False
    bare: bool = False
    activate_url: str = ""
    trust_url: str = ""
    password_url: str = ""

    def offer(self, correction: Mapping[str, Any]) -> tuple[str, str]:
        """Return the value and the words of the button for a correction; both empty if it is not offered here."""
        return proposal(correction) if self.test_url else ("", "")

    def retype(self, diagnosis: Diagnosis) -> str:
        """Return where the password is entered again, if that is what a failure calls for; else an empty text."""
        return self.password_url if diagnosis.fix in _RETYPE else ""


def after_sheet(sheet: Sheet) -> AfterRun:
    """Return the buttons below the test of a form that is not saved yet."""
    endpoint, profile = endpoint_of_request(), sheet.profile
    if endpoint in ("test_server", "test_change", "trust_certificate"):
        # A stored server, tested with a correction: now there is a form.
        endpoint = "test_unsaved"
    may_save = allowed_quietly(Action.EDIT_SERVERS)
    active = profile is not None and profile.enabled
    return AfterRun(
        form="smtp-form",
        test_url=link(endpoint),
        live=True,
        save_url=sheet.base_url if may_save else "",
        save=_("Save") if active else _("Save and activate"),
        draft=may_save,
        waits=profile is not None and profile.usable,
        password_url=_password_field(sheet) if _may_change_secrets() else "",
        trust_url=_trust_url(),
    )


def _password_field(sheet: Sheet) -> str:
    """Return the place of the field on the page; a stored password has none, but a button to change it."""
    hidden = sheet.profile is not None and "password" not in sheet.secrets and not sheet.password_demanded
    return "#smtp-password" if hidden else "#smtp-smtp_secret"


def after_stored(profile: ServerProfile) -> AfterRun:
    """Return the buttons below the test of a stored server.

    A correction asks for the password again unless it may go along, and that needs the right to change it.
    """
    if profile.origin:
        return AfterRun(form="smtp-test-form", test_url="")
    may_edit = allowed_quietly(Action.EDIT_SERVERS)
    password = profile.password
    goes_along = password is None or (not password.environment and allowed_quietly(Action.CHANGE_SECRETS))
    may_secrets = _may_change_secrets()
    here: Any = {"server_id": profile.public_id}
    return AfterRun(
        form="smtp-test-form",
        test_url=link("test_server", **here) if may_edit and goes_along else "",
        activate_url=link("enable_server", **here) if may_edit and not profile.enabled else "",
        password_url=link("change_password", **here) if may_secrets and profile.username else "",
        trust_url=_trust_url(**here),
    )


def after_waiting(profile: ServerProfile) -> AfterRun:
    """Return the buttons within the result of a change that waits; what else can be done stands below it.

    :param profile: the server with the change.
    """
    here: Any = {"server_id": profile.public_id}
    may_secrets = _may_change_secrets()
    goes_along = profile.password is None or (not profile.password.environment and may_secrets)
    return AfterRun(
        form="smtp-change-form",
        test_url=link("test_change", **here) if goes_along else "",
        password_url=link("change_password", **here) if may_secrets and profile.username else "",
        trust_url=_trust_url(**here),
        bare=True,
    )


def _trust_url(**here: str) -> str:
    """Return where a fingerprint is trusted; users cannot, for on their page there is no such field."""
    possible = _may_change_secrets() and not scope_of_request().owner
    return link("trust_certificate", **here) if possible else ""


def _may_change_secrets() -> bool:
    return allowed_quietly(Action.EDIT_SERVERS) and allowed_quietly(Action.CHANGE_SECRETS)
