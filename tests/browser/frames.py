"""Hosts with a base template of their own: Bootstrap 4 and 5 as they are shipped, and a plain one with coarse rules."""

from __future__ import annotations

from pathlib import Path

import flask_bootstrap
from flask import Response, render_template
from jinja2 import FileSystemLoader

from ..apps import Host

TEMPLATES = Path(__file__).parent / "frames"
SHIPPED = Path(flask_bootstrap.__file__).parent / "static"
FRAMES = ("bootstrap4", "bootstrap5", "plain")


def furnish(host: Host, frame: str) -> None:
    """Give a host its style and two pages of its own; ``SMTPSERVERS_BASE_TEMPLATE`` must name the frame."""
    app = host.app
    app.jinja_loader = FileSystemLoader(TEMPLATES)
    app.add_url_rule("/", "home", lambda: render_template(f"{frame}.html"))
    app.add_url_rule("/settings", "settings", lambda: render_template("settings.html", frame=f"{frame}.html"))
    if frame != "plain":
        style = (SHIPPED / frame / "css" / "bootstrap.min.css").read_text(encoding="utf-8")
        app.add_url_rule("/bootstrap.css", "bootstrap", lambda: Response(style, mimetype="text/css"))
