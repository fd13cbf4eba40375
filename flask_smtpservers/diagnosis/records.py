"""Recorded failures: what a log, a bug report or another program says, read into a symptom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from ..findings import Stage
from ..providers.catalog import packaged
from ..providers.provider import Provider
from ..smtp.endpoint import Security
from .context import Context, Fact, PasswordShape
from .kind import KINDS, STAGES, Kind, kind_of_words
from .logs import PYTHON_NAMES, SYSTEM_WORDS, server_words, stage_told, told
from .rules import decide, explained
from .symptom import Symptom
from .wording import any_of, code_in, enhanced_in, unwrapped, without_links

#: A user name of each kind that a record may state, since the name itself is not recorded.
_USERNAMES = {
    "email": "user@example.com",
    "local_part": "user",
    "plain": "user",
    "blank": "",
    "apikey": "apikey",
    "account_name": "account",
    "account_token": "token",
    "iam_access_key": "AKIAIOSFODNN7EXAMPLE",
    "iam_user_name": "ses-smtp-user.20240101-000000",
    "api_key_id": "key-id",
    "default_placeholder": "username",
}

#: Names that records use for a provider, where the catalogue's search would not find it first.
_PROVIDERS = {
    "google": "gmail",
    "google_relay": "google-workspace-relay",
    "outlook.com": "outlook",
    "ses": "amazon-ses",
    "aws": "",
    "netease": "netease-163",
    "tencent_exmail": "qq-exmail",
    "aliyun": "aliyun-qiye",
    "gmx": "gmx-net",
    "proton_bridge": "proton-bridge",
    "mail.ru": "mail-ru",
    "azure": "",
    "gcp": "",
    "digitalocean": "",
    "railway": "",
    "cloud": "",
}

#: Records that name where the app runs, or what it runs against, in the provider's place.
_HOSTING_COMPANIES = frozenset({"cpanel", "shared_hosting", "digitalocean", "railway", "gcp", "azure", "cloud", "aws"})

_FACTS = (
    (Fact.CLOUD_HOST, ("cloud", "ec2", "droplet", "azure vm", "railway", "render", "vps", "shared host", "heroku")),
    (Fact.CONTAINER, ("container", "docker", "kubernetes")),
    (Fact.OTHER_NAMES_FAIL, ("resolves on the host", "other names", "resolves elsewhere")),
    (Fact.OTHER_PORTS_WORK, ("other ports",)),
    (Fact.FAILED_IDENTITY_IS_RECIPIENT, ("identity is the recipient", "identity is the to")),
    (Fact.OTHER_REGION, ("eu region", "eu data cent", "other region", "another region", "different region")),
    (Fact.PLAIN_MAIL_PASSES, ("plain test mail goes through", "other mail goes through")),
    (Fact.NO_MESSAGE_ID, ("no message-id", "no date header", "lacks a message-id")),
    (Fact.SENDER_LIST, ("allowed sender",)),
    (Fact.OWN_SERVER, ("own mail server",)),
    (Fact.MODE_FITS, ("mode are right", "mode is right", "mode fits")),
    (Fact.FAILED_LOGINS, ("failed login", "logins had failed", "fail2ban", "wrong passwords", "was banned")),
    (Fact.PERSONAL_ACCOUNT, ("personal gmail", "personal account", "private account", "consumer account")),
)


def explain_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Explain one recorded failure: ``id``, ``cause``, ``fix``, ``transient``, ``title``."""
    symptom = symptom_of_record(record)
    diagnosis = explained(decide(symptom), symptom.context)
    name = record.get("id")
    return {
        "id": name if isinstance(name, str | int) else None,
        "cause": diagnosis.cause,
        "fix": diagnosis.fix,
        "transient": diagnosis.transient,
        "title": diagnosis.title,
    }


def symptom_of_record(record: Mapping[str, Any]) -> Symptom:
    """Read a record; values of a wrong type or name count as missing."""
    return read_symptom(
        text=_text(record, "text"),
        context=_context(record),
        stage=_member(Stage, record.get("stage")),
        exception=_text(record, "exception"),
        code=_number(record.get("code")),
        enhanced=_text(record, "enhanced"),
    )


def _context(record: Mapping[str, Any]) -> Context:
    settings = record.get("settings")
    settings = settings if isinstance(settings, Mapping) else {}
    named, remark = _text(record, "provider").lower(), _text(record, "context").lower()
    log = told(_text(record, "text"))
    facts = {fact for fact, marks in _FACTS if any(mark in remark for mark in marks)}
    if named in _HOSTING_COMPANIES:
        facts.add(Fact.CLOUD_HOST)
    owner = _provider(named)
    return Context(
        host=_text(settings, "host") or log.host,
        port=_number(settings.get("port")) or log.port,
        security=_member(Security, settings.get("security")) or log.security,
        greeting=log.greeting,
        username=_username(settings.get("username_kind"), owner),
        provider=owner,
        password=_password(remark),
        facts=frozenset(facts),
    )


def _provider(named: str) -> Provider | None:
    known = _PROVIDERS.get(named)
    if known is not None:
        return packaged().provider(known)
    words = named.replace("_", " ")
    exact = packaged().provider(named.replace("_", "-"))
    return exact or next(
        (one for one in packaged().search(words) if words == one.name.lower() or words in map(str.lower, one.aliases)),
        None,
    )


