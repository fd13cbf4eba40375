"""Run the demo: ``python -m example_app``."""

from __future__ import annotations

import argparse
import logging
import socket
from contextlib import suppress
from pathlib import Path

import flask_migrate
from werkzeug.serving import make_server

from . import INSTANCE, create_app
from .postoffice import SMTPS_PORT, SUBMISSION_PORT, PostOffice
from .seed import LOGINS, seed, seed_servers

HOST = "127.0.0.1"


def main() -> None:
    """Set everything up that is not there yet, say what to open, and serve until Ctrl+C."""
    arguments = _arguments()
    office = PostOffice(arguments.instance, submission_port=arguments.submission_port, smtps_port=arguments.smtps_port)
    office.start()
    app = create_app(arguments.instance, office=office)
    with app.app_context():
        flask_migrate.upgrade()
        seed()
        if arguments.filled:
            seed_servers()
    # flask run would start a second process with the reloader, and the mail server twice with it
    server = make_server(HOST, _free_port(arguments.port), app, threaded=True)
    for talkative in ("werkzeug", "mail.log"):  # each request; each login (aiosmtpd)
        logging.getLogger(talkative).setLevel(logging.ERROR)
    with suppress(KeyboardInterrupt):  # Ctrl+C is how the demo ends
        print(_welcome(server.port, office), flush=True)  # noqa: T201 - this is what the command is for
        server.serve_forever()
    server.server_close()
    office.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m example_app", description="Run the Corner Shop demo.")
    parser.add_argument("--port", type=int, default=5000, help="port of the web pages; the next free one if taken")
    parser.add_argument(
        "--submission-port", type=int, default=SUBMISSION_PORT, help="port of the mail server, STARTTLS"
    )
    parser.add_argument("--smtps-port", type=int, default=SMTPS_PORT, help="port of the mail server, SSL")
    parser.add_argument("--instance", type=Path, default=INSTANCE, help="folder of the database, keys and certificates")
    parser.add_argument("--filled", action="store_true", help="with servers of the shop, its branches and Sam")
    return parser.parse_args()


def _free_port(first: int) -> int:
    for port in (*range(first, first + 50), 0):
        try:
            with socket.create_server((HOST, port)) as probe:
                return int(probe.getsockname()[1])
        except OSError:
            continue
    raise SystemExit(f"no free port on {HOST}")


def _welcome(port: int, office: PostOffice) -> str:
    logins = "\n".join(f"    {login.username} / {login.password}   {login.who}" for login in LOGINS)
    return f"""
Corner Shop is open:  http://{HOST}:{port}/

  Sign in as
{logins}

  Then open "SMTP Servers" and add this server, which runs inside the demo:
    Server     {office.host}
    Port       {office.submission_port} (STARTTLS) or {office.smtps_port} (SSL)
    User name  {office.shop.username}
    Password   {office.shop.password}

  Ctrl+C ends the demo.
"""


if __name__ == "__main__":
    main()
