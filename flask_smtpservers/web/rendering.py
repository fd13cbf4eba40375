"""From a template to a response: the values that every page needs, messages for the next page, and streaming."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from flask import Response, current_app, session, stream_with_context
from markupsafe import Markup

from ..errors import StoreUnavailable
from ..i18n import gettext as _
from ..i18n import ngettext, page_language
from ..permissions import Action
from ..policy import Mode, ModeState
from ..state import state_of
from . import assets, csrf
from .access import allowed_quietly, scope_of_request
from .links import endpoint_of_request, link
from .menu import smtpservers_menu
from .own_addresses import can_receive
from .status import smtp_status

logger = logging.getLogger("flask_smtpservers")

#: Where the session keeps messages for the next page. The host's own flashed messages are left alone.
MESSAGES_KEY = "smtpservers_messages"

#: Stands in a streamed page where what came before must be seen now.
FLUSH = "<!--smtpservers-->"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to say on the next page.

    :param kind: ``success``, ``notice`` or ``warning``.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class May:
    """What the person in front of the page may do; buttons for the rest are not shown.

    :param add: whether servers may be added, which the operator can hide besides.
    :param set_up: whether servers may be found from addresses, and tested and saved as well.
    """

    view: bool
    edit: bool
    add: bool
    set_up: bool
    secrets: bool
    test: bool
    switch: bool
    checks: bool
    history: bool
    explain: bool


class _Once:
    """True when called for the first time: style and script are linked once, in whichever block the host has."""

    def __init__(self) -> None:
        self._done = False

    def __call__(self) -> bool:
        first, self._done = not self._done, True
        return first


def tell(kind: str, *texts: str) -> None:
    """Keep messages for the next page."""
    session[MESSAGES_KEY] = [*session.get(MESSAGES_KEY, []), *([kind, text] for text in texts)]


def page(template: str, /, status: int = 200, *, heading: str, **values: Any) -> Response:
    """Render a page inside the frame.

    :param heading: the page's headline, which is its title as well.
    """
    content = "".join(_generate(template, _page_context(heading, values)))
    html = "".join(_framed(heading, [content]))
    return Response(html, status, mimetype="text/html")


def streamed(template: str, /, *, heading: str, **values: Any) -> Response:
    """Render a page inside the frame piece by piece; each piece goes out as soon as it is known.

    Everything that touches the session or asks the host happens now, and the frame is rendered whole: once the first
    byte is out no cookie can be set, and what the host looks up for its menu would keep a database connection.
    """
    content = _generate(template, _page_context(heading, values))
    place = f"<!--smtpservers-{secrets.token_hex(16)}-->"
    before, _place, after = "".join(_framed(heading, [place])).partition(place)
    # A host that shows its block "content" twice gets it once: it can be rendered only once.
    return _streaming(chain([before], content, [after.replace(place, "")]))


def fragment(template: str, /, status: int = 200, **values: Any) -> Response:
    """Render a part of a page for the script, piece by piece; a header tells it that this is one."""
    response = _streaming(_generate(template, _page_context("", values)))
    response.status_code = status
    response.headers["X-Smtpservers-Fragment"] = "1"
    return response


def embedded(template: str, /, **values: Any) -> Markup:
    """Render a part for a page of the host, with the style and the script that it needs."""
    context = _page_context("", values)
    context["smtpservers_version"] = assets.version()
    context["smtpservers_language"], context["smtpservers_direction"] = page_language()
    return Markup("".join(_generate(template, context)))  # noqa: S704 - it comes out of a template that escapes


def _page_context(heading: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return what a page of ours is rendered with. A host's base template never sees it."""
    settings = state_of().settings
    edit, test = allowed_quietly(Action.EDIT_SERVERS), allowed_quietly(Action.TEST_SERVERS)
    add = edit and _own_servers_offered()
    context = {
        "_": _,
        "gettext": _,
        "ngettext": ngettext,
        "heading": heading,
        "app_name": settings.app_name or current_app.name,
        "link": link,
        "personal": bool(scope_of_request().owner),
        "can_receive": can_receive(),
        "own_base": settings.base_template is None,
        "csrf_field": csrf.field_name(),
        "csrf_token": csrf.token(),
        "may": May(
            view=allowed_quietly(Action.VIEW_SERVERS),
            edit=edit,
            add=add,
            set_up=add and test and state_of().finder_for(scope_of_request()).enabled,
            secrets=allowed_quietly(Action.CHANGE_SECRETS),
            test=test,
            switch=allowed_quietly(Action.SWITCH_SENDING),
            checks=allowed_quietly(Action.VIEW_CHECKS),
            history=allowed_quietly(Action.VIEW_HISTORY),
            explain=allowed_quietly(Action.EXPLAIN_ROUTES),
        ),
        **values,
    }
    current_app.update_template_context(context)
    return context


def _own_servers_offered() -> bool:
    """Whether servers of one's own can be had; a user's own are switched on by themselves."""
    scope = scope_of_request()
    try:
        return bool(scope.owner) or state_of().store.modes(scope=scope)[Mode.OWN] is ModeState.ON
    except StoreUnavailable:
        return False  # this may be the page that says so


def _framed(heading: str, content: Iterable[str]) -> Iterator[str]:
    """Render the frame around a page; it takes the kept messages out of the session at once."""
    settings = state_of().settings
    language, direction = page_language()
    context = {
        "smtpservers_base": settings.base_template or "smtpservers/base.html",
        "smtpservers_title": heading,
        "smtpservers_app_name": settings.app_name or current_app.name,
        "smtpservers_language": language,
        "smtpservers_direction": direction,
        "smtpservers_gettext": _,
        "smtpservers_assets": _Once(),
        "smtpservers_version": assets.version(),
        "smtpservers_status": smtp_status(),
        "smtpservers_off": _off(),
        "smtpservers_messages": [Message(kind, text) for kind, text in session.pop(MESSAGES_KEY, [])],
        "smtpservers_menu": smtpservers_menu,
        # Not a hole in the escaping: these pieces come out of a template that escapes.
        "smtpservers_pieces": (Markup(piece) for piece in content),  # noqa: S704
    }
    current_app.update_template_context(context)
    return _generate("layout.html", context)


def _off() -> str:
    """Say that sending is switched off, unless the page shows that switch itself."""
    status = smtp_status()
    at_switch = endpoint_of_request() == "list_servers" and status.off == scope_of_request()
    return "" if at_switch else status.notice


def _generate(template: str, context: dict[str, Any]) -> Iterator[str]:
    found = current_app.jinja_env.get_or_select_template(f"smtpservers/{template}")
    return found.generate(context)


def _streaming(chunks: Iterator[str]) -> Response:
    response = Response(stream_with_context(_pieces(chunks)), mimetype="text/html")
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _pieces(chunks: Iterator[str]) -> Iterator[str]:
    """Join Jinja's many small chunks up to each place where something must be seen."""
    waiting: list[str] = []
    for chunk in chunks:
        waiting.append(chunk)
        if FLUSH in chunk:
            yield "".join(waiting)
            waiting.clear()
    yield "".join(waiting)
