"""The door as a table: who knocks how, and what they hear. Every refusal has its reason in the log and none outside."""

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.edge import passwords
from gateway.edge.door import CHALLENGE, Door, EntryRules, choose_version
from gateway.edge.passwords import TooManyWaiting
from gateway.session.directory import Entry, Held
from gateway.session.ports import StationRecord
from gateway.session.tally import Tally
from gateway.transport import Accept, AcceptThenClose, Headers, Refuse, TlsPeer, UpgradeRequest
from gateway.wire.versions import Version

PASSWORD = "correct horse battery"
STORED = passwords.hash_password(PASSWORD)
PROFILE_2 = StationRecord("CS1", minimum_profile=2, serial="SN1", password_hash=STORED)
PROFILE_3 = StationRecord("CS3", minimum_profile=3, serial="SN3", password_hash=STORED)
NO_PASSWORD = StationRecord("CS4", minimum_profile=1, serial="SN4")


class Registry:
    def __init__(self) -> None:
        self.looked_up: list[str] = []

    async def find(self, identity: str) -> StationRecord | None:
        self.looked_up.append(identity)
        return {"CS1": PROFILE_2, "CS3": PROFILE_3, "CS4": NO_PASSWORD}.get(identity)


class Directory:
    def __init__(self) -> None:
        self.entered: list[tuple[str, int]] = []
        self.refusal: Exception | None = None

    async def enter(self, record: StationRecord, profile: int) -> Entry:
        if self.refusal is not None:
            raise self.refusal
        self.entered.append((record.identity, profile))
        return Entry(SimpleNamespace(identity=record.identity), 1, profile)  # type: ignore[arg-type]  # a stand-in


def verify_chain(certificate: bytes, chain: Sequence[bytes], expected_name: str) -> None:
    if certificate != expected_name.encode():
        raise ValueError("the certificate's CN is another")


RULES = EntryRules("port", "/ocpp/{identity}", frozenset({2, 3}), verify_chain=verify_chain)
PLAIN = EntryRules("plain", "/ocpp/{identity}", frozenset({1}), networks=[ipaddress.ip_network("10.0.0.0/8")])
TLS = TlsPeer(version="TLSv1.3", cipher="x", certificate=None, chain=(), resumed=False, server_name=None)


