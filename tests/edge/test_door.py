"""The door as a dialogue: who knocks how, and what they hear. Every refusal is written down and none is explained."""

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.edge.door import EntryRules
from gateway.edge.failures import ADMISSIONS_PER_MINUTE
from gateway.edge.refusals import CHALLENGE, Reason
from gateway.session.directory import Held
from gateway.session.ports import Provisional, StationRecord, StoreAway
from gateway.session.security import Kind
from gateway.transport import Accept, AcceptThenClose, Refuse
from gateway.wire.versions import Version
from tests.edge.street import PASSWORD, PROFILE_2, PROFILE_3, RULES, STORED, Street, basic, certificates, cheap_hash

PLAIN = EntryRules("plain", "/ocpp/{identity}", frozenset({1}), networks=[ipaddress.ip_network("10.0.0.0/8")])


async def test_password_over_tls_is_profile_2(street: Street) -> None:
    verdict = await street.knock(headers=basic("CS1"))
    assert isinstance(verdict, Accept)
    assert verdict.subprotocol == "ocpp2.0.1"
    assert verdict.compression
    ((identity, proof, version),) = street.directory.entered
    assert (identity, proof.profile, proof.password_hash, version) == ("CS1", 2, STORED, Version.V201)
    assert street.events == []


async def test_certificate_is_profile_3(street: Street) -> None:
    assert isinstance(await street.knock("/ocpp/CS3", certificate=b"SN3"), Accept)
    ((identity, proof, _),) = street.directory.entered
    path: tuple[Any, ...] = proof.path
    assert (identity, proof.profile, path, proof.provisional) == ("CS3", 3, (b"SN3", b"its issuer"), None)


async def test_a_better_profile_than_registered_is_welcome(street: Street) -> None:
    await street.knock("/ocpp/CS1", certificate=b"SN1")
    assert [proof.profile for _, proof, _ in street.directory.entered] == [3]


@pytest.mark.parametrize(
    ("minimum", "allow_downgrade", "profile", "enters"),
    [
        (1, False, 1, True),
        (2, False, 1, False),
        (2, True, 1, False),
        (3, False, 1, False),
        (3, True, 1, False),
        (2, False, 2, True),
        (3, False, 2, False),
        (3, True, 2, True),
        (3, True, 3, True),
    ],
)
async def test_the_ratchet(street: Street, minimum: int, allow_downgrade: bool, profile: int, enters: bool) -> None:
    street.change("CS1", minimum_profile=minimum, allow_downgrade=allow_downgrade)
    if profile == 3:
        await street.knock(certificate=b"SN1")
    else:
        await street.knock(headers=basic("CS1"), rules=PLAIN if profile == 1 else RULES)
    assert [proof.profile for _, proof, _ in street.directory.entered] == ([profile] if enters else [])
    assert [event.kind for event in street.events] == ([] if enters else [Kind.DOWNGRADE])


REFUSALS: list[tuple[Reason, int, dict[str, Any]]] = [
    (Reason.UNKNOWN_STATION, 401, {"target": "/ocpp/CS9", "headers": basic("CS9")}),
    (Reason.UNKNOWN_STATION, 401, {"target": "/ocpp/CS9", "certificate": b"SN1"}),
    (Reason.PASSWORD, 401, {"headers": basic("CS1", "wrong horse battery")}),
    (Reason.PASSWORD, 401, {"target": "/ocpp/CS4", "headers": basic("CS4")}),
    (Reason.NO_CREDENTIALS, 401, {}),
    (Reason.CREDENTIALS, 401, {"headers": {"Authorization": f"Bearer {PASSWORD}"}}),
    (Reason.USER_MISMATCH, 401, {"headers": basic("CS3")}),
    (Reason.USER_MISMATCH, 401, {"headers": basic("cs1")}),
    (Reason.USER_MISMATCH, 401, {"target": "/ocpp/CS3", "certificate": b"SN3", "headers": basic("CS1")}),
    (Reason.CERTIFICATE, 401, {"target": "/ocpp/CS3", "certificate": b"SN1"}),
    (Reason.CERTIFICATE, 401, {"certificate": b"SN1", "rules": replace(RULES, certificates=None)}),
    (Reason.DOWNGRADE, 401, {"target": "/ocpp/CS3", "headers": basic("CS3")}),
    (Reason.PROFILE, 401, {"headers": basic("CS1"), "rules": replace(RULES, profiles=frozenset({3}))}),
    (Reason.NETWORK, 403, {"headers": basic("CS1"), "rules": PLAIN, "remote": "192.0.2.1"}),
    (Reason.ORIGIN, 403, {"headers": basic("CS1") | {"Origin": "https://evil.example"}}),
    (Reason.HOST, 403, {"headers": basic("CS1"), "rules": replace(RULES, hosts=frozenset({"other.example"}))}),
    (Reason.PATH, 404, {"target": "/ocpp/", "headers": basic("CS1")}),
    (Reason.PATH, 404, {"target": "/other/CS1", "headers": basic("CS1")}),
    (Reason.PATH, 404, {"target": "/ocpp/CS1/x", "headers": basic("CS1")}),
    (Reason.PATH, 404, {"target": "/ocpp/CS%2531", "headers": basic("CS1")}),
]


