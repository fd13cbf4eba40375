"""``flask smtp find``: which servers may an address send through?"""

from __future__ import annotations

from typing import NoReturn

import click

from ..i18n import gettext as _
from ..providers.answers import lines_of, record_of, refusal
from ..state import state_of
from .output import EXIT_CODES, FAILED, INVALID, complain, json_option, reporting, say, say_json


@click.command("find", epilog=EXIT_CODES)
@click.argument("address")
@click.option("--offline", is_flag=True, help="Ask nobody; use what is on this machine.")
@json_option
@reporting
def find_servers(address: str, *, offline: bool, as_json: bool) -> None:
    """Find the servers that a mail address may send through.

    Known providers are recognised at once. Otherwise the address's domain is asked for its DNS records and its page of
    settings, and usual names are tried. No user name and no password is sent.
    """
    finder = state_of().finder
    if not finder.enabled:
        _refuse(address, _("SMTPSERVERS_DISCOVERY switches this off in this app."), as_json=as_json)
    try:
        found = finder.find(address, offline=offline)
    except ValueError as error:
        _refuse(address, str(error), as_json=as_json)
    if as_json:
        say_json(record_of(found))
    else:
        for line in lines_of(found):
            say(line)
    if found.best is None:
        raise click.exceptions.Exit(FAILED)


def _refuse(address: str, reason: str, *, as_json: bool) -> NoReturn:
    if as_json:
        say_json(refusal(address, reason))
    else:
        complain(reason)
    raise click.exceptions.Exit(INVALID)
