"""A vehicle's request as a dialogue: what it is answered, who was asked, and what is kept of it."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.services.ev_certificate_words import EvAnswer, encode_base64
from gateway.session.provisionings import ContractStatus, ProvidedCertificate
from gateway.session.security import Kind
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, Refusal, VerifiedRequest
from tests.services.conftest import FakeTime, KeptEvents
from tests.services.vehicle_desk import (
    EMAID,
    NOW,
    OTHER,
    PCID,
    Stand,
    VehicleDesk,
    certificate,
    ev_request,
    installation,
    installation_20,
    update,
    verified,
)


@pytest.fixture
def desk(time: FakeTime, events: KeptEvents) -> VehicleDesk:
    return VehicleDesk(time, events)


def exi_of(answer: EvAnswer) -> bytes:
    return base64.b64decode(answer.exi_response)


# --- a certificate


async def test_a_vehicle_gets_its_default_contract(desk: VehicleDesk) -> None:
    desk.book.contracts[PCID].append(Contract(OTHER, PCID))
    answer = await desk.asks(desk.knows(installation()))
    assert answer == EvAnswer(encode_base64(b"answer"), remaining=0)
    assert desk.verifier.asked == [(b"exi", Schema.ISO_2, Action.INSTALL)]
    [(_, contract, remaining)] = desk.native.asked
    assert (contract, remaining) == (Contract(EMAID, PCID), 0)
    assert desk.tally.provisionings == {("Install", "native", "Issued"): 1}
    assert sum(desk.tally.provisioning_seconds.counts) == 1
    assert desk.events.noted == []
    assert desk.failures == []


async def test_what_is_audited_of_it(desk: VehicleDesk) -> None:
    await desk.asks(desk.knows(installation()))
    [entry] = desk.book.entries
    assert (entry.station, entry.action, entry.schema) == ("CS1", "Install", Schema.ISO_2.value)
    assert entry.digest == hashlib.sha256(b"exi").hexdigest()
    assert (entry.provider, entry.refusal) == ("native", None)
    assert (entry.pcid, entry.emaid) == (PCID, EMAID)
    assert entry.vehicle_serial == format(certificate("vehicle").serial_number, "x")
    assert entry.contract_serial == format(certificate("contract 1").serial_number, "x")
    assert entry.cps_serial == format(certificate("cps").serial_number, "x")
    assert (entry.issuer, entry.not_after) == ("CN=contract 1", certificate("contract 1").not_valid_after_utc)
    assert desk.book.issued_ones == [(certificate("contract 1"), "contract", None)]


async def test_what_breaks_a_profile_and_was_let_pass_is_audited(desk: VehicleDesk) -> None:
    asked = desk.knows(installation())
    desk.verifier.known[b"exi"] = replace(verified(installation()), warnings=("no key usage", "no DC"))
    desk.native.says = lambda *_: Provision(
        b"answer", EMAID, certificate("theirs"), certificate("cps"), warnings=("another root",)
    )
    await desk.asks(asked)
    assert desk.book.entries[0].text == "no key usage; no DC; another root"


async def test_the_emsp_says_who_provides(desk: VehicleDesk) -> None:
    desk.book.contracts[PCID] = [Contract(OTHER, PCID)]
    answer = await desk.asks(desk.knows(installation()))
    assert answer.refusal is None
    assert (len(desk.native.asked), len(desk.roaming.asked)) == (0, 1)
    assert desk.book.issued_ones[0][1] == "seen"  # not ours to revoke


@pytest.mark.parametrize("header", [b"\x01\xfe\x80\x01\0\0\0\x03", b"\x01\xfe\x80\x02\0\0\0\x03"])
async def test_a_header_that_the_station_left_there(desk: VehicleDesk, header: bytes) -> None:
    desk.knows(installation())
    assert (await desk.asks(ev_request(header + b"exi"))).refusal is None
    assert desk.verifier.asked[0][0] == b"exi"


# --- nobody's contract


async def test_a_vehicle_without_a_contract(desk: VehicleDesk) -> None:
    desk.book.contracts = {}
    answer = await desk.asks(desk.knows(installation()))
    assert answer.refusal is Refusal.NO_CONTRACT
    assert exi_of(answer) == b"no"
    assert "contract add" not in answer.text  # what an operator does is for the audit
    assert PCID in desk.book.entries[0].text
    assert desk.native.asked == []
    assert desk.book.entries[0].refusal is Refusal.NO_CONTRACT
    assert desk.events.noted == []  # an owner without a contract is no attacker


async def test_a_provider_that_knows_itself_is_asked_for_it(desk: VehicleDesk) -> None:
    desk.book.contracts = {}
    desk.provisioning._providers._default = "roaming"
    answer = await desk.asks(desk.knows(installation()))
    assert answer.refusal is None
    assert desk.roaming.asked[0][1] is None
    assert desk.book.entries[0].emaid == EMAID


# --- refused


@pytest.mark.parametrize("refusal", [*Refusal])
async def test_every_refusal_of_the_verifier(desk: VehicleDesk, refusal: Refusal) -> None:
    asked = desk.knows(installation())
    desk.verifier.known[b"exi"] = ProvisioningRefused(refusal, "what is wrong")
    answer = await desk.asks(asked)
    assert answer.refusal is refusal
    assert exi_of(answer) == (b"" if refusal is Refusal.TOO_LARGE else b"no")
    [entry] = desk.book.entries
    assert (entry.refusal, entry.text, entry.provider, entry.pcid) == (refusal, "what is wrong", None, None)
    assert desk.native.asked == []
    assert desk.book.issued_ones == []
    assert desk.tally.provisionings == {("Install", "-", refusal.value): 1}


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Refusal.DIGEST_MISMATCH, Kind.SUSPICIOUS_VEHICLE),
        (Refusal.SIGNATURE_INVALID, Kind.SUSPICIOUS_VEHICLE),
        (Refusal.CHAIN_UNTRUSTED, Kind.SUSPICIOUS_VEHICLE),
        (Refusal.CERTIFICATE_REVOKED, Kind.SUSPICIOUS_VEHICLE),
        (Refusal.MALFORMED, Kind.INVALID_MESSAGES),
        (Refusal.CERTIFICATE_EXPIRED, None),
        (Refusal.PROVIDER_TIMEOUT, None),
    ],
)
async def test_which_are_security_events(desk: VehicleDesk, refusal: Refusal, kind: str | None) -> None:
    asked = desk.knows(installation())
    desk.verifier.known[b"exi"] = ProvisioningRefused(refusal, "what is wrong")
    await desk.asks(asked)
    assert desk.events.kinds == ([] if kind is None else [kind])
    if kind is not None:
        [event] = desk.events.noted
        assert (event.identity, event.remote, event.detail) == ("CS1", "192.0.2.7", "what is wrong")


@pytest.mark.parametrize("text", ["", "no base64", "gA=", "gA==\n", "gB==", "gA==gA==", "\u00e4"])
async def test_what_is_no_base64(desk: VehicleDesk, text: str) -> None:
    answer = await desk.asks(ev_request(b"", exi_request=text))
    assert (answer.refusal, answer.exi_response) == (Refusal.MALFORMED, "")
    assert desk.verifier.asked == []
    assert desk.book.entries[0].digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("said", ["", "urn:din:70121:2012:MsgDef", Schema.XMLDSIG.value, "urn:x\x1b[2J" * 9])
async def test_a_schema_that_nobody_knows(desk: VehicleDesk, said: str) -> None:
    answer = await desk.asks(ev_request(b"exi", schema_version=said))
    assert (answer.refusal, answer.exi_response) == (Refusal.MALFORMED, "")
    assert answer.text.isprintable()
    assert desk.book.entries[0].schema.isprintable()
    assert desk.verifier.asked == []


async def test_a_defect_is_told_to_nobody_but_the_log(desk: VehicleDesk) -> None:
    asked = desk.knows(installation())
    desk.verifier.known[b"exi"] = ValueError("secret")
    answer = await desk.asks(asked)
    assert answer.refusal is Refusal.PROVIDER_UNAVAILABLE
    assert "secret" not in answer.text + desk.book.entries[0].text


async def test_a_refusal_that_can_not_be_written(desk: VehicleDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> bytes:
        raise RuntimeError("a defect")

    desk.provisioning._refused = broken
    asked = desk.knows(installation())
    desk.verifier.known[b"exi"] = ProvisioningRefused(Refusal.SIGNATURE_INVALID, "forged")
    assert await desk.asks(asked) == EvAnswer("", Refusal.SIGNATURE_INVALID, "forged")


# --- replayed


async def test_a_signed_request_has_effect_once(desk: VehicleDesk) -> None:
    assert (await desk.asks(desk.knows(installation(b"one")))).refusal is None
    again = desk.knows(installation(b"two"), b"exi 2")  # the SessionID isn't signed
    answer = await desk.asks(again, Stand("CS2"))
    assert answer.refusal is Refusal.REPLAYED
    assert desk.events.kinds == [Kind.ATTEMPTED_REPLAY]
    assert len(desk.native.asked) == 1
    assert (await desk.asks(desk.knows(installation(b"two", b"other r"), b"exi 3"))).refusal is None


async def test_the_very_same_request_after_a_restart(desk: VehicleDesk, time: FakeTime, events: KeptEvents) -> None:
    await desk.asks(desk.knows(installation()))
    later = VehicleDesk(time, events)
    later.book = desk.book
    later.provisioning._record._audit = desk.book
    assert (await later.asks(later.knows(installation()))).refusal is Refusal.REPLAYED


async def test_what_brought_nothing_may_be_sent_again(desk: VehicleDesk) -> None:
    asked = desk.knows(installation())
    desk.native.says = ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, "vault.internal is sealed")
    assert (await desk.asks(asked)).refusal is Refusal.PROVIDER_UNAVAILABLE
    desk.native.says = None
    assert (await desk.asks(asked)).refusal is None


# --- providers that are away, slow, or lie


async def test_what_was_issued_and_is_withdrawn_is_on_the_audit(desk: VehicleDesk) -> None:
    desk.native.says = refused = ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, "the CPS is away")
    refused.withdrawn = certificate("contract 1")
    assert (await desk.asks(desk.knows(installation()))).refusal is Refusal.PROVIDER_UNAVAILABLE
    [entry] = desk.book.entries
    assert (entry.refusal, entry.contract_serial) == (
        Refusal.PROVIDER_UNAVAILABLE,
        format(refused.withdrawn.serial_number, "x"),
    )
    assert (entry.issuer, entry.not_after, entry.cps_serial) == (
        refused.withdrawn.issuer.rfc4514_string(),
        refused.withdrawn.not_valid_after_utc,
        None,
    )
    assert desk.book.issued_ones == []


async def test_a_provider_that_is_away(desk: VehicleDesk) -> None:
    desk.native.says = ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, "vault.internal is sealed")
    answer = await desk.asks(desk.knows(installation()))
    assert "vault.internal" not in answer.text
    [entry] = desk.book.entries
    assert (entry.text, entry.provider, entry.emaid) == ("vault.internal is sealed", "native", EMAID)


async def test_a_provider_that_is_slow(time: FakeTime, events: KeptEvents) -> None:
    desk = VehicleDesk(time, events, timeout=0.01)
    desk.native.gate = asyncio.Event()
    answer = await desk.asks(desk.knows(installation()))
    assert answer.refusal is Refusal.PROVIDER_TIMEOUT
    assert exi_of(answer) == b"no"
    assert desk.book.issued_ones == []


def _another(_: VerifiedRequest, __: Contract | None) -> Provision:
    return Provision(b"answer", OTHER, certificate("theirs"), certificate("cps"))


def _too_long(_: VerifiedRequest, __: Contract | None) -> Provision:
    return Provision(bytes(5626), EMAID, certificate("theirs"), certificate("cps"))


@pytest.mark.parametrize(("says", "words"), [(_another, "was asked for"), (_too_long, "the station takes 7500")])
async def test_what_does_not_reach_its_vehicle(desk: VehicleDesk, says: Callable[..., Provision], words: str) -> None:
    desk.native.says = says
    answer = await desk.asks(desk.knows(installation()))
    assert answer.refusal is Refusal.PROVIDER_ANSWER
    [entry] = desk.book.entries
    assert words in entry.text
    assert entry.contract_serial == format(certificate("theirs").serial_number, "x")
    assert desk.withdrawn == [certificate("theirs")]
    assert desk.book.issued_ones == []
    assert desk.events.kinds == [Kind.NOT_ISSUED]


async def test_an_answer_at_the_limit(desk: VehicleDesk) -> None:
    desk.native.says = lambda *_: Provision(bytes(5625), EMAID, certificate("theirs"), certificate("cps"))
    answer = await desk.asks(desk.knows(installation()))
    assert (answer.refusal, len(answer.exi_response)) == (None, 7500)


async def test_a_check_digit_more_or_less_is_the_same_contract(desk: VehicleDesk) -> None:
    desk.native.says = lambda *_: Provision(b"answer", EMAID[:14], certificate("theirs"), certificate("cps"))
    assert (await desk.asks(desk.knows(installation()))).refusal is None


async def test_no_certificate_without_its_audit(desk: VehicleDesk) -> None:
    desk.book.audit_is_away = True
    answer = await desk.asks(desk.knows(installation()))
    assert answer.refusal is Refusal.PROVIDER_UNAVAILABLE
    assert desk.withdrawn == [certificate("contract 1")]


async def test_while_the_store_is_away(desk: VehicleDesk) -> None:
    desk.book.is_away = True
    assert (await desk.asks(desk.knows(installation()))).refusal is Refusal.PROVIDER_UNAVAILABLE
    assert desk.native.asked == []


# --- updates


async def test_an_update_replaces_its_predecessor(desk: VehicleDesk) -> None:
    desk.book.known[certificate("old").serial_number] = ProvidedCertificate(ContractStatus.SUPERSEDED, EMAID, PCID)
    answer = await desk.asks(desk.knows(update(), leaf="old"))
    assert answer.refusal is None
    assert desk.book.issued_ones == [(certificate("contract 1"), "contract", certificate("old"))]
    assert (desk.book.entries[0].pcid, desk.book.entries[0].emaid) == (PCID, EMAID)
    assert desk.tally.provisionings == {("Update", "native", "Issued"): 1}


async def test_an_update_that_brings_nothing_replaces_nothing(desk: VehicleDesk) -> None:
    desk.book.known[certificate("old").serial_number] = ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID)
    desk.native.says = ProvisioningRefused(Refusal.PROVIDER_REFUSED, "no")
    answer = await desk.asks(desk.knows(update(), leaf="old"))
    assert (answer.refusal, desk.book.issued_ones) == (Refusal.PROVIDER_REFUSED, [])


@pytest.mark.parametrize(
    ("given", "contracts", "refusal"),
    [
        (ProvidedCertificate(ContractStatus.REVOKED, EMAID, PCID), [EMAID], Refusal.CERTIFICATE_REVOKED),
        (ProvidedCertificate(ContractStatus.ISSUED, EMAID, "WDD00000000000001"), [EMAID], Refusal.NO_CONTRACT),
        (ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID), [OTHER], Refusal.NO_CONTRACT),
        (None, [], Refusal.NO_CONTRACT),
        (None, [EMAID], Refusal.NO_CONTRACT),  # any root of mo_roots could have certified it
    ],
)
async def test_updates_that_are_refused(
    desk: VehicleDesk, given: ProvidedCertificate | None, contracts: list[str], refusal: Refusal
) -> None:
    desk.book.contracts = {PCID: [Contract(emaid, PCID) for emaid in contracts]}
    if given is not None:
        desk.book.known[certificate("old").serial_number] = given
    assert (await desk.asks(desk.knows(update(), leaf="old"))).refusal is refusal
    assert desk.native.asked == []


async def test_an_update_of_what_its_authority_has_revoked(desk: VehicleDesk) -> None:
    """By hand, in Vault: the store doesn't know, and a thief would have the next one for the key that was stolen."""
    old = certificate("old").serial_number
    desk.book.known[old] = ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID)
    desk.revoked[old] = "the CRL lists it"
    answer = await desk.asks(desk.knows(update(), leaf="old"))
    assert (answer.refusal, answer.text[:17]) == (Refusal.CERTIFICATE_REVOKED, "the CRL lists it;")
    assert desk.native.asked == []


