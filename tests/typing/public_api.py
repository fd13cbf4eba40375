"""How hosts use the public names, for the type checkers: nothing here runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_type

from flask import Flask
from flask_mail import Mail, Message
from flask_sqlalchemy import SQLAlchemy

from flask_smtpservers import (
    Action,
    Delivery,
    Diagnosis,
    InvalidServer,
    Queued,
    Route,
    Scope,
    SendError,
    ServerProfile,
    SMTPServers,
    Step,
)


def may_manage_mail(action: Action, scope: Scope) -> bool:
    """A host's policy."""
    return action is Action.VIEW_SERVERS and scope.owner is None


def use(app: Flask, db: SQLAlchemy, mail: Mail, message: Message) -> None:
    """What the documentation shows, with the types that it promises."""
    smtp = SMTPServers(app, db=db, mail=mail, access=may_manage_mail, owner=lambda: 5)
    assert_type(smtp.send(message, using="Invoices"), Delivery)
    assert_type(smtp.explain(message), Route)
    assert_type(smtp.enqueue(message, kind="bulk", expires=3600, at_most_once=True), Queued)
    assert_type(smtp.servers(), list[ServerProfile])
    server = smtp.add_server(name="Invoices", host="smtp.example.com", port=465, security="ssl")
    assert_type(server, ServerProfile)
    steps = smtp.check(server, recipient="ann@example.com")
    assert_type(steps, Iterator[Step])
    assert_type(next(steps).diagnosis, Diagnosis | None)
    with smtp.using("Invoices"):
        mail.send(message)
    with smtp.using(kind="bulk", owner=7, tenant=None):
        assert_type(smtp.send(message, kind="bulk", owner=7, tenant="acme"), Delivery)

    @smtp.using(kind="bulk")
    def newsletter(number: int) -> str:
        return str(number)

    assert_type(newsletter(5), str)
    assert_type(smtp.servers(scope=Scope("acme")), list[ServerProfile])
    try:
        smtp.edit_server(server.public_id, port=587)
    except InvalidServer as error:
        assert_type(error.fields, dict[str, tuple[str, ...]])
    except SendError as error:
        assert_type(error.permanent, bool)