@pytest.mark.parametrize(("reason", "status", "knock"), REFUSALS)
async def test_refused(street: Street, reason: Reason, status: int, knock: dict[str, Any]) -> None:
    with capture_logs() as logs:
        verdict = await street.knock(**knock)
    assert verdict == Refuse(status, CHALLENGE if status == 401 else {})
    assert street.tally.refused_entries == {reason.label: 1}
    assert street.directory.entered == []
    assert [(line["event"], line["reason"]) for line in logs] == [("not_admitted", reason.label)]
    (event,) = street.events
    assert (event.kind, event.remote) == (reason.kind, knock.get("remote", "10.1.2.3"))
    named = knock.get("target", "/ocpp/CS1").rpartition("/")[2]
    assert event.identity == (None if reason is Reason.PATH else named)
    assert event.presented["offered"] == "ocpp2.0.1"
    for told in (str(logs), str(event), repr(verdict)):
        assert PASSWORD not in told
        assert "wrong horse" not in told


async def test_404_for_an_unknown_station_where_configured(street: Street) -> None:
    rules = replace(RULES, unknown_status=404)
    assert (await street.knock("/ocpp/CS9", basic("CS9"), rules=rules)) == Refuse(404)
    assert (await street.knock(headers=basic("CS1", "wrong horse battery"), rules=rules)).status == 401


@pytest.mark.parametrize("offered", [None, "ocpp2.1", "ocpp0.1, OCPP2.0.1"])
@pytest.mark.parametrize("way", ["close", "refuse"])
async def test_no_common_subprotocol(street: Street, offered: str | None, way: Any) -> None:
    verdict = await street.knock(headers=basic("CS1"), offered=offered, rules=replace(RULES, no_common_subprotocol=way))
    if way == "close":
        assert verdict == AcceptThenClose(1002, "no supported OCPP version offered")
    else:
        assert verdict == Refuse(400)
    assert street.tally.refused_entries == {"subprotocol": 1}
    assert [event.kind for event in street.events] == [Kind.UNSUPPORTED_VERSION]
    assert street.directory.entered == []


async def test_who_is_not_authenticated_learns_nothing_of_subprotocols(street: Street) -> None:
    assert await street.knock(offered="ocpp0.1") == Refuse(401, CHALLENGE)


async def test_a_station_that_is_pinned_to_a_version_speaks_that_one(street: Street) -> None:
    street.change("CS1", pinned_version=Version.V201)
    chosen = await street.knock(headers=basic("CS1"), offered="ocpp1.6, ocpp2.0.1")
    assert chosen.subprotocol == "ocpp2.0.1"
    assert isinstance(await street.knock(headers=basic("CS1"), offered="ocpp1.6"), AcceptThenClose)
    assert street.tally.refused_entries == {"pinned_version": 1}
    assert [event.kind for event in street.events] == [Kind.DOWNGRADE]


async def test_a_held_identity_a_removed_one_and_a_store_that_is_away(street: Street) -> None:
    street.directory.refusal = Held("alive")
    assert (await street.knock(headers=basic("CS1"))).status == 409
    street.directory.refusal = None
    street.directory.lag = [lambda: street.registry.records.pop("CS1")]
    assert (await street.knock(headers=basic("CS1"))).status == 401
    street.registry.failure = StoreAway("store voltgate.db: the disk is full; make room")
    away = await street.knock(headers=basic("CS1"))
    assert away.status == 503
    assert int(away.headers["Retry-After"]) > 0
    assert [event.kind for event in street.events] == [Kind.DUPLICATE_IDENTITY, Kind.FAILED_TO_AUTHENTICATE]
    assert street.tally.refused_entries == {"held": 1, "unknown_station": 1, "store": 1}


