"""A page says in which language it is, and in which direction that is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import DictLoader

from flask_smtpservers import i18n
from tests.ground.test_i18n import write_catalogue

from .browser import Browser
from .conftest import MakeSite


@pytest.mark.parametrize(
    ("catalogue", "language", "direction"),
    [
        (None, "en", "ltr"),
        ("de", "de", "ltr"),
        ("pt_BR", "pt-BR", "ltr"),
        ("he", "he", "rtl"),
        ("ar_EG", "ar-EG", "rtl"),
    ],
)
def test_the_language_of_our_own_frame(
    admin: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    catalogue: str | None,
    language: str,
    direction: str,
) -> None:
    if catalogue is not None:
        write_catalogue(tmp_path, {"": f"Language: {catalogue}\n"}, catalogue)
        monkeypatch.setattr(i18n, "DIRECTORY", tmp_path)
    with i18n.speaking(*([catalogue] if catalogue else [])):
        assert f'<html lang="{language}" dir="{direction}">' in admin.get("/").text


def test_within_a_host_that_speaks_another_language(make_site: MakeSite) -> None:
    """What we add to a Hebrew page is marked as what it is; the host's own part stays as it was."""
    site = make_site(SMTPSERVERS_BASE_TEMPLATE="host.html")
    frame = '<html lang="he" dir="rtl"><body>{% block content %}{% endblock %}</body></html>'
    site.app.jinja_loader = DictLoader({"host.html": frame})
    page = Browser(site.app).get("/").text
    assert '<html lang="he" dir="rtl">' in page
    assert 'id="smtpservers" lang="en" dir="ltr"' in page
