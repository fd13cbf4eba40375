"""A host whose pages know three kinds of people: ``admin``, ``user`` (signed in, without rights), and nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import session

from tests.apps import Host, hosting, server_fields
from tests.peers.mailbox import Mailbox

from .browser import Browser, add_token_page

MakeSite = Callable[..., Host]


def may(action: object, scope: object) -> bool:
    return session.get("role") == "admin"


@pytest.fixture
def make_site(ca_file: Path, tmp_path: Path) -> Iterator[MakeSite]:
    """Make hosts with whatever a test wants different."""
    with ExitStack() as stack:

        def make(
            *,
            access: Callable[..., Any] = may,
            owner: Callable[[], Any] | None = None,
            tenant: Callable[[], Any] | None = None,
            **config: Any,
        ) -> Host:
            init = {"owner": owner or (lambda: session.get("user")), "tenant": tenant}
            url = config.pop("database_url", f"sqlite:///{tmp_path / 'web.db'}")
            made = stack.enter_context(hosting(url, ca_file=ca_file, access=access, init=init, **config))
            add_token_page(made.app)
            return made

        yield make


@pytest.fixture
def site(make_site: MakeSite) -> Host:
    """The usual host."""
    return make_site()


@pytest.fixture
def admin(site: Host) -> Browser:
    """Somebody who may do everything."""
    return Browser(site.app)


@pytest.fixture
def shop(site: Host, mailbox: Mailbox) -> str:
    """The public id of a stored, working server called "Shop"."""
    with site.app.app_context():
        return site.smtp.add_server(**server_fields(mailbox)).public_id