@pytest.fixture
def rotation(street: Street) -> str:
    new = cheap_hash("another horse battery")
    street.change("CS1", next_password_hash=new)
    return new


async def test_of_two_passwords_the_one_that_is_used_settles_it(street: Street, rotation: str) -> None:
    await street.knock(headers=basic("CS1"))
    await street.knock(headers=basic("CS1", "another horse battery"))
    assert street.registry.settled == [("CS1", STORED), ("CS1", rotation)]


async def test_who_is_not_let_in_for_want_of_the_store_is_waited_for_no_longer(street: Street, rotation: str) -> None:
    del rotation
    street.registry.settling = asyncio.get_running_loop().create_future()
    street.registry.settling.set_exception(StoreAway("the disk is full"))
    assert (await street.knock(headers=basic("CS1"))).status == 503
    assert street.directory.withdrawn == ["CS1"]


async def test_who_hangs_up_while_its_password_is_settled_is_waited_for_no_longer(
    street: Street, rotation: str
) -> None:
    del rotation
    street.registry.settling = asyncio.get_running_loop().create_future()
    knocking = asyncio.create_task(street.knock(headers=basic("CS1")))
    async with asyncio.timeout(10):
        while not street.directory.entered:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)
    knocking.cancel()
    await asyncio.wait([knocking])
    assert (street.directory.withdrawn, street.registry.settled) == (["CS1"], [])


async def test_who_does_not_get_in_settles_nothing(street: Street, rotation: str) -> None:
    street.directory.refusal = Held("alive")
    await street.knock(headers=basic("CS1"))
    street.directory.refusal = None
    await street.knock(headers=basic("CS1"), offered="ocpp0.1")
    street.change("CS1", minimum_profile=3)
    await street.knock(headers=basic("CS1"))
    assert street.registry.settled == []


async def test_an_expired_certificate_that_is_let_in_is_written_down(street: Street) -> None:
    assert isinstance(await street.knock("/ocpp/CS3", certificate=b"SN3/EXPIRED"), Accept)
    assert [proof.provisional for _, proof, _ in street.directory.entered] == [Provisional.EXPIRED]
    assert [(event.kind, event.identity) for event in street.events] == [(Kind.INVALID_CERTIFICATE, "CS3")]
    await street.knock("/ocpp/CS3", certificate=b"SN3/FACTORY")
    assert len(street.events) == 1


async def test_refusals_count_against_the_address_and_a_held_identity_does_not(street: Street) -> None:
    street.directory.refusal = Held("alive")
    for _ in range(101):
        await street.knock(headers=basic("CS1"))
    assert street.failures.screen("10.1.2.3") is None
    for _ in range(100):
        await street.knock("/favicon.ico")
    assert street.failures.screen("10.1.2.3") == "TOO_MANY"


async def test_a_station_that_connects_without_end_is_told_to_wait(street: Street) -> None:
    """Each connection of one that proves itself costs a write to the store, or a probe of the one before it."""
    for _ in range(int(ADMISSIONS_PER_MINUTE)):
        assert isinstance(await street.knock("/ocpp/CS3", certificate=b"SN3"), Accept)
    verdict = await street.knock("/ocpp/CS3", certificate=b"SN3")
    assert (verdict.status, street.tally.refused_entries) == (429, {"limited": 1})
    assert isinstance(await street.knock(headers=basic("CS1")), Accept)
    street.clock.now += 60.0 / ADMISSIONS_PER_MINUTE
    assert isinstance(await street.knock("/ocpp/CS3", certificate=b"SN3"), Accept)


@pytest.mark.parametrize(
    ("offered", "pinned", "spoken"),
    [
        ("ocpp1.6, ocpp2.0.1", None, Version.V201),
        ("ocpp2.0.1", None, Version.V201),
        ("ocpp1.6", None, None),
        ("ocpp1.6, ocpp2.0.1", Version.V16, None),
    ],
)
async def test_only_what_its_backend_can_be_reached_from_is_spoken(
    street: Street, offered: str, pinned: Version | None, spoken: Version | None
) -> None:
    street.bridged = (Version.V201,)
    street.change("CS1", pinned_version=pinned)
    with capture_logs() as logs:
        verdict = await street.knock(headers=basic("CS1"), offered=offered)
    assert [version for _, _, version in street.directory.entered] == ([spoken] if spoken else [])
    if spoken is None:
        assert isinstance(verdict, AcceptThenClose)
        assert "CS1 speaks ocpp1.6, which can't be bridged" in logs[0]["detail"]
        assert [event.kind for event in street.events] == [Kind.UNSUPPORTED_VERSION]


