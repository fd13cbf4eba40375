"""Inside a host's own frame; the self-check; dates; translation."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask_wtf import CSRFProtect

import flask_smtpservers
from flask_smtpservers.web import dates, presets
from flask_smtpservers.web.forms import ServerForm
from tests.apps import Host
from tests.peers.mailbox import Mailbox

from .browser import Browser, typed, words
from .conftest import MakeSite

TEMPLATES = Path(flask_smtpservers.__file__).parent / "templates" / "smtpservers"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def hosted(make_site: MakeSite, tmp_path: Path) -> Host:
    """A host with a base template of its own, which knows only the block ``content``."""
    site = make_site(SMTPSERVERS_BASE_TEMPLATE="our/base.html")
    folder = tmp_path / "templates" / "our"
    folder.mkdir(parents=True)
    (folder / "base.html").write_text("<html><body><nav>our menu</nav>{% block content %}{% endblock %}</body></html>")
    site.app.template_folder = str(tmp_path / "templates")
    return site


def test_the_pages_stand_in_the_hosts_frame(hosted: Host, mailbox: Mailbox) -> None:
    """The host's menu around our page, our style and script once, and the host's own policy left alone."""
    browser = Browser(hosted.app)
    for path in ("/", "/add", "/check"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "our menu" in answer.text
        assert answer.text.count("smtpservers.css") == 1
        assert answer.text.count("smtpservers.js") == 1
        assert "Content-Security-Policy" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
    assert "our menu" in browser.post("/test", typed(mailbox)).text


def test_style_and_script_go_into_the_head_if_the_host_has_a_block_for_it(hosted: Host, tmp_path: Path) -> None:
    base = "<head><title>{% block title %}{% endblock %}</title>{% block head %}<meta name=ours>{% endblock %}</head>"
    (tmp_path / "templates" / "our" / "base.html").write_text(
        f"{base}<body>{{% block content %}}{{% endblock %}}</body></html>"
    )
    head, body = Browser(hosted.app).get("/").text.split("<body>")
    assert "<title>SMTP Servers – shop</title>" in head
    assert "<meta name=ours>" in head
    assert "smtpservers.css" in head
    assert "smtpservers.css" not in body


def test_every_template_can_be_shadowed(make_site: MakeSite, tmp_path: Path) -> None:
    """A file of the same name in the host's templates wins."""
    site = make_site()
    folder = tmp_path / "templates" / "smtpservers"
    folder.mkdir(parents=True)
    (folder / "list.html").write_text("our own list of {{ rows|length }}")
    site.app.template_folder = str(tmp_path / "templates")
    page = Browser(site.app).get("/").text
    assert "our own list of 0" in page
    assert "Configure SMTP server" not in page
    (folder / "layout.html").write_text(
        "<b>our own frame</b>{% for piece in smtpservers_pieces %}{{ piece }}{% endfor %}"
    )
    site.app.jinja_env.cache.clear()  # type: ignore[union-attr]
    assert Browser(site.app).get("/").text == "<b>our own frame</b>our own list of 0"


def test_our_names_do_not_get_in_the_way_of_the_hosts_frame(hosted: Host, tmp_path: Path, mailbox: Mailbox) -> None:
    """The host's base template calls its own ``csrf_token()``, ``_()`` and variables: they stay the host's."""
    CSRFProtect(hosted.app)

    @hosted.app.context_processor
    def names() -> dict[str, object]:
        theirs = dict.fromkeys(("form", "profile", "labels", "heading", "urls", "rows", "may", "notices"), "theirs")
        return {"_": lambda text: f"[{text}]", "gettext": lambda text: f"<{text}>", **theirs}

    base = (
        "{{ csrf_token() }} {{ _('Home') }} "
        "{{ form }}{{ profile }}{{ labels }}{{ heading }}{{ urls }}{{ rows }}{{ may }}"
        "{% block content %}{% endblock %}"
    )
    (tmp_path / "templates" / "our" / "base.html").write_text(base)
    browser = Browser(hosted.app)
    answers = [browser.get("/"), browser.get("/add"), browser.post("/test", typed(mailbox)), browser.post("/add", {})]
    for answer in answers:
        assert f"[Home] {'theirs' * 7}" in answer.text
        assert "[SMTP" not in answer.text