async def test_an_update_of_a_contract_that_several_vehicles_have(desk: VehicleDesk) -> None:
    ends = NOW + timedelta(days=9)
    desk.book.contracts = {
        "WDD00000000000001": [Contract(EMAID, "WDD00000000000001")],
        PCID: [Contract(OTHER, PCID), Contract(EMAID, PCID, ends)],
    }
    old = certificate("old").serial_number
    desk.book.known[old] = ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID)
    assert (await desk.asks(desk.knows(update(), leaf="old"))).refusal is None
    assert desk.native.asked[0][1] == Contract(EMAID, PCID, ends)  # its own times, not another vehicle's

    del desk.book.contracts[PCID]
    assert (await desk.asks(desk.knows(update(r=b"s"), b"exi 2", "old"))).refusal is Refusal.NO_CONTRACT


async def test_another_provider_may_know_a_predecessor_that_we_do_not(desk: VehicleDesk) -> None:
    desk.book.contracts = {PCID: [Contract(OTHER, PCID)]}
    message = replace(verified(update(), leaf="old"), emaid=OTHER)
    desk.verifier.known[b"exi"] = message
    assert (await desk.asks(ev_request(b"exi", action=Action.UPDATE))).refusal is None
    assert len(desk.roaming.asked) == 1


async def test_an_update_in_the_vehicles_own_spelling(desk: VehicleDesk) -> None:
    desk.book.contracts = {PCID: [Contract(EMAID[:14], PCID)]}
    desk.book.known[certificate("old").serial_number] = ProvidedCertificate(ContractStatus.ISSUED, EMAID, PCID)
    assert (await desk.asks(desk.knows(update(), leaf="old"))).refusal is None
    assert desk.native.asked[0][1] == Contract(EMAID, PCID)


