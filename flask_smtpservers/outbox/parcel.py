"""A message as it is kept until it is delivered: its final bytes, encrypted for this one entry."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..errors import SecretUnreadable
from ..i18n import gettext as _
from ..secret import Secret
from ..sending.content import Content
from ..sending.headers import Field
from ..sending.transmit import Shipment
from ..servers.keyring import Keyring
from .tables import PIECE


def seal(keyring: Keyring, public_id: str, shipment: Shipment) -> list[str]:
    """Encrypt what is to be handed over; envelope sender and recipients stand in columns of their own.

    :param public_id: the entry to which it belongs; it opens for no other.
    :returns: the pieces in which it is kept.
    """
    content = shipment.content
    about = {
        "message_id": content.message_id,
        "wide": [[field.name, field.raw.decode("latin-1")] for field in content.wide],
        "wide_sender": content.wide_sender,
        "mail_options": list(shipment.mail_options),
        "rcpt_options": list(shipment.rcpt_options),
    }
    text = f"{json.dumps(about)}\n{content.data.decode('latin-1')}"
    token = keyring.seal(Secret(text), _context(public_id))
    return [token[start : start + PIECE] for start in range(0, len(token), PIECE)]


def unseal(keyring: Keyring, public_id: str, pieces: Iterable[str], sender: str, recipients: Iterable[str]) -> Shipment:
    """Decrypt a message for these recipients.

    :raises SecretUnreadable: its key is missing, or it was damaged.
    """
    token = "".join(pieces)
    if not token:
        raise SecretUnreadable(_("The content of the message is not there any more."))
    head, _end, data = keyring.open(token, _context(public_id)).reveal().partition("\n")
    about = json.loads(head)
    content = Content(
        data.encode("latin-1"),
        about["message_id"],
        wide=tuple(Field(name, raw.encode("latin-1")) for name, raw in about["wide"]),
        wide_sender=about["wide_sender"],
    )
    return Shipment(
        content=content,
        sender=sender,
        recipients=tuple(recipients),
        mail_options=tuple(about["mail_options"]),
        rcpt_options=tuple(about["rcpt_options"]),
    )


def _context(public_id: str) -> tuple[str, str]:
    return ("outbox", public_id)
