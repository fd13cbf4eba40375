"""One session with one server: find it, reach it, encrypt, sign in, hand over messages, leave."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from ..errors import (
    AuthenticationFailed,
    CertificateRefused,
    HeloRefused,
    HostNotFound,
    NotOffered,
    ProtocolError,
    SendError,
    TLSFailed,
)
from ..findings import Stage
from ..i18n import gettext as _
from .auth import authenticate, choose_mechanism
from .conversation import Conversation
from .deadline import Deadline
from .ehlo import ehlo_argument, features_of
from .endpoint import Endpoint, Security
from .envelope import Envelope, Receipt, mail_parameters, path_of, rcpt_parameters
from .failures import most_telling
from .guard import Guard
from .limits import Limits
from .network import Address, LocalName, Network
from .pinning import check_pinned
from .reply import Reply
from .stream import Stream
from .tls import TLSFacts, client_context, tls_facts
from .transaction import Transaction
from .transcript import Transcript

#: The least time to try one of several addresses, in seconds: a lost SYN is sent again after one.
_LEAST_TRY = 2.0


@dataclass(frozen=True, slots=True)
class Progress:
    """One stage of opening a session that is finished.

    :param seen: what was found, as a translated phrase; may be empty.
    :param reply: the server's reply, where the stage had one.
    :param expires_at: at the stage ``certificate``: until when the certificate is valid, UTC.
    """

    stage: Stage
    seen: str = ""
    reply: Reply | None = None
    expires_at: datetime | None = None


class Session:
    """A session with one server, from the look-up of its name to QUIT. Not thread-safe.

    Any failure on the wire, and any exception that interrupts it, closes the connection; a refusal does not.
    Errors are those under :class:`~flask_smtpservers.errors.SendError`, with the stage and the server's name.

    :param endpoint: where to go and how to get in.
    :param network: the way to the outside.
    :param guard: decides which addresses may be used, unless the endpoint is not guarded.
    :param deadline: the end of the whole attempt; may be replaced before the next message.
    :param transcript: takes note of what is said; one is made if none is given.
    :raises ConfigurationError: the endpoint's EHLO name is not one.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        network: Network,
        guard: Guard,
        deadline: Deadline,
        limits: Limits | None = None,
        transcript: Transcript | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.transcript = transcript or Transcript()
        self.greeting: Reply | None = None
        self.peer: Address | None = None
        self.tls: TLSFacts | None = None
        self.authenticated = False
        self.features: Mapping[str, str] = {}
        self._network = network
        self._guard = guard
        self._deadline = deadline
        self._limits = limits or Limits()
        self._ehlo_name = ehlo_argument(endpoint.ehlo_name)
        self._talk = Conversation(endpoint, self.transcript)
        self._transaction = Transaction(self._talk, {}, self._limits)
        self._opened = False

    def __repr__(self) -> str:
        return f"<Session {self.endpoint.host}:{self.endpoint.port} {'open' if self.usable else 'closed'}>"

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def usable(self) -> bool:
        """Whether the next message can be sent over this session."""
        return self._talk.connected and self._talk.in_step and not self._talk.stream.waiting

    @property
    def deadline(self) -> Deadline:
        """The end of the present attempt."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._deadline = deadline
        if self._talk.connected:
            self._talk.stream.deadline = deadline

    # -- opening
    def open(self) -> Session:
        """Open the session; see :meth:`opening`."""
        for _stage in self.opening():
            pass
        return self

    def opening(self) -> Iterator[Progress]:
        """Open the session step by step; yield each stage when it is finished.

        With security ``starttls`` the stage ``tls`` takes in the second EHLO: what was learnt before the handshake is
        forgotten (RFC 3207 §4.2). If the certificate is refused, ``tls`` was finished before. Whoever stops iterating
        closes the session.

        :raises SendError: a stage failed; its ``stage`` says which, and the session is closed.
        """
        if self._opened:
            raise RuntimeError("a session is opened once; make a new one")
        self._opened = True
        try:
            yield from self._stages()
        except SendError as error:
            error.server = self.endpoint.name
            self.close()
            raise
        except BaseException:
            self.close()
            raise

    def _stages(self) -> Iterator[Progress]:
        addresses = self._resolve()
        yield Progress(Stage.RESOLVE, ", ".join(address.ip for address in addresses))
        address = self._connect(addresses)
        yield Progress(Stage.CONNECT, _("%(ip)s, port %(port)s", ip=address.ip, port=address.port))
        if self.endpoint.security is Security.SSL:
            yield from self._encrypt()
        yield Progress(Stage.GREETING, *self._greet())
        reply = self._say_hello(Stage.EHLO)
        yield Progress(Stage.EHLO, ", ".join(self.features), reply)
        if self.endpoint.security is Security.STARTTLS:
            yield Progress(Stage.STARTTLS, *self._start_tls())
            yield from self._encrypt()
        if self.endpoint.username:
            yield Progress(Stage.AUTH, self._sign_in())

    def _resolve(self) -> list[Address]:
        host, port, guarded = self.endpoint.host, self.endpoint.port, self.endpoint.guarded
        with self._talk.at(Stage.RESOLVE):
            if guarded:
                self._guard.check_host(host, port)
            local = not guarded or self._guard.is_local_name(host)
            limit = self.deadline.within(self.endpoint.timeout_seconds)
            addresses = self._network.resolve(LocalName(host) if local else host, port, limit)
            if not addresses:
                raise HostNotFound(_("%(host)s has no address.", host=host), stage=Stage.RESOLVE)
            if guarded:
                # All of them, once, and no look-up after this one: what was vetted is what is connected to.
                self._guard.vet(host, addresses)
        return addresses

    def _connect(self, addresses: list[Address]) -> Address:
        """Try one address after the other; a part of the time is kept for each that is still to come."""
        limit = self.deadline.within(self.endpoint.timeout_seconds)
        errors: list[OSError] = []
        with self._talk.at(Stage.CONNECT):
            for position, address in enumerate(addresses):
                share = limit.limit(max(limit.remaining() / (len(addresses) - position), _LEAST_TRY))
                if share <= 0:
                    errors.append(TimeoutError("timed out"))
                    break
                try:
                    self._attach(self._network.dial(address, share))
                except OSError as error:
                    self.transcript.add("*", f"{address.ip} port {address.port}: {error.strerror or error}")
                    errors.append(error)
                    continue
                self.transcript.add("*", f"connected to {address.ip} port {address.port}")
                self.peer = address
                return address
            raise most_telling(errors)

    def _attach(self, connection: socket.socket) -> None:
        self._talk.attach(
            Stream(connection, deadline=self.deadline, seconds=self.endpoint.timeout_seconds, limits=self._limits)
        )

    def _greet(self) -> tuple[str, Reply]:
        """Wait for the greeting; nothing is said to a server before a well-formed 220."""
        with self._talk.at(Stage.GREETING):
            reply = self._talk.heard(self._talk.stream.read_reply())
        self.greeting = reply
        if reply.code != 220:
            self._talk.drop()
            text = _("%(host)s greeted with a refusal.", host=self.endpoint.host)
            error = self._talk.refusal(ProtocolError, text, Stage.GREETING, reply)
            error.disconnected = True
            raise error
        self._talk.in_step = True
        return reply.excerpt, reply

    def _say_hello(self, stage: Stage) -> Reply:
        """Say EHLO; HELO only to a server that does not know it, and only if nothing depends on its answer."""
        self._learn({})
        reply = self._talk.command(stage, f"EHLO {self._ehlo_name}")
        if reply.positive:
            self._learn(features_of(reply))
            return reply
        refusal = self._talk.refusal(
            HeloRefused, _("%(host)s refused our EHLO.", host=self.endpoint.host), stage, reply
        )
        needed = self.endpoint.security is Security.STARTTLS or self.endpoint.username
        if needed or not reply.permanent:
            raise refusal
        try:
            reply = self._talk.command(stage, f"HELO {self._ehlo_name}")
        except ProtocolError as error:
            # The server hung up after its refusal of EHLO, and that refusal is what matters.
            raise refusal from error
        if not reply.positive:
            raise refusal
        return reply

    def _learn(self, features: Mapping[str, str]) -> None:
        self.features = features
        self._transaction = Transaction(self._talk, features, self._limits)

    # -- encryption
    def _start_tls(self) -> tuple[str, Reply]:
        host = self.endpoint.host
        if "STARTTLS" not in self.features:
            text = _("%(host)s does not offer STARTTLS.", host=host)
            raise self._talk.refusal(NotOffered, text, Stage.STARTTLS)
        reply = self._talk.command(Stage.STARTTLS, "STARTTLS")
        if reply.code != 220:
            text = _("%(host)s offers STARTTLS but refused it.", host=host)
            raise self._talk.refusal(NotOffered, text, Stage.STARTTLS, reply)
        with self._talk.at(Stage.STARTTLS):
            # Bytes that came with the 220 were not encrypted; anybody may have put them there (CVE-2011-0411).
            self._talk.stream.peek()
            self._talk.stream.expect_silence()
        return reply.excerpt, reply

    def _encrypt(self) -> Iterator[Progress]:
        refused: CertificateRefused | None = None
        seen = ""
        try:
            facts = self._shake_hands()
            seen = f"{facts.version}, {facts.cipher}"
        except CertificateRefused as error:
            refused = error
        yield Progress(Stage.TLS, seen)
        if refused is not None:
            raise refused
        yield Progress(Stage.CERTIFICATE, self._certificate_seen(), expires_at=self.tls.not_after if self.tls else None)

    def _shake_hands(self) -> TLSFacts:
        endpoint = self.endpoint
        trusted = endpoint.certificate_fingerprint
        self._talk.in_step = False
        with self._talk.at(Stage.TLS):
            try:
                context = client_context(
                    endpoint.ca_file,
                    endpoint.ca_certificate,
                    endpoint.client_certificate,
                    endpoint.client_key,
                    # Only what authorities and name would say is left to the fingerprint, and that is compared below.
                    verify=endpoint.verify_certificate and not trusted,
                )
                secured = self._talk.stream.start_tls(context, endpoint.host)
                if trusted:
                    check_pinned(secured.getpeercert(binary_form=True), trusted, endpoint.host)
            except OSError:
                raise
            except ValueError as error:
                raise TLSFailed(str(error), stage=Stage.TLS) from error
            self.tls = tls_facts(secured, pinned=bool(trusted))
        self.transcript.add("*", f"{self.tls.version} {self.tls.cipher}")
        if endpoint.security is Security.STARTTLS:
            self._talk.in_step = True
            self._say_hello(Stage.TLS)
        return self.tls

    def _certificate_seen(self) -> str:
        if self.tls is None or not self.tls.verified:
            return _("not checked: the operator switched verification off")
        if self.tls.pinned:
            return _("trusted by its fingerprint, until %(date)s", date=self._certificate_end())
        return _(
            "valid for %(names)s, issued by %(issuer)s, until %(date)s",
            names=", ".join(self.tls.subject_names[:3]),
            issuer=self.tls.issuer,
            date=self._certificate_end(),
        )

    def _certificate_end(self) -> str:
        return f"{self.tls.not_after:%Y-%m-%d}" if self.tls and self.tls.not_after else "?"

    # -- signing in
    def _sign_in(self) -> str:
        endpoint = self.endpoint
        if self.tls is None and not endpoint.plaintext_auth:
            text = _("A password or a token is not sent without encryption; the operator has not allowed that.")
            raise self._talk.refusal(NotOffered, text, Stage.AUTH)
        if "AUTH" not in self.features:
            text = _("%(host)s does not offer to sign in on this connection.", host=endpoint.host)
            raise self._talk.refusal(NotOffered, text, Stage.AUTH)
        mechanism = choose_mechanism(
            self.features["AUTH"].split(),
            fixed=endpoint.mechanism,
            token=endpoint.token is not None and endpoint.password is None,
        )
        try:
            authenticate(
                lambda line, shown, scrub: self._talk.command(Stage.AUTH, line, shown=shown, scrub=scrub),
                mechanism,
                endpoint,
            )
        except AuthenticationFailed as error:
            if error.code is not None and 300 <= error.code < 400:
                self._talk.drop()  # the server waits for a response, and would take QUIT for one
            raise
        self.authenticated = True
        return _("Signed in to %(host)s as %(user)s", host=endpoint.host, user=endpoint.username)

    # -- messages
    def mail_from(self, sender: str, *, size: int | None = None, options: tuple[str, ...] = ()) -> Reply:
        """Name the envelope sender and begin a transaction; one that is still open is reset before.

        :param size: the content's size in bytes; declared, and checked against the server's limit, if it states one.
        :raises SenderRefused: the server refused it; :class:`MessageTooLarge` if it was for the size.
        :raises MessageRefused: the address or an option cannot be sent; nothing was.
        """
        return self._transaction.mail(sender, mail_parameters(options), size=size)

    def rcpt_to(self, address: str, options: tuple[str, ...] = ()) -> Reply:
        """Name one recipient and return the reply, whatever it is; any 2yz accepts.

        :raises MessageRefused: the address or an option cannot be sent; nothing was.
        """
        return self._transaction.rcpt(path_of(address), rcpt_parameters(options))

    def data(self, content: bytes) -> Reply:
        """Hand over the content and return the verdict, a 2yz.

        :param content: the message with CRLF line ends, dots as they are.
        :raises DataRefused: the server refused it.
        :raises InDoubt: all of it went out and no verdict came.
        :raises MessageRefused: the content holds bare CR or LF or a NUL; nothing was sent.
        """
        return self._transaction.data(content)

    def send(self, envelope: Envelope, content: bytes, before_dot: Callable[[], None] | None = None) -> Receipt:
        """Hand over one message: MAIL, a RCPT for every recipient, DATA.

        To a server that offers PIPELINING the commands travel together, unless the endpoint forbids it.

        Content that is not ASCII is declared with BODY=8BITMIME if the server offers that; if not (``features``
        tells), it is sent as it is, and the caller should have encoded it.

        :param content: the message with CRLF line ends, dots as they are.
        :param before_dot: called when all but the final dot was written: until then the server cannot take the message.
            If it raises, the dot is not sent and the connection is closed.
        :returns: who was accepted and who refused; at least one was accepted.
        :raises MessageRefused: the envelope or the content cannot be sent; nothing was.
        :raises SenderRefused: the server refused the sender; :class:`MessageTooLarge` if it was for the size.
        :raises RecipientsRefused: the server refused every recipient; the content was not sent.
        :raises DataRefused: the server refused the content.
        :raises InDoubt: all of it went out and no verdict came.
        :raises SendError: the connection failed before the final dot; the message was not sent.
        """
        return self._transaction.send(envelope, content, before_dot)

    def reset(self) -> None:
        """Abort the transaction that is open."""
        self._transaction.reset()

    def alive(self) -> bool:
        """Tell, without asking the server and without waiting, whether the session can carry another message."""
        return self.usable and self._talk.undisturbed()

    def abandon(self) -> None:
        """Let go of the connection without a word, as a child process must: its parent goes on using it."""
        self._talk.drop()

    def close(self) -> None:
        """End the session: QUIT is sent, its answer not waited for. Never raises; may be called again."""
        self._talk.quit()
