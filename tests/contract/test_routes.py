"""Kinds of mail, tenants and users at the wire: what is explained is what happens."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from flask_mail import Message
from sqlalchemy import event

from flask_smtpservers import ConfigurationError, Delivery, MessageRefused, Route, Scope, ServerNotFound
from flask_smtpservers.servers.profile import ServerProfile

from ..apps import Host, hosting
from ..peers.mailbox import Mailbox

KINDS = {
    "receipts": "Receipts",
    "bulk": {"label": "Newsletters", "bulk": True},
    "letters": {"label": "Letters", "personal": True},
}
APP, ACME, ANN, BOB, ANN_AT_ACME = Scope(), Scope("acme"), Scope(owner="7"), Scope(owner="8"), Scope("acme", "7")

#: The servers by name: whose they are, and what is special about them.
SERVERS: dict[str, tuple[Scope, dict[str, Any]]] = {
    "Main": (APP, {"address": "info@shop.test"}),
    "Bills": (APP, {"address": "bills@shop.test"}),
    "News": (APP, {"address": "news@letters.test", "allowed_senders": "boss@partner.test, friends.test"}),
    "Strict": (APP, {"address": "desk@strict.test", "foreign_sender": "refuse"}),
    "Acme": (ACME, {"address": "info@acme.test"}),
    "Acme news": (ACME, {"name": "News", "address": "news@acme.test", "foreign_sender": "rewrite"}),
    "Ann": (ANN, {"address": "ann@home.test"}),
    "Ann second": (ANN, {"name": "Second", "address": "ann@work.test"}),
    "Bob": (BOB, {"address": "bob@home.test"}),
    "Ann at Acme": (ANN_AT_ACME, {"address": "ann@acme.test"}),
}


@dataclass
class World:
    """A host with many servers, each of which is a peer of its own; and who is in front of the page."""

    host: Host
    peers: dict[str, Mailbox] = field(default_factory=dict)
    profiles: dict[str, ServerProfile] = field(default_factory=dict)
    user: str | None = None
    tenant: str | None = None

    @property
    def builtin(self) -> Mailbox:
        return self.peers["Built-in"]

    def forget(self) -> None:
        for peer in self.peers.values():
            peer.forget()

    def reached(self) -> list[str]:
        """The servers that got mail since it was last forgotten."""
        return [name for name, peer in self.peers.items() for _letter in peer.letters]

    def request(self, user: str | None = None, tenant: str | None = None) -> AbstractContextManager[Any]:
        """A request of this person, within this tenant."""
        self.user, self.tenant = user, tenant
        return self.host.app.test_request_context()

    def send(self, sender: Any = None, **said: Any) -> Delivery:
        return self.host.smtp.send(a_message(sender), **said)


def a_message(sender: Any = None) -> Message:
    return Message("Hello", recipients=["guest@example.test"], body="Hi", sender=sender)


@pytest.fixture(scope="module")
def peers(ca: trustme.CA) -> Iterator[dict[str, Mailbox]]:
    running = {name: Mailbox(ca).start() for name in (*SERVERS, "Built-in")}
    yield running
    for peer in running.values():
        peer.stop()


def a_world(peers: dict[str, Mailbox], ca_file: Path, **config: Any) -> tuple[ExitStack, World]:
    stack = ExitStack()
    whose: dict[str, Callable[[], str | None]] = {"owner": lambda: made.user, "tenant": lambda: made.tenant}
    settings: dict[str, Any] = {
        "SMTPSERVERS_KINDS": KINDS,
        "SMTPSERVERS_PERSONAL": True,
        "SMTPSERVERS_PERSONAL_HOSTS": [f"localhost:{peers[name].plain}" for name in SERVERS],
        "MAIL_SERVER": "localhost",
        "MAIL_PORT": peers["Built-in"].plain,
        **config,
    }
    host = stack.enter_context(hosting(ca_file=ca_file, init=whose, **settings))
    made = World(host, peers)
    stack.enter_context(host.app.app_context())
    for name, (scope, fields) in SERVERS.items():
        place = {"host": "localhost", "port": peers[name].plain, "security": "none"}
        saved = host.smtp.add_server(scope=scope, **{"name": name, **place, **fields})
        if scope.owner:
            saved = host.state.store.verify_address(saved.public_id, saved.address, scope=scope)
        made.profiles[name] = saved
    host.db.session.commit()
    made.forget()
    return stack, made


@pytest.fixture
def world(peers: dict[str, Mailbox], ca_file: Path) -> Iterator[World]:
    stack, made = a_world(peers, ca_file)
    with stack:
        yield made


# -- what is explained is what happens


def shuffled(world: World, chance: random.Random) -> None:
    """Change something that routes depend on, as admins do."""
    name = chance.choice(list(SERVERS))
    scope, public_id = SERVERS[name][0], world.profiles[name].public_id
    store = world.host.state.store
    match chance.randrange(6):
        case 0:
            store.set_enabled(public_id, chance.random() < 0.6, scope=scope)
        case 1:
            store.suspend(public_id, scope=scope) if chance.random() < 0.3 else store.resume(public_id, scope=scope)
        case 2 if store.get(public_id, scope=scope).enabled:
            store.make_default(public_id, scope=scope)
        case 3:
            tenant = chance.choice([APP, ACME])
            usable = [one for one in SERVERS if SERVERS[one][0] in (APP, tenant)]
            chosen = chance.choice([*usable, None])
            server_id = world.profiles[chosen].public_id if chosen else None
            store.assign_kind(chance.choice(list(KINDS)), server_id, scope=tenant)
        case 4:
            fields = {"foreign_sender": chance.choice(["keep", "rewrite", "refuse"])}
            store.edit(public_id, fields, scope=scope)
        case _:
            from flask_smtpservers.policy import Mode

            store.switch_mode(Mode.BUILTIN, chance.choice([True, False, None]), scope=chance.choice([APP, ACME]))
    store.commit()


SENDERS = (
    None, "app@example.test", "info@shop.test", "BILLS@shop.test", "x@shop.test", "y@letters.test",
    ("Boss", "boss@partner.test"), "z@friends.test", "other@strict.test", "desk@strict.test", "info@acme.test",
    "q@acme.test", "ann@home.test", ("Ann", "ann@work.test"), "bob@home.test", "ann@acme.test", "who@nowhere.test",
)  # fmt: skip
NAMES = ("main", "NEWS", "Bills", "Acme", "second", "Bob", "built-in", "nobody", "Strict")


@pytest.mark.parametrize("fallback", [True, False])
def test_an_explanation_is_what_a_send_does(peers: dict[str, Mailbox], ca_file: Path, fallback: bool) -> None:
    """1,000 generated cases: the same server is reached, by the same rule, for the same reasons, or the same error."""
    chance = random.Random(20261120 + fallback)
    stack, world = a_world(peers, ca_file, SMTPSERVERS_PERSONAL_FALLBACK=fallback)
    outcomes: dict[str, int] = {}
    with stack:
        for number in range(500):
            if number % 5 == 0:
                shuffled(world, chance)
            said: dict[str, Any] = {}
            if chance.random() < 0.2:
                said["using"] = chance.choice(NAMES)
            if chance.random() < 0.4:
                said["kind"] = chance.choice(list(KINDS))
            if chance.random() < 0.3:
                said["owner"] = chance.choice(["7", 8, "9"])
            if chance.random() < 0.3:
                said["tenant"] = chance.choice(["acme", "other"])
            sender = chance.choice(SENDERS)
            here = nullcontext() if chance.random() < 0.4 else world.request(
                chance.choice(["7", "8", None]), chance.choice(["acme", "other", None])
            )  # fmt: skip
            world.forget()
            with here:
                explained = outcome(lambda: world.host.smtp.explain(a_message(sender), **said))  # noqa: B023
                sent = outcome(lambda: world.send(sender, **said).route)  # noqa: B023
            assert explained == sent, (number, said, sender)
            if isinstance(sent, Route):
                (reached,) = world.reached()
                expected = sent.server.public_id if sent.server else None
                assert (world.profiles[reached].public_id if reached in SERVERS else None) == expected
                outcomes[sent.rule] = outcomes.get(sent.rule, 0) + 1
            else:
                assert world.reached() == []
                outcomes["error"] = outcomes.get("error", 0) + 1
    assert set(outcomes) >= {"using", "personal", "kind", "address", "domain", "tenant_default", "default", "error"}


def outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except (ServerNotFound, MessageRefused) as error:
        return type(error), str(error)


# -- users


def test_whose_mail_goes_through_a_users_own_server(world: World) -> None:
    """Ann's letters go through hers, Bob's through his; everybody's other mail through the app's (product.md C2)."""
    with world.request("7"):
        assert world.send("ann@home.test").server_name == "Ann"
        assert world.send("someone@shop.test", kind="letters").server_name == "Ann"
        assert world.send("ann@work.test", kind="letters").server_name == "Second"
        assert world.send("bob@home.test").server_name == "Main"
        assert world.send("info@shop.test").server_name == "Main"
    with world.request("8"):
        assert world.send("ann@home.test").server_name == "Main"
        assert world.send("ann@home.test", kind="letters").server_name == "Bob"
    assert world.reached() == ["Main", "Main", "Main", "Ann", "Ann", "Ann second", "Bob"]


def test_what_never_goes_through_a_users_own_server(world: World) -> None:
    """Mail to many, and mail from the app's default sender such as a password reset (product.md C12)."""
    with world.request("7"), world.host.smtp.using(owner="7"):
        assert world.send("ann@home.test", kind="bulk").server_name == "Main"
        assert world.send().server_name == "Main"
        assert world.send("app@example.test", kind="letters").server_name == "Main"