def test_templates_never_switch_escaping_off_and_have_nothing_inline() -> None:
    """Their names end in ``.html``, so Jinja escapes; no ``safe``, no inline style, script or handler."""
    for path in TEMPLATES.iterdir():
        assert path.suffix == ".html"
        text = path.read_text()
        assert not re.search(r"\|\s*safe|Markup|autoescape", text), path.name
        assert not re.search(r'\sstyle="|<style|\son[a-z]+="|javascript:|<script(?![^>]*\bsrc=)', text), path.name


def test_every_word_on_the_pages_can_be_translated() -> None:
    """Text between tags stands in ``_()``."""

    class Words(HTMLParser):
        found: list[str]

        def handle_data(self, data: str) -> None:
            text = re.sub(r"[^\w]+", " ", data).strip()
            if re.search(r"[A-Za-z]{2}", text):
                self.found.append(text)

    for path in TEMPLATES.iterdir():
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(), flags=re.DOTALL)
        text = re.sub(r'^id="smtp-" name="".*$', "", text, flags=re.MULTILINE)  # a macro of attributes
        parser = Words()
        parser.found = []
        parser.feed(text)
        assert parser.found == [], path.name


def test_the_style_sheet_touches_nothing_of_the_hosts() -> None:
    """At the top level stand only rules for ``.smtpservers``, one layer of custom properties, and our animations."""
    css = (TEMPLATES.parent.parent / "static" / "smtpservers.css").read_text()
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    depth, top = 0, ""
    for sign in css:
        depth -= sign == "}"
        top += sign if depth == 0 else ""
        depth += sign == "{"
    assert re.sub(r"\s+", " ", top).strip() == (
        "@layer smtpservers {} .smtpservers {} @keyframes smtp-turn {} @keyframes smtp-appear {}"
    )
    for selector in re.findall(r"([^{};]+)\{", css[css.index("@layer") : css.index("\n.smtpservers {")])[1:]:
        assert ".smtpservers" in selector or selector.strip().startswith("@supports")
    assert "url(" not in css
    assert "@import" not in css


def test_the_self_check_page(site: Host, admin: Browser) -> None:
    """Each finding with its stable id, its state in words, and its cure; the worst first."""
    page = words(admin.get("/check"))
    assert "Should be looked at keys.derived" in page
    assert "What to do:" in page
    assert page.index("keys.derived") < page.index("Fine")
    assert 'id="check-keys.derived"' in admin.get("/check").text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86_399, "23 h ago"),
        (86_400, "yesterday"),
        (2 * 86_400, "on 18 November"),
        (400 * 86_400, "on 16 October 2025"),
        (-5, "just now"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: int, text: str) -> None:
    assert dates.ago(NOW - timedelta(seconds=seconds), now=NOW) == text


def test_times_without_a_zone_are_utc() -> None:
    """Databases without zones give them back like that."""
    assert dates.ago(datetime(2026, 11, 20, 11, 0), now=NOW) == "1 h ago"


def test_every_provider_can_be_chosen_and_filled_in(site: Host) -> None:
    """No preset is lost between the groups, and none breaks the form."""
    every = site.state.catalog.providers
    with site.app.test_request_context():
        offered = [choice.id for choice in presets.popular()]
        offered += [choice.id for group in presets.groups() for choice in group.choices]
    assert sorted(offered) == sorted(one.id for one in every)
    for one in every:
        form = ServerForm(data={"provider": one.id})
        with site.app.app_context():
            presets.fill(form, one, address="me@example.com")
            assert presets.ways(presets.chosen(form), form) is not None
        if one.servers:
            assert form.text("host") == one.servers[0].host or one.regions or one.servers[0].domains
