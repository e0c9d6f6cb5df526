"""Which action is answered how, from either side, and that none is forgotten."""

import importlib.resources
from typing import TYPE_CHECKING

import pytest

from gateway.bridge.actions_16 import OF_A_CENTRAL_SYSTEM, OF_A_CHARGE_POINT, SECURITY_OF_A_CENTRAL_SYSTEM
from gateway.bridge.actions_201 import OF_A_CSMS
from gateway.bridge.books import Books
from gateway.bridge.v201_v16 import Settings
from gateway.bridge.v201_v16.dialect import (
    FROM_BACKEND,
    FROM_STATION,
    NOT_FOR_THE_BRIDGE,
    check_direction,
)
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.bridge.books import Json
    from tests.bridge.v201_v16.conftest import World


def actions(version: str) -> set[str]:
    """Return every action that the official schemas have."""
    names = (entry.name for entry in (importlib.resources.files(f"ocpp.{version}") / "schemas").iterdir())
    return {name.removesuffix("Response.json") for name in names if name.endswith("Response.json")}


def test_every_action_of_2_0_1_has_its_place() -> None:
    parts = [set(FROM_STATION), OF_A_CSMS, NOT_FOR_THE_BRIDGE]

    assert set().union(*parts) == actions("v201") | {"DataTransfer"}
    assert sum(map(len, parts)) == len(actions("v201"))


def test_every_action_of_1_6_has_its_place() -> None:
    assert OF_A_CENTRAL_SYSTEM | OF_A_CHARGE_POINT | FROM_BACKEND.keys() == actions("v16")
    assert FROM_BACKEND.keys() <= OF_A_CENTRAL_SYSTEM | {"DataTransfer"}


@pytest.mark.parametrize(
    ("action", "code"),
    [
        *((action, ErrorCode.NOT_SUPPORTED) for action in sorted(OF_A_CSMS | NOT_FOR_THE_BRIDGE)),
        ("StartTransaction", ErrorCode.NOT_IMPLEMENTED),
        ("authorize", ErrorCode.NOT_IMPLEMENTED),
        ("", ErrorCode.NOT_IMPLEMENTED),
    ],
)
async def test_what_a_station_must_not_send(world: "World", action: str, code: ErrorCode) -> None:
    with pytest.raises(CallError) as refused:
        await world.bridge.from_station(action, {})

    assert refused.value.code is code
    assert world.dialogue == []


@pytest.mark.parametrize(
    ("action", "code"),
    [
        *((action, ErrorCode.NOT_SUPPORTED) for action in sorted(OF_A_CENTRAL_SYSTEM - FROM_BACKEND.keys())),
        *((action, ErrorCode.NOT_SUPPORTED) for action in sorted(SECURITY_OF_A_CENTRAL_SYSTEM)),
        *((action, ErrorCode.NOT_SUPPORTED) for action in sorted(OF_A_CHARGE_POINT)),
        ("TransactionEvent", ErrorCode.NOT_IMPLEMENTED),
        ("reset", ErrorCode.NOT_IMPLEMENTED),
    ],
)
async def test_what_a_backend_must_not_send(world: "World", action: str, code: ErrorCode) -> None:
    with pytest.raises(CallError) as refused:
        await world.bridge.from_backend(action, {})

    assert refused.value.code is code
    assert world.dialogue == []


@pytest.mark.parametrize(
    ("action", "payload", "status"),
    [
        ("CertificateSigned", {"certificateChain": "x"}, "Rejected"),
        (
            "DeleteCertificate",
            {
                "certificateHashData": {
                    "hashAlgorithm": "SHA256",
                    "issuerNameHash": "n",
                    "issuerKeyHash": "k",
                    "serialNumber": "1",
                }
            },
            "Failed",
        ),
        (
            "InstallCertificate",
            {"certificateType": "CentralSystemRootCertificate", "certificate": "x"},
            "Rejected",
        ),
        (
            "SignedUpdateFirmware",
            {
                "requestId": 7,
                "firmware": {
                    "location": "https://example.com/fw",
                    "retrieveDateTime": "2026-05-01T12:00:00Z",
                    "signingCertificate": "c",
                    "signature": "s",
                },
            },
            "Rejected",
        ),
    ],
)
async def test_what_no_backend_may_do(known_world: "World", action: str, payload: "Json", status: str) -> None:
    assert await known_world.from_backend(action, payload) == {"status": status}

    assert known_world.dialogue == []
    assert len(known_world.reports) == 1


async def test_the_operators_settings_count(new_world: "Callable[..., World]") -> None:
    books = Books()
    world = new_world(Settings(default_id_tag="NOBODY", connectors={(1, 1): 7}), books)

    await world.event("Started", evse=1, token={"idToken": "", "type": "NoAuthorization"}, wh=1000)

    (_, payload), _ = world.heard()
    assert (payload["connectorId"], payload["idTag"]) == (7, "NOBODY")


@pytest.mark.parametrize(
    ("action", "is_ours"), [("Reset", True), ("DataTransfer", True), ("Heartbeat", False), ("TransactionEvent", False)]
)
def test_the_direction_of_an_action(action: str, is_ours: bool) -> None:
    if is_ours:
        check_direction(action)
        return
    with pytest.raises(CallError) as refused:
        check_direction(action)
    assert refused.value.code is ErrorCode.NOT_SUPPORTED