def test_a_users_mail_from_another_address_is_rewritten(world: World) -> None:
    """Only the address that he has proved stands in From; the author gets the replies."""
    delivery = world.send(("Boss", "boss@corp.test"), owner="7")
    assert delivery.server_name == "Ann"
    (letter,) = world.peers["Ann"].letters
    assert (letter.sender, letter.message["From"], letter.message["Reply-To"]) == (
        "ann@home.test",
        "Boss <ann@home.test>",
        "Boss <boss@corp.test>",
    )


def test_a_background_job_names_the_user(world: World) -> None:
    """Without a request nobody is known; the job says whose mail it sends, in whatever thread."""
    names: list[str] = []

    def job(**said: Any) -> None:
        with world.host.app.app_context(), world.host.smtp.using(**said):
            names.append(world.send("ann@home.test").server_name)

    world.user = "7"  # the host's callback answers, but there is no request to ask it for
    for said in ({}, {"owner": 7}, {"owner": 7, "tenant": "acme"}, {"owner": 8}, {"owner": 7, "kind": "bulk"}):
        thread = threading.Thread(target=job, kwargs=said)
        thread.start()
        thread.join(20)
    assert names == ["Main", "Ann", "Ann at Acme", "Bob", "Main"]


def test_a_request_may_speak_for_somebody_else_or_for_nobody(world: World) -> None:
    with world.request("7"):
        with world.host.smtp.using(owner="8"):
            assert world.send("ann@home.test").server_name == "Bob"
            with world.host.smtp.using(owner=None):
                assert world.send("ann@home.test", kind="letters").server_name == "Main"
        assert world.send("ann@home.test").server_name == "Ann"