# --- several contracts (-20)


async def test_contracts_come_one_by_one(desk: VehicleDesk) -> None:
    third = "DE8EXC99999999"
    desk.book.contracts[PCID] += [Contract(OTHER, PCID), Contract(third, PCID)]
    got = []
    for number in range(3):  # it signs in the same words: the header's timestamp alone is another
        asked = desk.knows(installation_20(first=(OTHER,)), b"exi %d" % number)
        answer = await desk.asks(asked)
        got.append((desk.book.entries[-1].emaid, answer.remaining))
    assert got == [(OTHER, 2), (EMAID, 1), (third, 0)]
    assert [usage for _, usage, _ in desk.book.issued_ones] == ["seen", "contract_20", "contract_20"]
    again = await desk.asks(desk.knows(installation_20(), b"exi 4"))
    assert again.refusal is Refusal.REPLAYED


async def test_one_that_failed_is_not_skipped(desk: VehicleDesk) -> None:
    desk.book.contracts[PCID].append(Contract("DE8EXC99999999", PCID))
    assert (await desk.asks(desk.knows(installation_20(), b"exi 1"))).remaining == 1
    desk.native.says = ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, "sealed")
    assert (await desk.asks(desk.knows(installation_20(), b"exi 2"))).refusal is Refusal.PROVIDER_UNAVAILABLE
    desk.native.says = None
    assert (await desk.asks(desk.knows(installation_20(), b"exi 2"))).remaining == 0
    assert desk.book.entries[-1].emaid == "DE8EXC99999999"


