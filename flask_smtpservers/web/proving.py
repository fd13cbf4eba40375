"""Proving that a sending address is one's own: the link is sent, and its page takes the word of the one who asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from .. import mail as hook
from ..errors import MessageRefused, SendError, ServerChanged, ServerNotFound, StoreUnavailable
from ..i18n import N_
from ..i18n import gettext as _
from ..permissions import Action
from ..sending.address_proof import can_send_proofs, look_at_link, new_ticket, proof_message, use_link
from ..sending.choice import Choice
from ..sending.delivery import Outcome
from ..servers.profile import ServerProfile
from ..servers.proving import Answer, ProofRefused
from ..state import state_of
from .access import actor, protected, scope_of_request
from .links import place_in_list
from .own_addresses import is_proved
from .rendering import page, tell

logger = logging.getLogger("flask_smtpservers")

#: Status, headline and advice, by what the link is worth.
_ANSWERS: Mapping[Answer, tuple[int, str, str]] = {
    Answer.PROVED: (200, N_("This address is proved"), N_("There is nothing more to do.")),
    Answer.EXPIRED: (410, N_("This link is too old"), N_("Let a new one be sent on your page.")),
    Answer.CHANGED: (
        409,
        N_("This link is for another address"),
        N_("The sending address was changed since. Let a link be sent to the one that stands there now."),
    ),
    Answer.UNKNOWN: (
        404,
        N_("This link does not work here"),
        N_("It was made for somebody else, or a part of it is missing. Sign in as the one who asked for it."),
    ),
}


@protected(Action.MANAGE_PERSONAL, personal=True)
def prove_address(server_id: str) -> ResponseReturnValue:
    """Send a link to the sending address of a server, once more."""
    profile = state_of().store.get(server_id, scope=scope_of_request())
    if profile.proved:
        tell("notice", _("%(address)s is proved already.", address=profile.address))
    else:
        ask_for_proof(profile)
    return redirect(place_in_list(server_id), 303)


@protected(Action.MANAGE_PERSONAL, personal=True)
def confirm_address(token: str) -> ResponseReturnValue:
    """Show the page behind the link; its button proves the address.

    Opening it proves nothing: mail scanners open links. Only the user who asked sees the button.
    """
    if request.method != "POST":
        worth, server = look_at_link(state_of(), token, scope_of_request())
        if worth is not Answer.OPEN or server is None:
            return _answer(worth)
        return page(
            "confirm_address.html", heading=_("Is this your address?"), address=server.address, good=True, text=""
        )
    worth, server = use_link(state_of(), token, scope_of_request(), actor())
    if worth is not Answer.PROVED or server is None:
        return _answer(worth)
    state_of().store.commit()
    tell("success", _("%(address)s is proved: your mail from it goes through “%(name)s”.",
                      address=server.address, name=server.name) if server.usable
         else _("%(address)s is proved.", address=server.address))  # fmt: skip
    return redirect(place_in_list(server.public_id), 303)


def ask_for_proof(profile: ServerProfile) -> None:
    """Let the person prove the sending address of a server of his; say on the next page what is to be done.

    An address that is known to be his is taken as it is.
    """
    if profile.proved:
        return
    store, scope = state_of().store, scope_of_request()
    ticket = new_ticket()
    try:
        if is_proved(profile.address):
            store.verify_address(profile.public_id, profile.address, scope=scope, actor=actor())
            store.commit()
            return
        store.ask_proof(profile.public_id, ticket, scope=scope, actor=actor())
        store.commit()
    except (ProofRefused, ServerChanged, StoreUnavailable) as error:
        tell("warning", str(error))
        return
    if _sent(profile.address, ticket):
        tell(
            "notice",
            _(
                "A link was sent to %(address)s. Open it and press the button there: it proves that the address is "
                "yours, and then this server is used.",
                address=profile.address,
            ),
        )
        return
    tell(
        "warning",
        _(
            "The link could not be sent to %(address)s, so this server is not used yet. Try again later, or ask "
            "whoever runs this app.",
            address=profile.address,
        )
        if can_send_proofs(state_of().settings)
        else _(
            "The link could not be sent to %(address)s, so this server is not used yet: this app was not told its own "
            "address. Ask whoever runs it to set that up.",
            address=profile.address,
        ),
    )
    try:
        store.withdraw_proof(ticket)
        store.commit()
    except StoreUnavailable as error:
        logger.warning("a link that was not sent could not be forgotten: %s", error)


def _sent(address: str, ticket: str) -> bool:
    """Send the link as the app's own mail, whoever is in front of the page; say whether it is on its way.

    No server of a tenant carries it: whoever runs that could read the link.
    """
    message = proof_message(state_of().settings, address, ticket)
    if message is None:
        logger.warning("the link that proves a user's address could not be sent: set SMTPSERVERS_EXTERNAL_URL")
        return False
    try:
        delivery = hook.deliver(message, Choice(owner=None, tenant=None))
    except (SendError, MessageRefused, ServerNotFound, StoreUnavailable) as error:
        logger.warning("the link that proves a user's address could not be sent: %s", error)
        return False
    if all(one.outcome is Outcome.ACCEPTED for one in delivery.recipients):
        return True
    logger.warning("the link that proves a user's address was not sent: sending is switched off or suppressed")
    return False


def _answer(worth: Answer) -> Response:
    status, heading, text = _ANSWERS[worth]
    return page(
        "confirm_address.html", status, heading=_(heading), address="", good=worth is Answer.PROVED, text=_(text)
    )