def test_a_user_whose_server_cannot_send(world: World, ca_file: Path, peers: dict[str, Mailbox]) -> None:
    """The shared server steps in, unless the operator wants none to."""
    store = world.host.state.store
    store.suspend(world.profiles["Ann"].public_id, "Spam", scope=ANN)
    store.set_enabled(world.profiles["Ann second"].public_id, False, scope=ANN)
    store.commit()
    delivery = world.send("ann@home.test", owner="7")
    assert delivery.server_name == "Main"
    assert delivery.route is not None
    assert "suspended" in delivery.route.tried[1].reason
    stack, strict = a_world(peers, ca_file, SMTPSERVERS_PERSONAL_FALLBACK=False)
    with stack:
        strict.host.state.store.suspend(strict.profiles["Bob"].public_id, scope=BOB)
        strict.host.state.store.commit()
        with pytest.raises(ServerNotFound, match=r"suspended by an administrator\. No other server"):
            strict.send("bob@home.test", owner="8")
        assert strict.reached() == []


def test_an_address_that_is_not_proved_any_more(world: World) -> None:
    world.host.smtp.edit_server(world.profiles["Bob"].public_id, scope=BOB, address="boss@corp.test")
    assert world.send("boss@corp.test", owner="8").server_name == "Main"
    with world.request("8"):
        assert world.send("boss@corp.test").server_name == "Main"


