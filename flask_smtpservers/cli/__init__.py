"""``flask smtp``: everything that an operator does at a prompt or in a script."""

from __future__ import annotations

import click

from .adopting import adopt
from .checks import check
from .finding import find_servers
from .health import health
from .history import history
from .keys import keys
from .kinds import kind
from .outbox import outbox
from .output import EXIT_CODES
from .routes import explain, mode
from .servers import add_server, edit_server, list_servers, remove_server
from .transfer import export_servers, import_servers
from .trying import send, test_server
from .worker import worker

__all__ = ["smtp_commands"]

#: The group that the extension registers with the app.
smtp_commands = click.Group("smtp", help="SMTP servers of this app: set up, test, send, look after.", epilog=EXIT_CODES)

_COMMANDS = (
    list_servers,
    find_servers,
    add_server,
    edit_server,
    remove_server,
    test_server,
    send,
    explain,
    mode,
    kind,
    check,
    health,
    history,
    adopt,
    export_servers,
    import_servers,
    keys,
    outbox,
    worker,
)

for _command in _COMMANDS:
    smtp_commands.add_command(_command)
