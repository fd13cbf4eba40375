"""The entries of the list of providers: the packaged ones are right, and wrong ones of an operator are told apart."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from flask_smtpservers.config import Settings
from flask_smtpservers.errors import ConfigurationError
from flask_smtpservers.providers import entries
from flask_smtpservers.providers.catalog import Catalog, packaged
from flask_smtpservers.providers.provider import PASSWORD_WORDS, Provider
from flask_smtpservers.providers.schema import KEYS, problem_of
from flask_smtpservers.smtp.endpoint import Security

ENTRIES = entries.packaged()["provider"]

every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["id"])
every_provider = pytest.mark.parametrize("one", packaged().providers, ids=lambda one: one.id)

#: The smallest entry that is right.
ACME: dict[str, Any] = {
    "id": "acme",
    "name": "Acme Mail",
    "kind": "mailbox",
    "servers": [{"host": "smtp.acme.example", "port": 465, "security": "ssl"}],
}


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in ACME.items() if key not in keys}


# -- the packaged list


@every_entry
def test_a_packaged_entry_has_the_right_form(entry: dict[str, Any]) -> None:
    """Keys, hosts, ports, encryption, words, links and dates: what an operator's entry must satisfy, ours do."""
    assert problem_of(entry) == ""


def test_ids_and_domains_are_unique() -> None:
    """No two entries share an id, and no mail domain belongs to two of them."""
    ids = Counter(entry["id"] for entry in ENTRIES)
    domains = Counter(domain for entry in ENTRIES for domain in entry.get("domains", ()))
    assert [name for name, count in (ids + domains).items() if count > 1] == []


@every_entry
def test_every_entry_says_where_it_comes_from_and_when(entry: dict[str, Any]) -> None:
    """Evidence, its source and a day in the past; "Other server" states no facts."""
    if entry["id"] == "custom":
        return
    assert entry["evidence"]
    assert entry["source"]
    assert date(2026, 1, 1) <= entry["checked"] <= date.today()


def test_what_rests_on_general_knowledge_is_marked() -> None:
    """Neither a vendor's page nor an open list names these: nothing may look checked."""
    assert {one.id for one in packaged().providers if one.unverified} == {
        "titan",
        "smtp-com",
        "sendlayer",
        "zeptomail",
        "socketlabs",
        "oracle-oci",
        "aiosmtpd",
        "local-postfix",
        "microsoft365-hve",
        "microsoft365-gov",
    }


@every_provider
def test_regions_are_consistent(one: Provider) -> None:
    """Each region has a host of its own kind with ports; only patterns have braces; a page that was read has a link."""
    for region in one.regions:
        assert region.servers
        assert len({server.host for server in region.servers}) == 1
    assert all(re.search(r"[{}]", server.host) is None or server.is_pattern for server in one.all_servers)
    assert one.docs_url or not one.docs_seen


@every_provider
def test_whoever_wants_a_special_secret_says_how_to_get_it(one: Provider) -> None:
    """Where the account's password does not do, a sentence or steps say what does."""
    assert one.password in PASSWORD_WORDS
    if one.password not in ("account", "none") and not one.unsupported:
        assert one.help or one.guide


@every_provider
def test_what_is_related_exists(one: Provider) -> None:
    """Links between presets lead somewhere."""
    ids = {other.id for other in packaged().providers}
    assert set(one.see_also) <= ids - {one.id}


def test_who_is_offered_first_exists() -> None:
    """The packaged order names presets."""
    assert set(entries.packaged()["first"]) <= {entry["id"] for entry in ENTRIES}


def get(name: str) -> Provider:
    found = Catalog().provider(name)
    assert found is not None
    return found


def words(name: str) -> str:
    one = get(name)
    return " ".join([one.help, one.note, one.password_note, one.password_login_note, one.username_hint, *one.steps])


def test_microsoft_365_in_2026() -> None:
    """Passwords are off by default from the end of December 2026, later for nobody; the old dates are called old."""
    text = words("microsoft365")
    assert "end of December 2026" in text
    assert "second half of 2027" in text
    assert get("microsoft365").password_login_since == "2026-12-31"
    assert "security defaults" not in text.lower()
    assert get("microsoft365").no_ssl


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("outlook", ["16 September 2024", "OAuth2"]),
        ("gmail", ["2-Step Verification", "16 letters", "no longer accepts"]),
        ("icloud", ["587", "STARTTLS", "app-specific"]),
        ("yahoo", ["External connections", "stays valid"]),
        ("qq", ["授权码", "text message", "ends"]),
        ("netease-163", ["授权码", "text message", "may expire"]),
        ("sendgrid", ["apikey"]),
        ("zoho", ["region", "smtppro"]),
        ("aliyun-qiye", ["smtp.qiye.aliyun.com", "smtp.mxhichina.com"]),
    ],
)
def test_what_people_must_know(name: str, texts: list[str]) -> None:
    """The facts of 2026 that older guides have wrong or leave out."""
    text = words(name)
    assert [one for one in texts if one not in text] == []


