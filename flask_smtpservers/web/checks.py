"""The self-checks as a page."""

from __future__ import annotations

from flask import current_app
from flask.typing import ResponseReturnValue

from .. import mail as hook
from .. import selfcheck
from ..i18n import gettext as _
from ..permissions import Action
from ..state import state_of
from .access import protected
from .rendering import page


@protected(Action.VIEW_CHECKS)
def self_check() -> ResponseReturnValue:
    """Carry out the checks and show what they found, the worst first."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    found = selfcheck.run_checks(state_of(), hook=hook.hook_status(app))
    words = {
        selfcheck.CheckState.OK: _("Fine"),
        selfcheck.CheckState.WARNING: _("Should be looked at"),
        selfcheck.CheckState.ERROR: _("Must be mended"),
    }
    findings = sum(one.state != selfcheck.CheckState.OK for one in found)
    return page("checks.html", heading=_("Mail self-check"), checks=found, words=words, findings=findings)
