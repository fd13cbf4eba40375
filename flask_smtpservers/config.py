"""The operator's settings: every ``SMTPSERVERS_*`` key, read once from ``app.config`` into a frozen value."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .declared import Declared, read_declared
from .errors import ConfigurationError
from .policy import Kind, Mode, ModeState
from .secret import Secret

PREFIX = "SMTPSERVERS_"

#: What ``SMTPSERVERS_DISCOVERY`` may be.
DISCOVERY_MODES = ("off", "offline", "network")

#: The ways to send, unless the operator says otherwise.
USUAL_MODES: Mapping[Mode, ModeState] = MappingProxyType(
    {Mode.BUILTIN: ModeState.ON, Mode.DOMAIN: ModeState.ASK, Mode.OWN: ModeState.ON}
)

#: A shorter token for monitors can be guessed.
TOKEN_LENGTH = 16

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Those of :class:`Settings` that are Flask's own and have no key with the prefix.
FLASKS = frozenset({"secret_keys", "server_name", "trusted_hosts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided. A key ``SMTPSERVERS_NAME`` of ``app.config`` is the attribute ``name``.

    :param encryption_keys: base64 keys of 32 bytes, newest first (``flask smtp keys generate`` makes one).
    :param secret_keys: the app's ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``, from which keys are derived
        while ``encryption_keys`` is empty.
    :param server_name: the app's ``SERVER_NAME``; empty if it has none.
    :param trusted_hosts: whether the app has ``TRUSTED_HOSTS``, so that requests to other hosts are refused.
    :param allowed_networks: networks that the guard allows besides public addresses, in CIDR notation.
    :param allowed_hosts: host names that may be used although they have no dot or end in a local zone.
    :param ca_file: path of a PEM file of certificate authorities to trust besides the system's.
    :param allow_plaintext_auth: True lets a password travel without TLS. Only for networks that you trust.
    :param builtin_verify: False switches off certificate checks for the app's own ``MAIL_*`` server.
    :param builtin_replies_read: False says on the pages that nobody reads replies to the app's own ``MAIL_*`` server.
    :param contact: whom people ask to enable what they cannot have by themselves; None for "your administrator".
    :param base_template: the host's template that the pages extend; None for the package's own.
    :param ehlo_name: the name sent with EHLO; None takes this machine's name.
    :param app_name: the app's name in test messages and in the ``{app}`` of sender-name formats.
    :param outbound_ips: the addresses from which this app connects, for allow-lists at providers.
    :param discovery: what “Find settings” may ask: ``network`` for the domain of the address and its servers,
        ``offline`` for what is on this machine only, ``off`` for nothing; the page is not there then.
    :param ispdb: a database of mail settings to ask besides: a directory of autoconfig pages, or the ``https://``
        prefix of a service, which then learns the domains that are looked up.
    :param external_url: the app's public base URL: links in mails begin with it, and forms may be sent from its origin
        too, behind a proxy that hides it.
    :param health_token: what a monitor shows as ``Authorization: Bearer …`` to see how the servers are doing.
    :param deadline_seconds: the longest that a synchronous send may take.
    :param test_deadline_seconds: the longest that "Test SMTP Settings" may take.
    :param tests_at_once: the most tests that run at the same time, in all processes together.
    :param tests_per_hour: the most tests that one person may begin within an hour.
    :param tests_per_hour_tenant: likewise the people of one tenant together.
    :param tests_per_hour_app: likewise everybody.
    :param pool_size: the most connections with one server at once, in this process.
    :param pool_idle_seconds: how long a connection may wait for the next message.
    :param pool_age_seconds: how long a connection may be used.
    :param pool_messages: the most messages over one connection.
    :param pool_idle_total: the most connections that wait, of all servers together.
    :param max_recipients: the most recipients that one message may have.
    :param max_message_bytes: the largest message that is sent, in bytes.
    :param servers: servers that the operator set up here, which nobody changes in the browser.
    :param providers: what the operator added to the list of providers, changed, hid and put first.
    :param kinds: the kinds of mail that the app's programs name, by their ids.
    :param modes: the ways to send: whether each can be used, must be asked for, or is not shown.
    :param personal: True lets users have servers of their own.
    :param personal_providers: ids of the providers that users may use; with ``personal_hosts`` too empty, any.
    :param personal_hosts: further hosts that users may use, each with the port that the operator names, if any.
    :param personal_maximum: the most servers that one user may have.
    :param personal_discovery: what “Find settings” may ask when a user looks for the server of his address, like
        ``discovery``.
    :param personal_fallback: False refuses a user's mail that his own server cannot send, instead of sending it
        through a shared one.
    :param history_days: how long the history of changes is kept.
    :param pages: False registers no pages (then ``access`` is not needed).
    """

    encryption_keys: tuple[Secret, ...] = ()
    secret_keys: tuple[Secret, ...] = ()
    server_name: str = ""
    trusted_hosts: bool = False
    allowed_networks: tuple[Network, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    allow_plaintext_auth: bool = False
    builtin_verify: bool = True
    builtin_replies_read: bool = True
    contact: str | None = None
    base_template: str | None = None
    ehlo_name: str | None = None
    app_name: str = ""
    outbound_ips: tuple[str, ...] = ()
    discovery: str = "network"
    ispdb: str | None = None
    external_url: str | None = None
    health_token: Secret | None = None
    deadline_seconds: float = 60.0
    test_deadline_seconds: float = 20.0
    tests_at_once: int = 8
    tests_per_hour: int = 60
    tests_per_hour_tenant: int = 200
    tests_per_hour_app: int = 1000
    pool_size: int = 8
    pool_idle_seconds: float = 45.0
    pool_age_seconds: float = 300.0
    pool_messages: int = 100
    pool_idle_total: int = 32
    max_recipients: int = 1000
    max_message_bytes: int = 25 * 1024 * 1024
    providers: Mapping[str, Any] | None = None
    servers: tuple[Declared, ...] = ()
    kinds: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))
    modes: Mapping[Mode, ModeState] = field(default_factory=lambda: USUAL_MODES)
    personal: bool = False
    personal_providers: tuple[str, ...] = ()
    personal_hosts: tuple[tuple[str, int | None], ...] = ()
    personal_maximum: int = 3
    personal_discovery: str = "offline"
    personal_fallback: bool = True
    history_days: int = 730
    pages: bool = True

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, app_name: str = "") -> Settings:
        """Read the settings out of ``app.config``.

        :raises ConfigurationError: a key is unknown or its value has the wrong form; the text names the key.
        """
        values: dict[str, Any] = {"app_name": app_name}
        known = {item.name for item in fields(cls)} - FLASKS
        for key in config:
            if key.startswith(PREFIX) and key[len(PREFIX) :].lower() not in known:
                raise ConfigurationError(f"{key} is not a setting of Flask-SMTPServers; check its spelling")
        for name in known:
            key = PREFIX + name.upper()
            if key in config and config[key] is not None:
                values[name] = _READERS[name](key, config[key])
        values["server_name"] = config.get("SERVER_NAME") or ""
        values["trusted_hosts"] = bool(config.get("TRUSTED_HOSTS"))
        values["secret_keys"] = tuple(
            Secret(item.decode("latin-1") if isinstance(item, bytes) else str(item))
            for item in (config.get("SECRET_KEY"), *(config.get("SECRET_KEY_FALLBACKS") or ()))
            if item
        )
        return cls(**values)

    def for_users(self) -> Settings:
        """Return the settings as they are for users who look for the server of their address."""
        return replace(self, discovery=self.personal_discovery)


