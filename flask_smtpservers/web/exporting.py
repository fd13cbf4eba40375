"""The settings as a file to download; it holds no secret. Reading one back is for the command line."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from ..permissions import Action
from ..servers.document import as_json, as_toml, exported
from ..state import state_of
from .access import protected, scope_of_request


@protected(Action.EDIT_SERVERS)
def export_servers() -> ResponseReturnValue:
    """Give the servers, switches and kinds of mail as TOML, or with ``?format=json`` as JSON."""
    values = exported(state_of().store, scope_of_request())
    if request.args.get("format") == "json":
        return _download(as_json(values), "json", "application/json")
    return _download(as_toml(values), "toml", "application/toml")


def _download(text: str, ending: str, mimetype: str) -> Response:
    name = f'attachment; filename="smtp-servers.{ending}"'
    return Response(text, content_type=f"{mimetype}; charset=utf-8", headers={"Content-Disposition": name})
