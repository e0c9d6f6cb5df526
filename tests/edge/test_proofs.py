"""Certificates and passwords: what proves what, what it costs, and who is noted."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.edge import passwords
from gateway.edge.refusals import CertificateRejected, Reason
from gateway.edge.turns import Turns
from gateway.session.ports import StationRecord
from gateway.session.security import Kind
from gateway.transport import Accept
from gateway.wire.versions import Version
from tests.edge.street import PASSWORD, RULES, Street, basic, cheap_hash

KEY = "00ff3a0d0a7f80c1e2000102030405060708090a"
RAW = bytes.fromhex(KEY)
ONLY_201 = replace(RULES, versions=(Version.V201,))


def _admitted(verdict: Any) -> bool:
    return isinstance(verdict, Accept)


# --- passwords


async def test_unknown_station_wrong_password_and_wrong_user_cost_the_same_work(street: Street) -> None:
    street.change("CS3", next_password_hash=cheap_hash("another horse battery"))
    for target, user, password in (
        ("/ocpp/CS9", "CS9", PASSWORD),
        ("/ocpp/CS1", "CS1", "wrong horse battery"),
        ("/ocpp/CS1", "CS3", PASSWORD),
        ("/ocpp/CS4", "CS4", PASSWORD),
        ("/ocpp/CS3", "CS3", "wrong horse battery"),
        ("/ocpp/CS1", "CS1", "\n"),
    ):
        street.scrypts.clear()
        assert (await street.knock(target, basic(user, password))).status == 401
        assert len(street.scrypts) == passwords.COMPARISONS


@pytest.mark.parametrize("registered", [KEY, KEY.upper()])
@pytest.mark.parametrize("sent", [RAW, KEY, KEY.upper(), KEY[:20] + KEY[20:].upper()])
async def test_an_authorization_key_may_come_raw_or_as_hex(street: Street, registered: str, sent: str | bytes) -> None:
    street.change("CS1", password_hash=cheap_hash(registered))
    street.scrypts.clear()
    assert _admitted(await street.knock(headers=basic("CS1", sent), offered="ocpp1.6"))
    assert len(street.scrypts) == 1


@pytest.mark.parametrize(
    ("sent", "offered", "is_let_in"),
    [
        (KEY, "ocpp2.0.1", True),
        (RAW, "ocpp2.0.1", False),
        (RAW, "ocpp2.0.1, ocpp1.6", False),
        (RAW, "ocpp1.6, ocpp2.0.1", True),
        (RAW, "ocpp0.1", False),
    ],
)
async def test_raw_bytes_are_for_those_who_speak_1_6(
    street: Street, sent: str | bytes, offered: str, is_let_in: bool
) -> None:
    street.change("CS1", password_hash=cheap_hash(KEY))
    assert _admitted(await street.knock(headers=basic("CS1", sent), offered=offered)) is is_let_in
    assert street.tally.refused_entries == ({} if is_let_in else {"password": 1})


async def test_a_1_6_station_at_a_2_0_1_port_hears_of_the_version_not_of_its_password(street: Street) -> None:
    street.change("CS1", password_hash=cheap_hash(KEY))
    await street.knock(headers=basic("CS1", RAW), offered="ocpp1.6", rules=ONLY_201)
    assert street.tally.refused_entries == {"subprotocol": 1}


@pytest.mark.parametrize("password", [b"correct\x00horse battery", b"correct\x7fhorse", b"\xc2\x85orse", b"\xff" * 20])
async def test_control_characters_and_broken_utf_8_never_get_in_by_2_0_1(
    street: Street, password: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "verify", lambda sent, stored: True)
    assert (await street.knock(headers=basic("CS1", password))).status == 401
    assert _admitted(await street.knock(headers=basic("CS1", "pässwörter sind müßig")))


async def test_both_passwords_hold_while_one_is_changed(street: Street) -> None:
    street.change("CS1", next_password_hash=cheap_hash("another horse battery"))
    assert _admitted(await street.knock(headers=basic("CS1")))
    assert _admitted(await street.knock(headers=basic("CS1", "another horse battery")))
    assert not _admitted(await street.knock(headers=basic("CS1", "a third horse battery")))


# --- how often


async def _guess(street: Street, identity: str, remote: str) -> int:
    verdict = await street.knock(f"/ocpp/{identity}", basic(identity, "wrong horse battery"), remote=remote)
    return int(verdict.status)


@pytest.mark.parametrize("identity", ["CS1", "CS9"])
async def test_guesses_run_out_for_a_known_and_an_unknown_identity_alike(street: Street, identity: str) -> None:
    heard = [await _guess(street, identity, f"10.0.{n}.1") for n in range(6)]
    assert heard == [401] * 6  # five of the identity's bucket, and one that the sixth address has of its own
    assert [await _guess(street, identity, "10.0.5.1") for _ in range(2)] == [429] * 2
    assert street.events[-1].kind == Kind.RATE_LIMITED


async def test_guesses_at_once_count_like_guesses_in_turn(street: Street) -> None:
    heard = await asyncio.gather(*(_guess(street, "CS1", "10.0.0.1") for _ in range(20)))
    assert sorted(heard) == [401] * 6 + [429] * 14


async def test_an_address_runs_out_whatever_identities_it_tries(street: Street) -> None:
    heard = [await _guess(street, f"CS{n}", "10.0.0.1") for n in range(10, 22)]
    assert heard == [401] * 10 + [429] * 2
    assert await _guess(street, "CS1", "10.0.0.2") == 401


async def test_a_station_is_not_locked_out_by_those_who_guess(street: Street) -> None:
    for n in range(6):
        await _guess(street, "CS1", f"10.0.{n}.1")
    assert _admitted(await street.knock(headers=basic("CS1"), remote="10.9.9.9"))  # its address's own try, given back
    assert await _guess(street, "CS1", "10.9.9.9") == 401
    assert await _guess(street, "CS1", "10.9.9.9") == 429
    assert _admitted(await street.knock(headers=basic("CS1"), remote="10.9.9.9"))  # proven of late: no token


async def test_a_password_that_fits_costs_no_token(street: Street) -> None:
    for _ in range(50):
        street.clock.now += passwords.PROOF_LIFETIME / 40
        assert _admitted(await street.knock(headers=basic("CS1")))
    assert await street.knock(headers=basic("CS1", "wrong horse battery"))
    assert [await _guess(street, "CS1", "10.1.2.3") for _ in range(4)] == [401] * 4


async def test_a_door_that_is_too_busy_to_compare_says_so_to_everybody_and_takes_no_token(
    street: Street,
) -> None:
    turns, street.passwords._turns = street.passwords._turns, Turns(at_once=0, waiting_max=0)
    for target, user in (("/ocpp/CS9", "CS9"), ("/ocpp/CS1", "CS1"), ("/ocpp/CS1", "CS3")) * 10:
        busy = await street.knock(target, basic(user))
        assert busy.status == 503
        assert int(busy.headers["Retry-After"]) > 0
    assert street.tally.refused_entries == {"busy": 30}
    street.passwords._turns = turns
    assert [await _guess(street, "CS1", "10.1.2.3") for _ in range(6)] == [401] * 6


async def test_certificates_are_not_limited_by_what_passwords_did(street: Street) -> None:
    for _ in range(30):
        await _guess(street, "CS3", "10.1.2.3")
    assert _admitted(await street.knock("/ocpp/CS3", certificate=b"SN3"))


# --- certificates


async def test_a_bad_certificate_is_not_made_good_by_a_password(street: Street) -> None:
    assert (await street.knock(headers=basic("CS1"), certificate=b"SN3")).status == 401
    assert street.tally.refused_entries == {"certificate": 1}
    assert street.scrypts == []


async def test_a_good_certificate_with_the_right_user_needs_no_right_password(street: Street) -> None:
    assert _admitted(await street.knock("/ocpp/CS3", basic("CS3", "whatever"), certificate=b"SN3"))


async def test_a_certificate_where_none_is_asked_for_proves_nothing(street: Street) -> None:
    rules = replace(RULES, profiles=frozenset({2}))
    assert (await street.knock("/ocpp/CS3", certificate=b"SN3", rules=rules)).status == 401
    assert street.tally.refused_entries == {"no_credentials": 1}


@pytest.mark.parametrize("reason", [Reason.REVOKED, Reason.REVOCATION_UNKNOWN, Reason.CERTIFICATE_OF_ANOTHER])
async def test_the_reason_of_the_check_is_the_reason_of_the_refusal(street: Street, reason: Reason) -> None:
    async def revoked(certificate: bytes, chain: Sequence[bytes], record: StationRecord) -> Any:
        assert (certificate, chain) == (b"SN3", (b"its issuer",))
        raise CertificateRejected("says the list", reason)

    await street.knock("/ocpp/CS3", certificate=b"SN3", rules=replace(RULES, certificates=revoked))
    assert street.tally.refused_entries == {reason.label: 1}
    assert [event.kind for event in street.events] == [reason.kind]


async def test_the_certificate_is_checked_for_an_unknown_station_too(street: Street) -> None:
    asked: list[str] = []

    async def check(certificate: bytes, chain: Sequence[bytes], record: StationRecord) -> Any:
        asked.append(record.identity)
        return (certificate,), None

    rules = replace(RULES, certificates=check)
    assert (await street.knock("/ocpp/CS9", certificate=b"CS9", rules=rules)).status == 401
    assert asked == ["CS9"]


# --- onboarding


async def test_who_is_not_registered_but_proves_something_is_noted(street: Street) -> None:
    await street.knock("/ocpp/CS9", basic("CS9"))
    await street.knock("/ocpp/CS8", certificate=b"SN8")
    assert [(identity, remote) for identity, _, remote in street.pending] == [("CS9", "10.1.2.3"), ("CS8", "10.1.2.3")]
    assert "certificate_subject" in street.pending[1][1]
    assert PASSWORD not in str(street.pending)


async def test_others_are_not_noted(street: Street) -> None:
    await street.knock("/ocpp/CS9")
    await street.knock("/ocpp/CS9", basic("CS8"))
    await street.knock("/ocpp/CS9", basic("CS9") | {"Origin": "https://evil.example"})
    await street.knock("/ocpp/CS1", basic("CS1", "wrong horse battery"))
    assert street.pending == []


async def test_nobody_is_noted_where_nobody_asks_for_it() -> None:
    with Street(note=False) as street:
        assert (await street.knock("/ocpp/CS9", basic("CS9"))).status == 401
    assert street.pending == []
