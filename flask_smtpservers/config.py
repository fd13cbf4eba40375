"""The operator's settings: every ``SMTPSERVERS_*`` key, read once from ``app.config`` into a frozen value."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .errors import ConfigurationError
from .secret import Secret

PREFIX = "SMTPSERVERS_"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided. A key ``SMTPSERVERS_NAME`` of ``app.config`` is the attribute ``name``.

    :param encryption_keys: base64 keys of 32 bytes, newest first (``flask smtp keys generate`` makes one).
    :param secret_keys: the app's ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``, from which keys are derived
        while ``encryption_keys`` is empty.
    :param allowed_networks: networks that the guard allows besides public addresses, in CIDR notation.
    :param allowed_hosts: host names that may be used although they have no dot or end in a local zone.
    :param ca_file: path of a PEM file of certificate authorities to trust besides the system's.
    :param allow_plaintext_auth: True lets a password travel without TLS. Only for networks that you trust.
    :param builtin_verify: False switches off certificate checks for the app's own ``MAIL_*`` server.
    :param base_template: the host's template that the pages extend; None for the package's own.
    :param ehlo_name: the name sent with EHLO; None takes this machine's name.
    :param app_name: the app's name in test messages and in the ``{app}`` of sender-name formats.
    :param outbound_ips: the addresses from which this app connects, for allow-lists at providers.
    :param external_url: the app's public base URL; forms may be sent from its origin too, behind a proxy that hides it.
    :param deadline_seconds: the longest that a synchronous send may take.
    :param test_deadline_seconds: the longest that "Test SMTP Settings" may take.
    :param pool_size: the most connections with one server at once, in this process.
    :param pool_idle_seconds: how long a connection may wait for the next message.
    :param pool_age_seconds: how long a connection may be used.
    :param pool_messages: the most messages over one connection.
    :param pool_idle_total: the most connections that wait, of all servers together.
    :param max_recipients: the most recipients that one message may have.
    :param max_message_bytes: the largest message that is sent, in bytes.
    :param pages: False registers no pages (then ``access`` is not needed).
    """

    encryption_keys: tuple[Secret, ...] = ()
    secret_keys: tuple[Secret, ...] = ()
    allowed_networks: tuple[Network, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    allow_plaintext_auth: bool = False
    builtin_verify: bool = True
    base_template: str | None = None
    ehlo_name: str | None = None
    app_name: str = ""
    outbound_ips: tuple[str, ...] = ()
    external_url: str | None = None
    deadline_seconds: float = 60.0
    test_deadline_seconds: float = 20.0
    pool_size: int = 8
    pool_idle_seconds: float = 45.0
    pool_age_seconds: float = 300.0
    pool_messages: int = 100
    pool_idle_total: int = 32
    max_recipients: int = 1000
    max_message_bytes: int = 25 * 1024 * 1024
    pages: bool = True

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, app_name: str = "") -> Settings:
        """Read the settings out of ``app.config``.

        :raises ConfigurationError: a key is unknown or its value has the wrong form; the text names the key.
        """
        values: dict[str, Any] = {"app_name": app_name}
        known = {field.name for field in fields(cls)} - {"secret_keys"}
        for key in config:
            if key.startswith(PREFIX) and key[len(PREFIX) :].lower() not in known:
                raise ConfigurationError(f"{key} is not a setting of Flask-SMTPServers; check its spelling")
        for name in known:
            key = PREFIX + name.upper()
            if key in config and config[key] is not None:
                values[name] = _READERS[name](key, config[key])
        values["secret_keys"] = tuple(
            Secret(item.decode("latin-1") if isinstance(item, bytes) else str(item))
            for item in (config.get("SECRET_KEY"), *(config.get("SECRET_KEY_FALLBACKS") or ()))
            if item
        )
        return cls(**values)


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


def _file(key: str, value: Any) -> str:
    path = Path(str(value))
    if not path.is_file():
        raise ConfigurationError(f"{key}: there is no file {str(path)!r}")
    return str(path)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "encryption_keys": _secrets,
    "allowed_networks": _networks,
    "allowed_hosts": _hosts,
    "ca_file": _file,
    "allow_plaintext_auth": _flag,
    "builtin_verify": _flag,
    "base_template": _text,
    "ehlo_name": _text,
    "app_name": _text,
    "outbound_ips": _items,
    "external_url": _text,
    "deadline_seconds": _positive(float),
    "test_deadline_seconds": _positive(float),
    "pool_size": _positive(int),
    "pool_idle_seconds": _positive(float),
    "pool_age_seconds": _positive(float),
    "pool_messages": _positive(int),
    "pool_idle_total": _positive(int),
    "max_recipients": _positive(int),
    "max_message_bytes": _positive(int),
    "pages": _flag,
}
