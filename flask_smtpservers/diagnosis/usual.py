"""How sending through a provider usually fails: told on the help pages, in the words of the results."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import AuthenticationFailed
from ..findings import Diagnosis, Stage
from ..providers.catalog import Catalog
from ..providers.provider import Provider, UsernameRule
from ..smtp.endpoint import Security
from .context import Context
from .rules import decide, explained
from .rules.verdict import Verdict
from .symptom import symptom_of

#: The port at which people look for encryption from the first byte.
_SSL_PORT = 465
#: These replace a sender that is not theirs instead of refusing it.
_REWRITING = frozenset({"gmail", "google-workspace"})
#: The port that networks block.
_BLOCKED_PORT = 25


def usual_failures(provider: Provider, catalog: Catalog) -> tuple[Diagnosis, ...]:
    """Return what goes wrong most often with a provider, the first thing first; nothing if it cannot be used at all."""
    if not provider.servers or provider.status in ("no-smtp", "retired") or not provider.generic_smtp:
        return ()
    context = _context(provider, catalog)
    found = (explained(verdict, known) for verdict, known in _verdicts(provider, context))
    return tuple({diagnosis.title: diagnosis for diagnosis in found}.values())


def _context(provider: Provider, catalog: Catalog) -> Context:
    first = provider.servers[0]
    return Context(
        host=first.host,
        port=first.port,
        security=first.security,
        username=provider.username_value if provider.username is UsernameRule.LITERAL else None,
        has_password=True,
        provider=provider,
        catalog=catalog,
    )


def _verdicts(provider: Provider, context: Context) -> Iterator[tuple[Verdict, Context]]:
    if provider.needs_login:
        yield _refused_login(context), context
    else:
        yield from _without_login(provider, context)
    if provider.password in ("app-password", "authorisation-code"):
        yield Verdict("bad_credentials", variant="app_password"), context
    if provider.password_login == "admin-enabled":  # noqa: S105 - whether a password is taken
        yield Verdict("smtp_auth_disabled_mailbox"), context
        yield Verdict("smtp_auth_disabled_tenant"), context
        yield Verdict("signin_policy_blocked"), context
    if provider.no_ssl and provider.needs_login:
        yield Verdict("port_not_offered"), _at_ssl_port(provider, context)
    if len(provider.regions) > 1:
        yield Verdict("wrong_endpoint", variant="region"), context
    if provider.sender and not provider.unsupported and provider.needs_login and provider.id not in _REWRITING:
        yield Verdict("sender_not_verified" if provider.kind == "relay" else "sender_not_owned"), context
    if "sandbox_messages_per_day" in provider.limits:
        yield Verdict("sandbox_restricted"), context


def _without_login(provider: Provider, context: Context) -> Iterator[tuple[Verdict, Context]]:
    if provider.kind == "local":
        yield Verdict("connection_refused"), context
        return
    yield Verdict("ip_not_allowlisted"), context
    if {server.port for server in provider.servers} == {_BLOCKED_PORT}:
        yield Verdict("port_blocked", "open_firewall", "all"), context


def _refused_login(context: Context) -> Verdict:
    """Decide what it means with this provider that the server refuses the login and says nothing else."""
    error = AuthenticationFailed("", stage=Stage.AUTH, code=535, enhanced="5.7.8")
    return decide(symptom_of(error, context, Stage.AUTH))


def _at_ssl_port(provider: Provider, context: Context) -> Context:
    return Context(host=context.host, port=_SSL_PORT, security=Security.SSL, provider=provider, catalog=context.catalog)