async def test_who_is_remembered_comes_in_by_its_certificate_without_a_look_at_the_registry(street: Street) -> None:
    street.remembered["CS3"] = PROFILE_3
    assert isinstance(await street.knock("/ocpp/CS3", certificate=b"SN3"), Accept)
    assert (street.registry.asked, street.directory.entered[0][1].profile) == (0, 3)


async def test_a_password_is_compared_with_what_the_registry_says_now(street: Street) -> None:
    street.remembered["CS1"] = PROFILE_2
    street.change("CS1", password_hash=cheap_hash("another horse battery"))
    assert (await street.knock(headers=basic("CS1"))).status == 401
    assert isinstance(await street.knock(headers=basic("CS1", "another horse battery")), Accept)


@pytest.mark.parametrize(
    ("before", "now", "shown", "reason"),
    [
        ({"serial": "SN9"}, {}, b"SN9", Reason.CERTIFICATE),
        ({"pinned_version": None}, {"pinned_version": Version.V16}, b"SN3", Reason.PINNED_VERSION),
        ({"minimum_profile": 3}, {"minimum_profile": 4}, b"SN3", Reason.DOWNGRADE),
    ],
)
async def test_nobody_comes_in_by_what_was_true_before(
    street: Street, before: dict[str, Any], now: dict[str, Any], shown: bytes, reason: Reason
) -> None:
    street.remembered["CS3"] = replace(PROFILE_3, **before)
    street.change("CS3", **now)
    assert not isinstance(await street.knock("/ocpp/CS3", certificate=shown), Accept)
    assert (street.directory.entered, street.tally.refused_entries) == ([], {reason.label: 1})


async def test_nobody_is_refused_by_what_was_true_before(street: Street) -> None:
    street.remembered["CS3"] = replace(PROFILE_3, serial="SN9", pinned_version=Version.V16)
    assert isinstance(await street.knock("/ocpp/CS3", certificate=b"SN3"), Accept)
    assert street.events == []


@pytest.mark.parametrize("identity", ["CS3", "CS9"])
async def test_who_is_refused_by_its_certificate_costs_the_same_known_or_not(street: Street, identity: str) -> None:
    """Attack A1: the time that a refusal takes doesn't tell that a station of this identity was here."""
    checked: list[str] = []

    async def checking(certificate: bytes, chain: Sequence[bytes], record: StationRecord) -> Any:
        checked.append(record.identity)
        return await certificates(certificate, chain, record)

    street.remembered["CS3"] = PROFILE_3
    rules = replace(RULES, certificates=checking)
    assert (await street.knock(f"/ocpp/{identity}", rules=rules, certificate=b"SN1")).status == 401
    assert (checked, street.registry.asked) == ([identity], 1)

    headers = basic("CS4")
    assert (await street.knock(f"/ocpp/{identity}", headers, rules=rules, certificate=b"SN1")).status == 401
    assert (checked, street.registry.asked) == ([identity], 1)


async def test_a_remembered_station_that_was_removed_is_unknown(street: Street) -> None:
    street.remembered["CS3"] = PROFILE_3
    del street.registry.records["CS3"]
    refused = await street.knock("/ocpp/CS3", certificate=b"SN3", rules=replace(RULES, unknown_status=404))
    assert refused.status == 404
    assert [identity for identity, *_ in street.pending] == ["CS3"]


@pytest.mark.parametrize("is_remembered", [True, False])
async def test_what_changes_while_it_is_decided_is_decided_anew(street: Street, *, is_remembered: bool) -> None:
    if is_remembered:
        street.remembered["CS3"] = PROFILE_3
    street.directory.lag = [lambda: street.change("CS3", serial="SN9")]
    assert (await street.knock("/ocpp/CS3", certificate=b"SN3")).status == 401
    assert street.tally.refused_entries == {"certificate": 1}


async def test_while_the_registry_changes_without_end_it_is_to_come_again(street: Street) -> None:
    street.directory.lag = [lambda: street.change("CS3", group="north"), lambda: street.change("CS3", group="south")]
    later = await street.knock("/ocpp/CS3", certificate=b"SN3")
    assert (later.status, street.events, street.directory.entered) == (503, [], [])
    assert int(later.headers["Retry-After"]) > 0
