"""Fixtures of the sending tests: an app context in which Flask-Mail's messages can be made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_mail import Mail


@pytest.fixture
def context() -> Iterator[None]:
    """An app with Flask-Mail and nothing else."""
    app = Flask("bare")
    app.config["MAIL_DEFAULT_SENDER"] = "app@example.test"
    Mail(app)
    with app.app_context():
        yield
