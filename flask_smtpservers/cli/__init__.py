"""``flask smtp``: everything that an operator does at a prompt or in a script."""

from __future__ import annotations

import click

from .checks import check
from .keys import keys
from .output import EXIT_CODES
from .servers import add_server, edit_server, list_servers, remove_server
from .trying import send, test_server

__all__ = ["smtp_commands"]

#: The group that the extension registers with the app.
smtp_commands = click.Group("smtp", help="SMTP servers of this app: set up, test, send, look after.", epilog=EXIT_CODES)

for _command in (list_servers, add_server, edit_server, remove_server, test_server, send, check, keys):
    smtp_commands.add_command(_command)