def test_a_users_server_that_the_operator_permits_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays stored, and is not used."""
    from dataclasses import replace

    state = world.host.state
    monkeypatch.setattr(state, "settings", replace(state.settings, personal_hosts=(("mail.corp.test", None),)))
    delivery = world.send("ann@home.test", owner="7")
    assert delivery.server_name == "Main"
    assert delivery.route is not None
    assert "may not be used any more" in delivery.route.tried[1].reason


def test_a_users_server_reaches_no_private_network(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks that the operator allows are for admins' servers; users' hosts he names one by one."""
    from dataclasses import replace

    from flask_smtpservers.errors import AddressBlocked

    state = world.host.state
    usual = replace(state.settings, personal_hosts=())
    monkeypatch.setattr(state, "settings", usual)
    monkeypatch.setattr("flask_smtpservers.servers.personal.USUAL_PORTS", {world.peers["Ann"].plain})
    with pytest.raises(AddressBlocked):
        world.send("ann@home.test", owner="7")
    assert world.reached() == []


# -- tenants


def test_a_tenant_is_that_of_the_request_or_named(world: World) -> None:
    """A tenant without servers inherits the app's; one outside a request is named."""
    with world.request(tenant="acme"):
        assert world.send().server_name == "Acme"
        assert world.send("bills@shop.test").server_name == "Bills"
        assert world.send(using="bills").server_name == "Bills"
        assert world.send(tenant="other").server_name == "Main"
        with world.host.smtp.using(tenant=None):
            assert world.send().server_name == "Main"
    with world.request(tenant="other"):
        assert world.send().server_name == "Main"
        with pytest.raises(ServerNotFound, match="No SMTP server is called “acme”"):
            world.send(using="acme")
        with pytest.raises(ServerNotFound, match="No SMTP server is called"):
            world.send(using=world.profiles["Acme"].public_id)
    world.tenant = "acme"
    assert world.send().server_name == "Main"
    assert world.send(tenant="acme").server_name == "Acme"


def test_a_tenants_name_in_the_sender(world: World) -> None:
    world.host.smtp.edit_server(world.profiles["Acme"].public_id, scope=ACME, sender_format="{tenant} via {app}")
    world.send(tenant="acme")
    assert world.peers["Acme"].letters[0].message["From"] == "acme via shop <info@acme.test>"


def test_the_built_in_server_is_the_vendors_to_give(world: World) -> None:
    """Without it, a tenant that has no server gets an error instead of the app's own."""
    from flask_smtpservers.policy import Mode

    store = world.host.state.store
    for name, (scope, _fields) in SERVERS.items():
        if scope == APP:
            store.remove(world.profiles[name].public_id)
    store.switch_mode(Mode.BUILTIN, False, scope=Scope("other"))
    store.commit()
    assert world.send().server_name == "Built-in"
    with pytest.raises(ServerNotFound, match="No server fits this message"):
        world.send(tenant="other")
    with pytest.raises(ServerNotFound, match="must not be used here"):
        world.send(tenant="other", using="Built-in")
    assert world.send(tenant="acme").server_name == "Acme"


# -- kinds, and how they are said


def test_kinds_go_through_the_servers_that_they_are_assigned_to(world: World) -> None:
    store = world.host.state.store
    store.assign_kind("receipts", world.profiles["Bills"].public_id)
    store.assign_kind("receipts", world.profiles["Acme news"].public_id, scope=ACME)
    store.commit()
    assert world.send(kind="receipts").server_name == "Bills"
    assert world.send("y@letters.test", kind="receipts").server_name == "Bills"
    assert world.send(kind="receipts", tenant="acme").server_id == world.profiles["Acme news"].public_id
    assert world.send(kind="receipts", tenant="other").server_name == "Bills"
    assert world.send(kind="bulk").server_name == "Main"
    store.remove(world.profiles["Bills"].public_id)
    store.commit()
    assert world.send(kind="receipts").server_name == "Main"


def test_the_ways_to_say_the_kind(world: World) -> None:
    """An argument, a block, a decorator, or the message itself."""
    smtp, mail = world.host.smtp, world.host.mail
    world.host.state.store.assign_kind("bulk", world.profiles["News"].public_id)
    world.host.state.store.commit()

    @smtp.using(kind="bulk")
    def newsletter() -> str:
        """Send the news."""
        return world.send().server_name

    @smtp.using(kind="bulk")
    async def later() -> str:
        return world.send().server_name

    marked = a_message()
    marked.smtp_kind = "bulk"  # type: ignore[attr-defined]
    mail.send(marked)
    with smtp.using(kind="bulk"):
        mail.send(a_message())
        with smtp.using(kind=None):
            mail.send(a_message())
    assert world.reached() == ["Main", "News", "News"]
    with pytest.raises(StopIteration) as ended:  # without a loop: a browser test of this process may have one running
        later().send(None)
    assert [newsletter(), ended.value.value, world.send(kind="bulk").server_name] == ["News"] * 3
    assert newsletter.__doc__ == "Send the news."
    assert world.send().server_name == "Main"


