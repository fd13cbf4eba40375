"""A real browser (Chromium, through Playwright) on a real HTTP server with a small host app behind it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from ..apps import Host, hosting

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it; without one the browser tests skip (in CI they fail)."""
    if CHROMIUM is None:
        reason = "no Chromium found: install the package chromium to run the browser tests"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield running
        running.close()


@pytest.fixture
def live(ca_file: Path, tmp_path: Path) -> Iterator[tuple[Host, str]]:
    """A host app that is served over HTTP on loopback, and its URL."""
    with (
        hosting(f"sqlite:///{tmp_path / 'live.db'}", ca_file=ca_file, SMTPSERVERS_APP_NAME="Corner Shop") as host,
        serving(host.app) as url,
    ):
        yield host, url


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve an app over HTTP on loopback; give its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page in a context of its own: ``open_page(url, javascript=False, width=390, dark=True)``.

    An error in the page's script, or a request to another host, fails the test.
    """
    contexts: list[Any] = []
    problems: list[str] = []

    def open_(url: str, *, javascript: bool = True, width: int = 1280, dark: bool = False) -> Page:
        context = browser.new_context(
            java_script_enabled=javascript,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("http://127.0.0.1", "data:")) else problems.append(request.url)
            ),
        )
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []
