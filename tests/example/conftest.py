"""The example app with its mail server, each test with an empty inbox and a database of its own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient

from example_app import create_app
from example_app.extensions import db
from example_app.postoffice import PostOffice
from example_app.seed import LOGINS, seed
from flask_smtpservers.state import state_of

TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder as the first start leaves it: made once, because hashing passwords is slow on purpose."""
    folder = tmp_path_factory.mktemp("shop")
    app = create_app(folder)
    with app.app_context():
        flask_migrate.upgrade()
        seed()
        db.session.remove()
        db.engine.dispose()
    return folder


@pytest.fixture
def instance(prepared: Path, tmp_path: Path) -> Path:
    """An instance folder for one test."""
    return Path(shutil.copytree(prepared, tmp_path / "instance"))


@pytest.fixture
def office(instance: Path) -> Iterator[PostOffice]:
    """The running mail server, at free ports."""
    office = PostOffice(instance, submission_port=0, smtps_port=0)
    office.start()
    yield office
    office.stop()


@pytest.fixture
def shop(office: PostOffice, instance: Path) -> Iterator[Flask]:
    """The app as ``make demo`` makes it."""
    app = create_app(instance, office=office)
    yield app
    state_of(app).pool.close()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def visitor(shop: Flask) -> FlaskClient:
    """Somebody who is not signed in."""
    return shop.test_client()


@pytest.fixture
def admin(shop: Flask) -> FlaskClient:
    """Ada, who may set up SMTP servers."""
    return signed_in_as(shop, "ada")


@pytest.fixture
def staff(shop: Flask) -> FlaskClient:
    """Sam, who may not, but may have one of his own."""
    return signed_in_as(shop, "sam")


def signed_in_as(app: Flask, username: str) -> FlaskClient:
    client = app.test_client()
    login = next(login for login in LOGINS if login.username == username)
    answer = submit(client, "/sign-in", username=login.username, password=login.password)
    assert answer.status_code == 302
    return client


def submit(client: FlaskClient, path: str, **fields: str):
    """Open a page's form and send it, as a browser does."""
    token = TOKEN.search(client.get(path).text)
    assert token, f"{path} has no form"
    return client.post(path, data={"csrf_token": token[1], **fields})