@pytest.mark.parametrize(
    ("mx", "expected"),
    [("contoso-com.q-v1.mx.microsoft", "microsoft365"), ("mx.zoho.eu", "zoho")],
)
def test_new_mx_names(mx: str, expected: str) -> None:
    """Exchange Online's new names and Zoho's regions are recognised."""
    found = Catalog().provider_of_mx(mx)
    assert found is not None
    assert found.id == expected


# -- the operator's list


def test_an_operator_adds_a_provider() -> None:
    """It is found by id, domain, host and text, and says whose word it is."""
    mine = Catalog({"provider": [{**ACME, "domains": ["acme.example"], "mx": ["mx.acme.example"]}]})
    one = mine.provider("acme")
    assert one is not None
    assert one is mine.provider_of_address("me@acme.example")
    assert one is mine.provider_of_host("smtp.acme.example")
    assert one is mine.provider_of_mx("a.mx.acme.example")
    assert mine.search("acme")[0] is one
    assert mine.suggest_host("acme.example") == "smtp.acme.example"
    assert (one.evidence, one.unverified, one.servers[0].security) == (("operator",), False, Security.SSL)
    assert len(mine.providers) == len(packaged().providers) + 1
    assert Catalog().provider("acme") is None


def test_an_operator_changes_a_provider() -> None:
    """Only the keys that are given change; the packaged list stays as it is."""
    mine = Catalog({"provider": [{"id": "gmail", "help": "Ask Jo for the password."}]})
    changed, ours = mine.provider("gmail"), get("gmail")
    assert changed is not None
    assert changed.help == "Ask Jo for the password."
    assert changed.servers == ours.servers
    assert changed.steps == ours.steps
    assert ours.help != changed.help
    assert len(mine.providers) == len(packaged().providers)


def test_the_operators_word_on_a_domain_counts() -> None:
    """A domain of a packaged entry goes to the operator's."""
    mine = Catalog({"provider": [{**ACME, "domains": ["gmail.com"]}]})
    found = mine.provider_of_address("me@gmail.com")
    assert found is not None
    assert found.id == "acme"


def test_an_operator_hides_providers() -> None:
    """They are not offered, but a server that uses one is still explained."""
    mine = Catalog({"hide": ["gmail", "mailhog"]})
    assert "gmail" not in {one.id for one in mine.offered}
    assert "gmail" not in {one.id for one in mine.first}
    assert "gmail" not in {one.id for one in mine.search("gmail")}
    known = mine.provider_of_host("smtp.gmail.com")
    assert known is not None
    assert known.id == "gmail"


def test_an_operator_says_who_comes_first() -> None:
    """In that order, in place of the packaged choice."""
    mine = Catalog({"first": ["acme", "qq"], "provider": [ACME]})
    assert [one.id for one in mine.first] == ["acme", "qq"]
    assert [one.id for one in mine.offered][:2] == ["acme", "qq"]
    assert len(mine.offered) == len(mine.providers)


def test_it_may_be_a_file(tmp_path: Path) -> None:
    """The path of a TOML file in the form of the packaged one."""
    path = tmp_path / "providers.toml"
    path.write_text(
        'hide = ["hey"]\n[[provider]]\nid = "acme"\nname = "Acme"\nkind = "relay"\nchecked = 2026-11-20\n'
        'servers = [{ host = "smtp.acme.example", port = 587, security = "starttls" }]\n'
    )
    mine = Catalog(Settings.from_config({"SMTPSERVERS_PROVIDERS": path}).providers)
    one = mine.provider("acme")
    assert one is not None
    assert one.checked == date(2026, 11, 20)


