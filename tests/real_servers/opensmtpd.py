"""A private OpenSMTPD on loopback: its own configuration, queue and mailbox, and nothing that leaves the machine.

Plaintext only: the build of Debian 12 cannot do TLS, and without TLS it offers no login.
"""

from __future__ import annotations

from .rooted import IDN_DOMAIN, Rooted
from .unpack import MAILBOX_USER

CONFIGURATION = """\
smtp max-message-size "1M"
smtp limit max-mails 1000
smtp limit max-rcpt 1000
table boxes {{ "@" = {user} }}
filter temporary phase rcpt-to match rcpt-to regex {{ "^temp" }} reject "450 4.2.0 greylisted"
listen on 127.0.0.1 port {plain} hostname mail.example.test filter temporary
action keep maildir "/mail/%{{rcpt}}" virtual <boxes>
match from any mail-from regex "^badsender" for any reject
match from any rcpt-to regex "^bad" for any reject
match from any for domain {{ "example.test", "{idn}" }} action keep
match from any for any reject
"""

#: Where its queue is, a compiled-in path; only ``offline`` belongs to root.
SPOOL = "var/spool/smtpd"


class OpenSMTPD(Rooted):
    """One port, ``plain``, without TLS and login. Recipients ``bad*`` get 550, ``temp*`` 450; that a sender is one of
    ``badsender*`` is told at RCPT TO. The other two ports are closed.
    """

    package = "opensmtpd"
    command = ("/usr/sbin/smtpd", "-d", "-v", "-f", "/etc/smtpd.conf")

    def configure(self) -> None:
        self.folder("var/lib/opensmtpd/empty", mode=0o711)
        self.folder(SPOOL, mode=0o711)
        self.folder(f"{SPOOL}/offline", mode=0o770, group="opensmtpq")
        for name in ("purge", "temporary", "incoming", "queue", "corrupt"):
            self.folder(f"{SPOOL}/{name}", "opensmtpq", 0o700)
        (self.home / "etc" / "smtpd.conf").write_text(
            CONFIGURATION.format(plain=self.plain, user=MAILBOX_USER, idn=IDN_DOMAIN.encode("idna").decode())
        )
        (self.home / "etc" / "mailname").write_text("mail.example.test\n")
