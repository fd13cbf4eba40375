"""The help pages in Chromium: filtered while one types, readable at every width, clean for axe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from ..apps import Host

OpenPage = Callable[..., Page]
Live = tuple[Host, str]


def problems(page: Page) -> list[str]:
    """Return what axe and the window say of the page."""
    found = [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in Axe().run(page).response["violations"]]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        found.append("it scrolls sideways")
    return found


@pytest.mark.parametrize(("width", "dark"), [(320, False), (1280, True)])
def test_the_pages_are_for_everybody(live: Live, open_page: OpenPage, width: int, dark: bool) -> None:
    """The index, short and long pages, with everything unfolded."""
    _host, url = live
    page = open_page(f"{url}/smtp/help/", width=width, dark=dark)
    assert problems(page) == []
    for name in ("gmail", "microsoft365", "qq", "zoho", "amazon-ses", "outlook", "oracle-oci"):
        page.goto(f"{url}/smtp/help/{name}")
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        assert (name, problems(page)) == (name, [])


def test_the_index_is_filtered_while_one_types(live: Live, open_page: OpenPage) -> None:
    """Groups without a match disappear; how many are left is said."""
    _host, url = live
    page = open_page(f"{url}/smtp/help/")
    page.get_by_label("Find a provider").fill("腾讯")
    expect(page.get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_role("heading", level=2)).to_have_text(["Mail accounts"])
    expect(page.get_by_role("status")).to_have_text("2 of 149 providers")
    page.get_by_role("link", name="QQ Mail").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("QQ Mail")


def test_without_a_script_the_server_filters(live: Live, open_page: OpenPage) -> None:
    """The button sends what was typed."""
    _host, url = live
    page = open_page(f"{url}/smtp/help/", javascript=False)
    page.get_by_label("Find a provider").fill("smtp.gmail.com")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("listitem")).to_have_count(2)
    page.get_by_role("link", name="Gmail", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Gmail")
