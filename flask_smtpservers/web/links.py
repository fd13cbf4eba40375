"""Where a page leads: those who look after their own servers stay on their own pages."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from .access import scope_of_request

#: Pages that are there twice: for the administration, and, as ``my_…``, for a person's own servers.
SHARED = frozenset(
    {
        "add_server",
        "change_password",
        "check_set_up",
        "confirm_arrival",
        "default_server",
        "discard_change",
        "edit_server",
        "enable_server",
        "export_servers",
        "help_index",
        "help_page",
        "pause_server",
        "read_pasted",
        "remove_server",
        "restore_server",
        "server_history",
        "set_up",
        "show_history",
        "test_change",
        "test_result",
        "test_server",
        "test_unsaved",
        "use_change",
        "waiting_change",
    }
)
#: The one whose name is another.
_LIST = {"list_servers": "my_servers"}
#: Those that only users have.
_THEIRS = ("prove_address", "confirm_address")


def link(endpoint: str, **values: Any) -> str:
    """Make the address of a page, by the name of its endpoint: the person's own, if this request is about his servers.

    :param values: as ``url_for`` takes them.
    """
    if scope_of_request().owner:
        endpoint = f"my_{endpoint}" if endpoint in SHARED else _LIST.get(endpoint, endpoint)
    return url_for(f"smtpservers.{endpoint}", **values)


def place_in_list(server_id: str) -> str:
    """Make the address of a server in the list, which may have several pages."""
    return link("list_servers", at=server_id, _anchor=f"server-{server_id}")


def endpoint_of_request() -> str:
    """Name the page of this request as the administration calls it; empty if it is none of ours."""
    blueprint, _dot, name = (request.endpoint or "").rpartition(".")
    if blueprint != "smtpservers":
        return ""
    own = {mine: shared for shared, mine in _LIST.items()} | {f"my_{shared}": shared for shared in SHARED}
    return own.get(name, name)


def endpoint_is_own() -> bool:
    """Whether this request is for a page about the person's own servers."""
    blueprint, _dot, name = (request.endpoint or "").rpartition(".")
    return blueprint == "smtpservers" and (name.startswith("my_") or name in _THEIRS)
