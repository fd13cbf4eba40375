"""A private Exim 4 on loopback: its own configuration, spool and mailbox, and nothing that leaves the machine."""

from __future__ import annotations

from ..peers.mailbox import PASSWORD, USERNAME
from .rooted import IDN_DOMAIN, Rooted

#: Exim gives its answer to each command at once. A name in two braces is Exim's own, one in a single brace is ours.
CONFIGURATION = r"""
primary_hostname = mail.example.test
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
pid_file_path =
daemon_smtp_ports = {plain} : {submission} : {smtps}
tls_on_connect_ports = {smtps}
local_interfaces = <; 127.0.0.1
tls_advertise_hosts = *
tls_certificate = /etc/exim4/server.pem
auth_advertise_hosts = ${{if or{{{{eq{{$received_port}}{{{plain}}}}}{{eq{{$tls_in_cipher}}{{}}}}}}{{}}{{*}}}}
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
message_size_limit = 1M
smtputf8_advertise_hosts = *
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_queue_per_connection = 0
deliver_drop_privilege = true
never_users =
log_selector = +smtp_connection
begin acl
mail:
  deny senders = ^badsender.*@.*
       message = 5.7.1 sender refused
  accept condition = ${{if eq{{$received_port}}{{{plain}}}}}
  accept authenticated = *
  deny message = 5.7.0 authentication required
rcpt:
  deny local_parts = ^bad.*
       message = 5.1.1 no such user
  defer local_parts = ^temp.*
       message = 4.2.0 greylisted
  accept domains = example.test : {idn}
  deny message = 5.7.1 nothing is relayed
begin routers
here:
  driver = accept
  transport = mailbox
begin transports
mailbox:
  driver = appendfile
  directory = /mail
  maildir_format
  envelope_to_add
  return_path_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{{username}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{username}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
"""


class Exim(Rooted):
    """Three ports: ``plain`` (STARTTLS offered, no login), ``submission`` (STARTTLS, then login) and ``smtps`` (TLS at
    once, login). Recipients ``bad*`` get 550, ``temp*`` 451; senders ``badsender*`` 550, at MAIL FROM.
    """

    package = "exim4-daemon-light"
    command = ("/usr/sbin/exim4", "-bdf")

    def configure(self) -> None:
        # deliver_drop_privilege: whoever receives also writes the mailbox
        for path in ("var/spool/exim4", "var/log/exim4", "mail"):
            self.folder(path, "Debian-exim")
        certificate = self.ca.issue_cert("localhost", "127.0.0.1", "mail.example.test")
        pem = self.home / "etc" / "exim4" / "server.pem"
        pem.write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
        pem.chmod(0o644)
        (self.home / "etc" / "exim4" / "exim4.conf").write_text(
            CONFIGURATION.format(
                **{name: getattr(self, name) for name in ("plain", "submission", "smtps")},
                idn=IDN_DOMAIN.encode("idna").decode(),
                username=USERNAME,
                password=PASSWORD,
            )
        )

    def log(self) -> str:
        path = self.home / "var" / "log" / "exim4" / "mainlog"
        return super().log() + (path.read_text(errors="replace") if path.exists() else "")