def _items(key: str, value: Any) -> tuple[str, ...]:
    parts: Iterable[Any] = value.split(",") if isinstance(value, str) else value
    try:
        items = tuple(str(part).strip() for part in parts)
    except TypeError:
        raise ConfigurationError(f"{key} must be a list or a comma-separated text") from None
    return tuple(item for item in items if item)


def _secrets(key: str, value: Any) -> tuple[Secret, ...]:
    return tuple(Secret(item) for item in _items(key, value))


def _networks(key: str, value: Any) -> tuple[Network, ...]:
    networks: list[Network] = []
    for item in _items(key, value):
        try:
            networks.append(ipaddress.ip_network(item))
        except ValueError as error:
            raise ConfigurationError(f"{key}: {error}; write networks such as 10.1.2.0/24") from None
    return tuple(networks)


def _hosts(key: str, value: Any) -> tuple[str, ...]:
    return tuple(item.lower() for item in _items(key, value))


def _flag(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise ConfigurationError(f"{key} must be True or False, not {value!r}")


def _positive(kind: type[int] | type[float]) -> Callable[[str, Any], int | float]:
    def read(key: str, value: Any) -> int | float:
        try:
            number = kind(value)
        except (TypeError, ValueError):
            number = kind(0)
        if not 0 < number < float("inf"):
            raise ConfigurationError(f"{key} must be a number above 0, not {value!r}")
        return number

    return read


def _text(_key: str, value: Any) -> str:
    return str(value).strip()


def _token(key: str, value: Any) -> Secret:
    text = str(value).strip()
    if len(text) < TOKEN_LENGTH:
        raise ConfigurationError(f"{key} must have at least {TOKEN_LENGTH} characters")
    return Secret(text)


def _file(key: str, value: Any) -> str:
    path = Path(str(value))
    if not path.is_file():
        raise ConfigurationError(f"{key}: there is no file {str(path)!r}")
    return str(path)


def _discovery(key: str, value: Any) -> str:
    text = str(value).strip().lower()
    if text not in DISCOVERY_MODES:
        raise ConfigurationError(f"{key} must be one of {', '.join(DISCOVERY_MODES)}, not {value!r}")
    return text


def _ispdb(key: str, value: Any) -> str:
    text = str(value).strip()
    if not text.lower().startswith("https://") and not Path(text).is_dir():
        raise ConfigurationError(f"{key} must be a directory or begin with https://, and {text!r} is neither")
    return text


def _tables(key: str, value: Any) -> Mapping[str, Any]:
    """Take a mapping as it is, and read anything else as the path of a TOML file."""
    if isinstance(value, Mapping):
        return value
    path = Path(_file(key, value))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{key}: {str(path)!r} cannot be read: {error}") from None


def _kinds(key: str, value: Any) -> Mapping[str, Kind]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f'{key} must be a mapping such as {{"receipts": "Receipts"}}, not {value!r}')
    return MappingProxyType({name: _kind(key, name, given) for name, given in value.items()})


