"""Inside other people's pages: ours can be read there, and change nothing of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from flask_smtpservers import Scope

from ..apps import Host, hosting, server_fields
from ..peers.mailbox import Mailbox
from .conftest import serving
from .frames import FRAMES, furnish

OpenPage = Callable[..., Page]

ANN = "ann@example.test"

#: Every computed style of what the host has around its content; how long a page is depends on its content.
STYLES = """() => {
  const long = new Set(["height", "block-size", "perspective-origin", "transform-origin"]);
  const place = new Set(["top", "bottom", "inset-block-start", "inset-block-end"]);
  const styles = (element, but) => {
    const computed = getComputedStyle(element);
    return [...computed].filter(name => !but.has(name)).map(name => `${name}: ${computed.getPropertyValue(name)}`);
  };
  const around = [...document.querySelectorAll("#around, #around *")];
  return [
    ...[document.documentElement, document.body].map(element => [element.tagName, ...styles(element, long)]),
    ...around.map(element => [element.tagName, ...styles(element, place)]),
  ];
}"""


@pytest.fixture(params=FRAMES)
def framed(
    request: pytest.FixtureRequest, ca_file: Path, tmp_path: Path, mailbox: Mailbox
) -> Iterator[tuple[Host, str]]:
    """A host with such a base template, two servers, and one of Ann's own."""
    url = f"sqlite:///{tmp_path / 'framed.db'}"
    config: dict[str, Any] = {
        "SMTPSERVERS_BASE_TEMPLATE": f"{request.param}.html",
        "SMTPSERVERS_PERSONAL": True,
        "TRUSTED_HOSTS": ["127.0.0.1", "localhost"],
        "SMTPSERVERS_PERSONAL_HOSTS": [f"localhost:{mailbox.submission}"],
    }
    with hosting(url, ca_file=ca_file, init={"owner": lambda: ANN}, **config) as host:
        furnish(host, request.param)
        with host.app.app_context():
            host.smtp.add_server(**server_fields(mailbox))
            host.smtp.add_server(**server_fields(mailbox, name="Paused", address="p@example.test", enabled=False))
            host.smtp.add_server(scope=Scope(owner=ANN), **server_fields(mailbox, name="Mine", address=ANN))
        with serving(host.app) as served:
            yield host, served


def test_at_home_and_no_burden(framed: tuple[Host, str], open_page: OpenPage) -> None:
    """With our style on the page, all that the host has around it looks as before; ours can be read there."""
    _host, url = framed
    page = open_page(f"{url}/", dark=True)
    before = page.evaluate(STYLES)
    assert len(before) > 30
    problems: list[str] = []
    for path in ("/smtp/", "/smtp/add", "/smtp/me", "/settings"):
        page.goto(f"{url}{path}")
        assert page.locator(".smtpservers .smtp-card").first.is_visible()
        for old, new in zip(before, page.evaluate(STYLES), strict=True):
            problems += [f"{path}: {old[0]}: {a} became {b}" for a, b in zip(old, new, strict=True) if a != b]
        found = Axe().run(page, ".smtpservers.smtp-app").response["violations"]
        problems += [f"{path}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]
        squeezed = page.evaluate("[...document.querySelectorAll('.smtp-about')].some(one => one.offsetWidth < 240)")
        problems += [f"{path}: no room for the names of servers"] if squeezed else []
        page.set_viewport_size({"width": 320, "height": 900})
        wide = page.evaluate(
            "[...document.querySelectorAll('.smtpservers *')].filter(one => one.checkVisibility()"
            " && !one.closest('.smtp-scroll, .smtp-sr') && one.getBoundingClientRect().right > innerWidth + 1)"
            ".map(one => one.outerHTML.slice(0, 80))"
        )
        problems += [f"{path} is too wide at 320 px: {each}" for each in wide]
        page.set_viewport_size({"width": 1280, "height": 900})
    assert problems == []
