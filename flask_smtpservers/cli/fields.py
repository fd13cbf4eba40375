"""The options of ``add`` and ``edit``: one for every field of a server, and the ways that a secret may come in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import InvalidServer
from ..i18n import gettext as _
from ..secret import Secret
from ..servers.destination import AUTOMATIC
from ..servers.profile import ForeignSender, SenderPolicy
from ..smtp.auth import PASSWORD_MECHANISMS
from ..smtp.endpoint import Security

Command = TypeVar("Command", bound=Callable[..., Any])

#: Fields whose value may be read from a file, as ``@path``.
_FROM_FILE = ("ca_certificate", "client_certificate", "client_key")
#: Fields that every option of the same name fills as it is.
_PLAIN = (
    "name",
    "host",
    "port",
    "security",
    "username",
    "auth_mechanism",
    "address",
    "sender_name",
    "sender_format",
    "sender_policy",
    "foreign_sender",
    "allowed_senders",
    "reply_to",
    "timeout_seconds",
    "max_connections",
    "pipelining",
    "certificate_fingerprint",
    "provider",
    "enabled",
    "draft",
    "is_default",
    "position",
)
#: Enough for a bundle of all authorities that browsers trust.
_LARGEST_FILE = 1024 * 1024

_OPTIONS = (
    click.option("--name", help="What you call the server."),
    click.option("--host", help="Host name, such as smtp.example.com."),
    click.option("--port", help="Port; without it the usual one of the encryption."),
    click.option("--security", help=f"Encryption: {', '.join(Security)}."),
    click.option("--username", help="User name; empty for a server without login."),
    click.option("--auth-mechanism", help=f"Sign-in method: {', '.join((AUTOMATIC, *PASSWORD_MECHANISMS))}."),
    click.option("--address", help="Sending address, also as '\"Doe, John\" <john@example.com>'."),
    click.option("--sender-name", help="Display name of the sending address."),
    click.option("--sender-format", help="How the display name is made, such as '{user} via {app}'."),
    click.option("--sender-policy", help=f"What happens to another sender: {', '.join(SenderPolicy)}."),
    click.option(
        "--foreign-sender",
        help=f"What happens to a sender that is neither its own nor allowed: {', '.join(ForeignSender)}.",
    ),
    click.option(
        "--allowed-senders", metavar="LIST", help="Addresses and domains it may also send for, with commas between."
    ),
    click.option("--reply-to", help="Address for replies."),
    click.option("--timeout-seconds", help="Limit for connecting and for each reply."),
    click.option("--max-connections", help="Most connections at once from each process; 0 for the app's usual number."),
    click.option(
        "--pipelining/--no-pipelining", "pipelining", default=None, help="Send several commands at once if offered."
    ),
    click.option("--ca-certificate", metavar="@FILE", help="PEM file of authorities to trust for it; '' removes it."),
    click.option(
        "--certificate-fingerprint", metavar="SHA256", help="The one certificate to trust for it; '' removes it."
    ),
    click.option("--client-certificate", metavar="@FILE", help="PEM file of the client certificate; '' removes it."),
    click.option("--client-key", metavar="@FILE", help="PEM file of the client certificate's key."),
    click.option("--no-client-key", is_flag=True, help="Remove the stored client key."),
    click.option("--provider", help="Id of the preset that it belongs to."),
    click.option("--enabled/--paused", "enabled", default=None, help="Use it, or keep it without using it."),
    click.option("--draft", is_flag=True, default=None, help="Keep it as a draft, which sends nothing until enabled."),
    click.option("--default/--not-default", "is_default", default=None, help="Whether it sends what no other is for."),
    click.option("--position", help="Place in the list, from 0."),
    click.option("--password", "ask", is_flag=True, help="Ask for the password without showing it."),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option(
        "--password-env", metavar="NAME", help="Read the password from this environment variable when it is needed."
    ),
    click.option("--no-password", is_flag=True, help="Remove the stored password."),
    click.option("--keep-password-blanks", is_flag=True, help="The password really begins or ends with a blank."),
)


def field_options(command: Command) -> Command:
    """Give ``command`` an option for every field; its arguments become the input of :func:`fields_of`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class CarefulCommand(click.Command):
    """A command that never repeats a stray word: it may be a password that was put behind ``--password``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, but answer superfluous words without showing them."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            ctx.fail(_("There are more words than this command takes. %(advice)s", advice=_secret_advice()))
        return rest


def _secret_advice() -> str:
    return _(
        "A password is never given as a word of the command, where the shell's history would keep it: "
        "use --password and type it when asked, --password-stdin, or --password-env NAME."
    )


def fields_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Make the fields of a server out of the options that were given; absent ones are left out.

    :raises InvalidServer: a file cannot be read, or a secret was given in an unfit way.
    :raises click.UsageError: options contradict each other.
    """
    if "@" in (options.get("host") or ""):  # user:password@host, as people paste it
        raise click.UsageError(_("--host takes the name of the server only. %(advice)s", advice=_secret_advice()))
    fields = {name: options[name] for name in _PLAIN if options.get(name) is not None}
    problems: dict[str, list[str]] = {}
    for name in _FROM_FILE:
        if (value := options.get(name)) is not None:
            try:
                fields[name] = _file_value(name, value)
            except ValueError as error:
                problems[name] = [str(error)]
    if problems:
        raise InvalidServer(problems)
    if options.get("no_client_key"):
        if "client_key" in fields:
            raise click.UsageError(_("Use either --client-key or --no-client-key."))
        fields["client_key"] = None
    fields.update(_password(options))
    return fields


def _file_value(name: str, value: str) -> str | Secret:
    if value.startswith("@"):
        text = _read(value[1:])
        return Secret(text) if name == "client_key" else text
    if name == "client_key":
        raise ValueError(_("Give the key as a file: --client-key @FILE."))
    if value and "-----BEGIN" not in value:
        raise ValueError(_("Give the certificate as a file, with an @ before its path: @%(path)s", path=value))
    return value


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(_("The file %(path)s cannot be read: %(reason)s", path=path, reason=error.strerror)) from None
    if len(content) > _LARGEST_FILE:
        raise ValueError(_("The file %(path)s is too large for a certificate.", path=path))
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise ValueError(_("The file %(path)s is not in PEM form.", path=path)) from None


def _password(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field ``password`` if one of the ways to give it was used."""
    ways = [name for name in ("ask", "password_stdin", "password_env", "no_password") if options.get(name)]
    if len(ways) > 1:
        raise click.UsageError(_("Use one of --password, --password-stdin, --password-env and --no-password."))
    fields: dict[str, Any] = {}
    if options.get("password_env") is not None:
        fields["password"] = f"env:{options['password_env']}"
    elif options.get("no_password"):
        fields["password"] = None
    elif options.get("password_stdin"):
        fields["password"] = _from_stdin()
    elif options.get("ask"):
        fields["password"] = Secret(click.prompt(_("Password"), hide_input=True, err=True))
    if fields and options.get("keep_password_blanks"):
        fields["keep_password_blanks"] = True
    return fields


def _from_stdin() -> Secret:
    """Read the password from standard input; the line break at its end does not belong to it."""
    text = sys.stdin.read().removesuffix("\n")
    if not text:
        raise InvalidServer({"password": [_("Nothing came in on standard input.")]})
    return Secret(text)