def _kind(key: str, name: object, given: object) -> Kind:
    if not isinstance(name, str) or re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name) is None:
        raise ConfigurationError(f"{key}: {name!r} must be small letters, digits, - and _, at most 64 of them")
    options = dict(given) if isinstance(given, Mapping) else {"label": given}
    label = options.pop("label", name)
    flags = {flag: _flag(f"{key}[{name!r}][{flag!r}]", options.pop(flag, False)) for flag in ("bulk", "personal")}
    if options or not isinstance(label, str) or not label.strip():
        raise ConfigurationError(f"{key}[{name!r}] must be a label, or a mapping with label, bulk and personal")
    if all(flags.values()):
        raise ConfigurationError(f"{key}[{name!r}] cannot be both bulk and personal")
    return Kind(name, label.strip(), **flags)


def _modes(key: str, value: Any) -> Mapping[Mode, ModeState]:
    """Read a mapping of every way to its state, or a list of those that can be used."""
    given = dict(value) if isinstance(value, Mapping) else dict.fromkeys(_items(key, value), ModeState.ON)
    try:
        chosen = {Mode(str(mode)): ModeState(str(state)) for mode, state in given.items()}
    except ValueError:
        modes, states = ", ".join(Mode), ", ".join(ModeState)
        raise ConfigurationError(f"{key} may name {modes}, each of which may be {states}; not {value!r}") from None
    return MappingProxyType({mode: chosen.get(mode, ModeState.OFF) for mode in Mode})


def _hosts_and_ports(key: str, value: Any) -> tuple[tuple[str, int | None], ...]:
    found: list[tuple[str, int | None]] = []
    for item in _hosts(key, value):
        host, colon, port = item.partition(":")
        if not host or (colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
            raise ConfigurationError(
                f"{key}: {item!r} must be a host name, with a port or without one: smtp.example.org:587"
            )
        found.append((host, int(port) if colon else None))
    return tuple(found)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "encryption_keys": _secrets,
    "allowed_networks": _networks,
    "allowed_hosts": _hosts,
    "ca_file": _file,
    "allow_plaintext_auth": _flag,
    "builtin_verify": _flag,
    "builtin_replies_read": _flag,
    "contact": _text,
    "base_template": _text,
    "ehlo_name": _text,
    "app_name": _text,
    "outbound_ips": _items,
    "discovery": _discovery,
    "ispdb": _ispdb,
    "external_url": _text,
    "health_token": _token,
    "deadline_seconds": _positive(float),
    "test_deadline_seconds": _positive(float),
    "tests_at_once": _positive(int),
    "tests_per_hour": _positive(int),
    "tests_per_hour_tenant": _positive(int),
    "tests_per_hour_app": _positive(int),
    "pool_size": _positive(int),
    "pool_idle_seconds": _positive(float),
    "pool_age_seconds": _positive(float),
    "pool_messages": _positive(int),
    "pool_idle_total": _positive(int),
    "max_recipients": _positive(int),
    "max_message_bytes": _positive(int),
    "providers": _tables,
    "servers": read_declared,
    "kinds": _kinds,
    "modes": _modes,
    "personal": _flag,
    "personal_providers": _items,
    "personal_hosts": _hosts_and_ports,
    "personal_maximum": _positive(int),
    "personal_discovery": _discovery,
    "personal_fallback": _flag,
    "history_days": _positive(int),
    "pages": _flag,
}
