"""Authorize as dialogues: nothing is authorized that the backend didn't authorize."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.books import Json
from gateway.bridge.plug_and_charge_16 import VENDOR_ID
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16 import Settings
from gateway.bridge.v201_v16.tokens import alias_of
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

CARD = {"idToken": "04A2B3C4", "type": "ISO14443"}
HASH_DATA = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "aa",
    "issuerKeyHash": "bb",
    "serialNumber": "01",
    "responderURL": "http://ocsp.example",
}


@pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
async def test_the_backend_decides(world: "World", status: str) -> None:
    world.backend.answers["Authorize"] = {"idTagInfo": {"status": status}}

    assert await world.from_station("Authorize", {"idToken": CARD}) == {"idTokenInfo": {"status": status}}
    assert world.heard() == [("Authorize", {"idTag": "04A2B3C4"})]


async def test_a_long_token_goes_under_its_alias(world: "World") -> None:
    token = {"idToken": "a-token-of-more-than-20", "type": "Central"}

    await world.from_station("Authorize", {"idToken": token})

    assert world.heard() == [("Authorize", {"idTag": alias_of(token["idToken"])})]


@pytest.mark.parametrize("outcome", [PeerUnavailable("gone"), CallError(ErrorCode.INTERNAL_ERROR)])
async def test_without_a_verdict_nobody_is_authorized_and_nothing_is_cached(world: "World", outcome: Exception) -> None:
    world.backend.answers["Authorize"] = outcome

    assert await world.from_station("Authorize", {"idToken": CARD}) == {
        "idTokenInfo": {"status": "Unknown", "cacheExpiryDateTime": "2026-05-01T12:00:00Z"}
    }


UNKNOWN = {"status": "Unknown", "cacheExpiryDateTime": "2026-05-01T12:00:00Z"}
NOW_ONLY = {"status": "Accepted", "cacheExpiryDateTime": "2026-05-01T12:00:00Z"}
KNOWN = {"status": "Accepted", "expiryDate": "2026-05-02T00:00:00+02:00", "parentIdTag": "FAMILY"}
KNOWN_201 = {
    "status": "Accepted",
    "cacheExpiryDateTime": "2026-05-01T22:00:00Z",
    "groupIdToken": {"idToken": "FAMILY", "type": "Central"},
}


@pytest.mark.parametrize(
    ("mode", "remembered", "expected"),
    [
        ("refuse", KNOWN, UNKNOWN),
        ("cache", KNOWN, KNOWN_201),
        ("cache", {"status": "Blocked"}, {"status": "Blocked"}),
        ("cache", None, UNKNOWN),
        ("accept", None, NOW_ONLY),
        ("accept", {"status": "Blocked"}, NOW_ONLY),
    ],
)
async def test_while_the_backend_is_away_the_operator_has_the_word(
    new_world: Callable[..., "World"], mode: str, remembered: Json | None, expected: Json
) -> None:
    world = new_world(Settings(authorize_offline=mode))  # type: ignore[arg-type]  # one of the three
    world.remembered = {} if remembered is None else {"04A2B3C4": remembered}
    world.backend.up = False

    assert await world.from_station("Authorize", {"idToken": CARD}) == {"idTokenInfo": expected}


async def test_a_backend_that_answers_with_callerror_is_not_away(new_world: Callable[..., "World"]) -> None:
    world = new_world(Settings(authorize_offline="accept"))
    world.backend.answers["Authorize"] = CallError(ErrorCode.INTERNAL_ERROR)

    assert await world.from_station("Authorize", {"idToken": CARD}) == {"idTokenInfo": UNKNOWN}


@pytest.mark.parametrize("mode", ["cache", "accept"])
async def test_a_contract_is_refused_offline_too(new_world: Callable[..., "World"], mode: str) -> None:
    world = new_world(Settings(authorize_offline=mode))  # type: ignore[arg-type]  # one of the three
    world.remembered = {"DEABCC12345678": {"status": "Accepted"}}
    world.backend.up = False
    request = {"idToken": {"idToken": "DEABCC12345678", "type": "eMAID"}, "certificate": "PEM"}

    answer = await world.from_station("Authorize", request)

    assert answer["idTokenInfo"] == {"status": "Invalid"}


@pytest.mark.parametrize("more", [{"certificate": "PEM"}, {"iso15118CertificateHashData": [HASH_DATA]}])
async def test_a_contract_that_nobody_verified_is_refused_without_asking(world: "World", more: Json) -> None:
    request = {"idToken": {"idToken": "DEABCC12345678", "type": "eMAID"}, **more}

    assert await world.from_station("Authorize", request) == {
        "idTokenInfo": {"status": "Invalid"},
        "certificateStatus": "CertChainError",
    }
    assert world.heard() == []


CONTRACT = {"idToken": {"idToken": "DEABCC12345678", "type": "eMAID"}, "certificate": "PEM"}
VERDICT = {"idTokenInfo": {"status": "Blocked"}, "certificateStatus": "Accepted"}


@pytest.fixture
def knowing(new_world: Callable[..., "World"]) -> "World":
    """A backend that knows the Plug & Charge note."""
    return new_world(Settings(plug_and_charge=True, authorize_offline="accept"))


@pytest.mark.parametrize("more", [{"certificate": "PEM"}, {"iso15118CertificateHashData": [HASH_DATA]}])
async def test_a_backend_that_knows_the_note_hears_all_of_a_contract(knowing: "World", more: Json) -> None:
    knowing.backend.answers["DataTransfer"] = {"status": "Accepted", "data": json.dumps(VERDICT)}
    assert await knowing.from_station("Authorize", {"idToken": CONTRACT["idToken"], **more}) == VERDICT
    ((action, sent),) = knowing.heard()
    assert (action, sent["vendorId"], sent["messageId"]) == ("DataTransfer", VENDOR_ID, "Authorize")
    assert json.loads(sent["data"]) == {"idToken": "DEABCC12345678", **more}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "UnknownVendorId"},
        {"status": "Accepted", "data": "{}"},
        CallError(ErrorCode.NOT_SUPPORTED),
    ],
)
async def test_a_backend_that_does_not_know_it_after_all_authorizes_nobody(knowing: "World", answer: Any) -> None:
    knowing.backend.answers["DataTransfer"] = answer
    assert await knowing.from_station("Authorize", CONTRACT) == {"idTokenInfo": UNKNOWN}
    assert set(knowing.notes) == {"wrapped-authorize"}


async def test_while_it_is_away_the_operator_has_the_word_on_contracts_too(knowing: "World") -> None:
    knowing.backend.up = False
    assert await knowing.from_station("Authorize", CONTRACT) == {"idTokenInfo": NOW_ONLY}


async def test_a_token_without_certificate_goes_to_it_as_to_any(knowing: "World") -> None:
    await knowing.from_station("Authorize", {"idToken": CARD})
    assert knowing.heard() == [("Authorize", {"idTag": "04A2B3C4"})]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"status": "Accepted"}, "Accepted"),
        ({"status": "Rejected"}, "Rejected"),
        (PeerUnavailable("gone"), "Rejected"),
        (CallError(ErrorCode.NOT_SUPPORTED), "Rejected"),
    ],
)
async def test_clear_cache(world: "World", outcome: Json | Exception, expected: str) -> None:
    world.station.answers["ClearCache"] = outcome

    assert await world.from_backend("ClearCache", {}) == {"status": expected}
    assert world.heard("station") == [("ClearCache", {})]