@pytest.mark.parametrize("content", [None, "hide = [", b"\xff\xfe"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str | bytes | None) -> None:
    """Missing, not TOML, not UTF-8: told with the setting and the file."""
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigurationError, match=r"SMTPSERVERS_PROVIDERS.*mine\.toml"):
        Settings.from_config({"SMTPSERVERS_PROVIDERS": str(path)})


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("acme", "entry number 1, it must be a table"),
        (without("id"), "entry number 1, id: is missing"),
        (without("name"), "entry 'acme', name: is missing"),
        (without("kind"), "entry 'acme', kind: is missing"),
        (without("servers"), "entry 'acme', servers: is missing"),
        ({**ACME, "id": "Acme Mail"}, "entry 'Acme Mail', id: must have small letters"),
        ({**ACME, "id": 5}, "entry 5, id: must have"),
        ({**ACME, "hosts": []}, "entry 'acme', hosts: is no key of an entry"),
        ({**ACME, "kind": "mail"}, "kind: must be one of mailbox"),
        ({**ACME, "status": "gone"}, "status: must be one of"),
        ({**ACME, "domains": "acme.example"}, "domains: must be a list"),
        ({**ACME, "domains": ["Acme.example"]}, "domains: must be a list of domains in lower case"),
        ({**ACME, "domains": ["-acme.example"]}, "domains: must be"),
        ({**ACME, "servers": [{"host": "smtp.acme.example", "port": 465}]}, r"servers\[1\]\.security: is missing"),
        ({**ACME, "servers": [{**ACME["servers"][0], "port": 0}]}, r"servers\[1\]\.port: must be a port"),
        ({**ACME, "servers": [{**ACME["servers"][0], "port": True}]}, r"servers\[1\]\.port: must be a port"),
        ({**ACME, "servers": [{**ACME["servers"][0], "port": "465"}]}, r"servers\[1\]\.port: must be a port"),
        ({**ACME, "servers": [{**ACME["servers"][0], "host": "smtp_1.acme.example"}]}, r"servers\[1\]\.host: must"),
        ({**ACME, "servers": [{**ACME["servers"][0], "security": "tls"}]}, r"servers\[1\]\.security: must be one of"),
        ({**ACME, "servers": ["smtp.acme.example"]}, "servers: must be a list of tables"),
        ({**ACME, "regions": [{"id": "eu", "host": "eu.acme.example"}]}, r"regions\[1\]\.name: is missing"),
        (
            {**ACME, "regions": [{"id": "eu", "name": "EU", "host": "eu.acme.example", "ports": [{"port": 1}]}]},
            r"regions, eu, ports\[1\]\.security: is missing",
        ),
        ({**ACME, "regions": [{"id": "eu", "name": "EU", "host": "eu.acme.example"}] * 2}, "two have the same id"),
        ({**ACME, "username": "mail"}, "username: must be one of"),
        ({**ACME, "username": "literal"}, "username_value: belongs to"),
        ({**ACME, "username_value": "apikey"}, "username_value: belongs to"),
        ({**ACME, "password": "secret"}, "password: must be one of"),
        ({**ACME, "password_pattern": "["}, "password_pattern: must be a regular expression"),
        ({**ACME, "help": ""}, "help: must be a text that is not empty"),
        ({**ACME, "steps": "Do this."}, "steps: must be a list of texts"),
        ({**ACME, "docs_url": "http://acme.example/"}, "docs_url: must be an address that begins with https"),
        ({**ACME, "docs_url": "https://"}, "docs_url: must be"),
        ({**ACME, "docs_url": "javascript:alert(1)"}, "docs_url: must be"),
        ({**ACME, "evidence": ["rumour"]}, "evidence: must be a list of"),
        ({**ACME, "checked": "20.11.2026"}, "checked: must be a date"),
        ({**ACME, "limits": {"messages_a_day": 5}}, "limits: takes whole numbers for messages_per_day"),
        ({**ACME, "limits": {"messages_per_day": "5"}}, "limits: takes whole numbers"),
        ({**ACME, "dns": {"spf": "x"}}, r"dns\.spf: is no key"),
        ({**ACME, "oauth2": {"token_url": "https://acme.example/"}}, r"oauth2\.mechanism: is missing"),
        ({**ACME, "no_ssl": True}, "no_ssl: a server of this entry has"),
        ({"id": "gmail", "servers": []}, "entry 'gmail', servers: is missing"),
    ],
)
def test_what_is_wrong_is_named(entry: Any, complaint: str) -> None:
    """The setting, the entry and the key stand in the error."""
    with pytest.raises(ConfigurationError, match=f"SMTPSERVERS_PROVIDERS: .*{complaint}"):
        Catalog({"provider": [entry]})


@pytest.mark.parametrize(
    ("own", "complaint"),
    [
        ({"providers": []}, "'providers' is none of provider, hide, first"),
        ({"provider": "acme"}, "'provider' must be a list"),
        ({"provider": ACME}, "'provider' must be a list"),
        ({"hide": "gmail"}, "'hide' must be a list"),
        ({"hide": ["gmial"]}, "'hide' names 'gmial'"),
        ({"first": [["gmail"]]}, "'first' names"),
        ({"first": None}, "'first' must be a list"),
        ({"provider": [ACME, ACME]}, "entry 'acme', id: another entry has it"),
        (
            {"provider": [{**ACME, "domains": ["a.example"]}, {**ACME, "id": "b", "domains": ["a.example"]}]},
            "entry 'b', domains: 'a.example' belongs to 'acme' as well",
        ),
    ],
)
def test_what_is_wrong_around_the_entries_is_named(own: dict[str, Any], complaint: str) -> None:
    """Unknown keys and ids, and what two entries claim."""
    with pytest.raises(ConfigurationError, match=f"SMTPSERVERS_PROVIDERS: .*{complaint}"):
        Catalog(own)


def test_every_key_can_be_given() -> None:
    """What the rules allow is what a provider has."""
    assert set(KEYS) == set(Provider.__dataclass_fields__)