def _username(kind: object, owner: Provider | None) -> str | None:
    if kind == "fixed_token":
        return owner.username_value if owner and owner.username_value else "token"
    return _USERNAMES.get(kind) if isinstance(kind, str) else None


def _password(remark: str) -> PasswordShape | None:
    if "password" not in remark:
        return None
    return PasswordShape(
        ascii="non-ascii" not in remark,
        shell_characters="shell" in remark or "env file" in remark,
        other_kind="api key" in remark or "access key" in remark,
        fits_provider=True if "already an app password" in remark else None,
    )


#: No reply is longer; what follows is a program's own output.
_LONGEST = 10_000

Member = TypeVar("Member", bound=StrEnum)


def _member(kind: type[Member], value: object) -> Member | None:
    return next((member for member in kind if isinstance(value, str) and member == value.strip().lower()), None)


def _number(value: object) -> int | None:
    """Read a number, also where it is written as a text."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,5}\s*", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return value[:_LONGEST] if isinstance(value, str) else ""


def read_symptom(
    *,
    text: str,
    context: Context,
    stage: Stage | None = None,
    exception: str = "",
    code: int | None = None,
    enhanced: str = "",
) -> Symptom:
    """Describe a failure of which only words are left: a log line, the name of an exception, a code."""
    said = server_words(text)
    words = unwrapped(said)
    name = exception.rpartition(".")[2]
    name = PYTHON_NAMES.get(name, name)
    code = code if code is not None else code_in(said)
    kind = _kind_of_record(name, words, stage, code)
    if stage is None:
        stage = STAGES.get(name) or stage_told(text)
        stage = stage or _stage_of_words(words, kind, code, connected=name in _CONNECTED)
    return Symptom(
        stage=stage,
        kind=kind,
        text=words,
        context=context,
        code=code if kind in (Kind.REPLY, Kind.NOT_OFFERED) else None,
        enhanced=enhanced or enhanced_in(words),
    )


#: Steps at which a server answers with a code, and errors that only come once a connection exists.
_REPLY_STAGES = (Stage.GREETING, Stage.EHLO, Stage.AUTH, Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA)
_CONNECTED = ("SMTPServerDisconnected", "SMTPException")


def _kind_of_record(name: str, words: str, stage: Stage | None, code: int | None) -> Kind:
    """Choose between what the class of the exception says and what the words say."""
    kind, by_words = KINDS.get(name, Kind.OTHER), kind_of_words(without_links(words))
    if kind is Kind.TLS:
        return by_words if by_words is Kind.CERTIFICATE else kind
    if kind is Kind.CLOSED:
        return by_words if by_words is not Kind.OTHER else kind
    if kind is not Kind.OTHER:
        return kind
    if code is not None and (stage in _REPLY_STAGES or not SYSTEM_WORDS.search(words)):
        return Kind.REPLY
    if by_words is Kind.OTHER and (stage in _REPLY_STAGES or (stage is None and _LOGIN_FAILED.search(words))):
        return Kind.REPLY
    return by_words if by_words is not Kind.OTHER or stage is None else _USUALLY.get(stage, Kind.OTHER)


#: How something usually fails at a step, if neither the class of the exception nor the words say.
_USUALLY = {
    Stage.RESOLVE: Kind.NAME,
    Stage.CONNECT: Kind.TIMED_OUT,
    Stage.TLS: Kind.TLS,
    Stage.CERTIFICATE: Kind.CERTIFICATE,
}


def _stage_of_words(words: str, kind: Kind, code: int | None, *, connected: bool) -> Stage | None:
    """Guess from the words at which step it happened."""
    by_words = next((stage for stage, marks in _STAGE_MARKS if marks.search(words)), None)
    if kind in (Kind.REPLY, Kind.NOT_OFFERED):
        return Stage.AUTH if code in (534, 535, 538) else by_words or (Stage.AUTH if code in (432, 504) else None)
    if kind in (Kind.NAME, Kind.REFUSED, Kind.UNREACHABLE):
        return Stage.RESOLVE if kind is Kind.NAME else Stage.CONNECT
    if kind in (Kind.TLS, Kind.CERTIFICATE):
        return Stage.TLS
    return Stage.GREETING if connected else by_words


#: What programs say of a refused login that keep the server's reply to themselves.
_LOGIN_FAILED = any_of(
    r"log ?in (denied|failed|fail\b|refused|incorrect)|(could|can) ?not (be )?(auth|log ?in)|登录失败|anmeldung fehlge",
    r"auth\w* (failed|failure|denied|unsuccessful|error|rejected)|invalid (login|credentials)|[ée]chec .{0,20}authent",
)
_STAGE_MARKS = (
    (
        Stage.AUTH,
        any_of(
            r"(?<!domain )\bauth(entication)?\b.{0,40}(fail|not supported|not advertised|unsuccessful|invalid)",
            _LOGIN_FAILED.pattern,
            r"credentials|login|unencrypted connection|authentication mechanism|code d.authentification",
        ),
    ),
    (Stage.STARTTLS, any_of(r"starttls (extension )?not supported|^starttls\b|the starttls extension")),
    (Stage.EHLO, any_of(r"\b(helo|ehlo)\b")),
    (Stage.DATA, any_of(r"end of data|data command")),
    (Stage.MAIL_FROM, any_of(r"mail from|sender")),
    (Stage.RCPT_TO, any_of(r"rcpt to|recipient|relay|grey")),
)