async def test_what_a_provider_that_knows_itself_says_is_left(desk: VehicleDesk) -> None:
    desk.book.contracts = {}
    desk.provisioning._providers._default = "roaming"
    desk.roaming.says = lambda *_: Provision(b"answer", OTHER, certificate("theirs"), certificate("cps"), 3)
    assert (await desk.asks(desk.knows(installation_20()))).remaining == 3


async def test_contracts_that_the_provider_knows_come_one_by_one(desk: VehicleDesk) -> None:
    desk.book.contracts = {}
    desk.provisioning._providers._default = "roaming"
    got = []
    for left in (2, 1, 0):  # it signs in the same words: the header's timestamp alone is another
        says = Provision(b"answer", OTHER, certificate(f"theirs {left}"), certificate("cps"), left)
        desk.roaming.says = lambda *_, says=says: says
        answer = await desk.asks(desk.knows(installation_20(), b"exi %d" % left))
        got.append((answer.refusal, answer.remaining))
    assert got == [(None, 2), (None, 1), (None, 0)]
    assert (await desk.asks(desk.knows(installation_20(), b"exi 4"))).refusal is Refusal.REPLAYED


# --- turned away before


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_station_that_asks_too_often(desk: VehicleDesk, is_kept: bool) -> None:
    refused = ProvisioningRefused(Refusal.RATE_LIMIT, "too many")
    answer = await desk.provisioning.refuse(desk.station, ev_request(b"exi"), refused, is_kept=is_kept)
    assert answer == EvAnswer("", Refusal.RATE_LIMIT, "too many")
    assert desk.tally.provisionings == {("Install", "-", "RateLimitExceeded"): 1}
    assert sum(desk.tally.provisioning_seconds.counts) == 0
    assert (len(desk.book.entries), desk.events.kinds) == ((1, [Kind.RATE_LIMITED]) if is_kept else (0, []))