def basic(user: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Street:
    """The door and everything around it."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.directory = Directory()
        self.tally = Tally()
        self.checker = passwords.PasswordChecker()
        self.work = 0
        self.door = Door(
            registry=self.registry,  # type: ignore[arg-type]  # only find is asked
            directory=self.directory,  # type: ignore[arg-type]  # only enter is asked
            passwords=self,  # type: ignore[arg-type]  # counts the work and hands on
            make_sink=lambda entry: entry.station.identity,  # type: ignore[arg-type,return-value]  # a stand-in
            tally=self.tally,
        )

    async def verify(self, password: bytes, stored: str | None) -> bool:
        self.work += 1
        return await self.checker.verify(password, stored)

    async def knock(
        self,
        target: str = "/ocpp/CS1",
        headers: dict[str, str] | None = None,
        *,
        rules: EntryRules = RULES,
        certificate: bytes | None = None,
        offered: str | None = "ocpp2.0.1",
        remote: str = "10.1.2.3",
    ) -> Any:
        sent = Headers(headers or {})
        if offered is not None:
            sent["Sec-WebSocket-Protocol"] = offered
        tls = None if 1 in rules.profiles else replace(TLS, certificate=certificate)
        return await self.door.admit(rules, UpgradeRequest(target, sent, (remote, 4711), tls))


@pytest.fixture
def street() -> Any:
    made = Street()
    yield made
    made.checker.close()


async def test_password_over_tls_is_profile_2(street: Street) -> None:
    verdict = await street.knock(headers=basic("CS1"))
    assert isinstance(verdict, Accept)
    assert verdict.subprotocol == "ocpp2.0.1"
    assert street.directory.entered == [("CS1", 2)]


async def test_certificate_is_profile_3(street: Street) -> None:
    assert isinstance(await street.knock("/ocpp/CS3", certificate=b"SN3"), Accept)
    assert street.directory.entered == [("CS3", 3)]


async def test_a_better_profile_than_registered_is_welcome(street: Street) -> None:
    await street.knock("/ocpp/CS1", certificate=b"SN1")
    assert street.directory.entered == [("CS1", 3)]


async def test_password_in_clear_is_profile_1_from_a_trusted_network_only(street: Street) -> None:
    rules = replace(PLAIN, profiles=frozenset({1}))
    near = await street.knock("/ocpp/CS1", basic("CS1"), rules=rules, remote="10.9.9.9")
    mapped = await street.knock("/ocpp/CS1", basic("CS1"), rules=rules, remote="::ffff:10.9.9.9")
    far = await street.knock("/ocpp/CS1", basic("CS1"), rules=rules, remote="192.0.2.1")
    assert [each.status for each in (near, mapped, far)] == [401, 401, 403]
    assert street.tally.refused_entries == {"downgrade": 2, "network": 1}


REFUSALS = [
    ("unknown_station", 401, {"target": "/ocpp/CS9", "headers": basic("CS9")}),
    ("unknown_station", 401, {"target": "/ocpp/CS9", "certificate": b"SN1"}),
    ("password", 401, {"headers": basic("CS1", "wrong horse battery")}),
    (
        "password",
        401,
        {"target": "/ocpp/CS4", "headers": basic("CS4"), "rules": replace(RULES, profiles=frozenset({2}))},
    ),
    ("no_credentials", 401, {}),
    ("credentials", 401, {"headers": {"Authorization": "Bearer x"}}),
    ("user_mismatch", 401, {"headers": basic("CS3")}),
    ("user_mismatch", 401, {"headers": basic("cs1")}),
    ("user_mismatch", 401, {"target": "/ocpp/CS3", "certificate": b"SN3", "headers": basic("CS1")}),
    ("certificate", 401, {"target": "/ocpp/CS3", "certificate": b"SN1"}),
    ("certificate", 401, {"certificate": b"SN1", "rules": replace(RULES, verify_chain=None)}),
    ("downgrade", 401, {"target": "/ocpp/CS3", "headers": basic("CS3")}),
    ("profile", 401, {"headers": basic("CS1"), "rules": replace(RULES, profiles=frozenset({3}))}),
    ("origin", 403, {"headers": basic("CS1") | {"Origin": "https://evil.example"}}),
    ("path", 404, {"target": "/ocpp/", "headers": basic("CS1")}),
    ("path", 404, {"target": "/other/CS1", "headers": basic("CS1")}),
    ("path", 404, {"target": "/ocpp/CS1/x", "headers": basic("CS1")}),
    ("path", 404, {"target": "/ocpp/CS%2531", "headers": basic("CS1")}),
]


@pytest.mark.parametrize(("reason", "status", "knock"), REFUSALS)
async def test_refused(street: Street, reason: str, status: int, knock: dict[str, Any]) -> None:
    with capture_logs() as logs:
        verdict = await street.knock(**knock)
    assert verdict == Refuse(status, CHALLENGE if status == 401 else {})
    assert street.tally.refused_entries == {reason: 1}
    assert street.directory.entered == []
    assert [(line["event"], line["reason"]) for line in logs] == [("not_admitted", reason)]
    assert PASSWORD not in str(logs)


async def test_unknown_station_wrong_password_and_wrong_user_cost_the_same_work(street: Street) -> None:
    for knock in (
        {"target": "/ocpp/CS9", "headers": basic("CS9")},
        {"headers": basic("CS1", "wrong horse battery")},
        {"headers": basic("CS3")},
    ):
        street.work = 0
        await street.knock(**knock)
        assert street.work == 1


async def test_a_door_that_is_too_busy_to_compare_says_so_to_everybody(street: Street) -> None:
    async def busy(password: bytes, stored: str | None) -> bool:
        raise TooManyWaiting("200 password comparisons wait already")

    street.verify = busy  # type: ignore[method-assign]  # for this test
    for target, user in (("/ocpp/CS9", "CS9"), ("/ocpp/CS1", "CS1"), ("/ocpp/CS1", "CS3")):
        assert await street.knock(target, basic(user)) == Refuse(503, {})
    assert street.tally.refused_entries == {"busy": 3}


async def test_404_for_an_unknown_station_where_configured(street: Street) -> None:
    rules = replace(RULES, unknown_status=404)
    assert (await street.knock("/ocpp/CS9", basic("CS9"), rules=rules)).status == 404
    assert (await street.knock(headers=basic("CS1", "wrong horse battery"), rules=rules)).status == 401


@pytest.mark.parametrize("offered", [None, "ocpp1.6", "ocpp0.1, OCPP2.0.1", "ocpp2.1"])
async def test_no_common_subprotocol_finishes_the_handshake_and_closes(street: Street, offered: str | None) -> None:
    with capture_logs() as logged:
        verdict = await street.knock(headers=basic("CS1"), offered=offered)
    assert isinstance(verdict, AcceptThenClose)
    assert verdict.code == 1002
    assert [(line["event"], line["reason"]) for line in logged] == [("not_admitted", "subprotocol")]
    assert street.directory.entered == []


async def test_who_is_not_authenticated_learns_nothing_of_subprotocols(street: Street) -> None:
    assert isinstance(await street.knock(offered="ocpp0.1"), Refuse)


async def test_a_held_identity_and_a_removed_one(street: Street) -> None:
    street.directory.refusal = Held("alive")
    assert (await street.knock(headers=basic("CS1"))).status == 409
    street.directory.refusal = KeyError("CS1")
    assert (await street.knock(headers=basic("CS1"))).status == 401


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["ocpp2.0.1"], Version.V201),
        (["ocpp0.1", "ocpp2.0.1"], Version.V201),
        (["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], Version.V201),
        (["ocpp1.6"], None),
        ([], None),
    ],
)
def test_the_clients_order_decides(offered: list[str], chosen: Version | None) -> None:
    assert choose_version(offered) is chosen