def test_blocks_add_up(world: World) -> None:
    """What the inner block does not say is as the outer one says; one block object may be used again and at once."""
    smtp = world.host.smtp
    block = smtp.using(tenant="acme")
    with smtp.using("news"), block, block:
        assert world.send().server_id == world.profiles["Acme news"].public_id
        with smtp.using(None):
            assert world.send().server_name == "Acme"
    assert world.send().server_name == "Main"


@pytest.mark.parametrize("said", [{"kind": "recipts"}, {"kind": ""}])
def test_a_kind_that_does_not_exist(world: World, said: dict[str, Any]) -> None:
    with pytest.raises(MessageRefused, match=r"There is no kind of mail .* receipts, bulk, letters"):
        world.send(**said)
    assert world.reached() == []


# -- sender policy, switches, statements


def test_foreign_senders_at_the_wire(world: World) -> None:
    with pytest.raises(MessageRefused, match="sends only as desk@"):
        world.send("who@nowhere.test", using="strict")
    with pytest.raises(MessageRefused, match="sends only as desk@"):
        world.host.smtp.explain(a_message("who@nowhere.test"), using="strict")
    world.send(("Who", "who@nowhere.test"), using="news", tenant="acme")
    (letter,) = world.peers["Acme news"].letters
    assert (letter.sender, letter.message["From"], letter.message["Reply-To"]) == (
        "news@acme.test",
        "Who <news@acme.test>",
        "Who <who@nowhere.test>",
    )


def test_while_sending_is_off_tests_still_go_out(world: World) -> None:
    """For the app or a tenant: mail is dropped, and "Test SMTP Settings" works as ever."""
    store = world.host.state.store
    store.switch_sending(False, scope=ACME)
    store.commit()
    assert world.send(tenant="acme").suppressed
    assert world.send().server_name == "Main"
    store.switch_sending(False)
    store.commit()
    world.forget()
    assert world.send().suppressed
    assert world.send(tenant="other").suppressed
    steps = list(world.host.smtp.check(world.profiles["Main"], recipient="guest@example.test"))
    assert [step.state for step in steps if step.diagnosis] == []
    assert world.reached() == ["Main"]


def test_one_select_for_each_message(world: World) -> None:
    """Whatever is said of it."""
    statements: list[str] = []
    world.host.state.store.assign_kind("receipts", world.profiles["Bills"].public_id)
    world.host.db.session.commit()
    world.send()
    event.listen(world.host.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2].split()[0]))
    with world.request("7", "acme"):
        for said in ({}, {"kind": "receipts"}, {"using": "news"}, {"owner": "7"}, {"kind": "letters", "tenant": None}):
            world.send("ann@acme.test", **said)
    assert statements == ["SELECT"] * 5


# -- setting it up


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"SMTPSERVERS_KINDS": "receipts"}, "must be a mapping"),
        ({"SMTPSERVERS_KINDS": {"Big One": "x"}}, "small letters"),
        ({"SMTPSERVERS_KINDS": {"bulk": {"label": "x", "size": 1}}}, "must be a label"),
        ({"SMTPSERVERS_KINDS": {"bulk": {"bulk": True, "personal": True}}}, "both bulk and personal"),
        ({"SMTPSERVERS_KINDS": {"bulk": {"bulk": "perhaps"}}}, "must be True or False"),
        ({"SMTPSERVERS_KINDS": {"bulk": ""}}, "must be a label"),
        ({"SMTPSERVERS_MODES": ["own", "pigeon"]}, "may name builtin, domain, own"),
        ({"SMTPSERVERS_MODES": {"own": "maybe"}}, "each of which may be on, ask, off"),
        ({"SMTPSERVERS_PERSONAL_HOSTS": ["mail.corp.test:smtp"]}, "with a port or without"),
        ({"SMTPSERVERS_PERSONAL_PROVIDERS": ["gmial"]}, "there is no provider gmial"),
        ({"SMTPSERVERS_PERSONAL_MAXIMUM": 0}, "a number above 0"),
        ({"SMTPSERVERS_PERSONAL": True}, "pass owner="),
    ],
)
def test_settings_that_are_wrong(config: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text), hosting(**config):
        pass
