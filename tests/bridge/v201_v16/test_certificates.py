"""GetInstalledCertificateIds: types there and back, the tree made flat."""

from typing import TYPE_CHECKING, Any

import pytest

from gateway.bridge.ports import PeerUnavailable
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from gateway.bridge.books import Json
    from tests.bridge.v201_v16.conftest import World

CSMS = "CSMSRootCertificate"
MAKER = "ManufacturerRootCertificate"


def hashes(serial: str, **more: Any) -> "Json":
    return {"hashAlgorithm": "SHA256", "issuerNameHash": "n", "issuerKeyHash": "k", "serialNumber": serial, **more}


def chain(kind: str, serial: str, *children: str) -> "Json":
    below = {"childCertificateHashData": [hashes(child) for child in children]} if children else {}
    return {"certificateType": kind, "certificateHashData": hashes(serial), **below}


@pytest.mark.parametrize(
    ("kind", "wanted"), [("CentralSystemRootCertificate", CSMS), ("ManufacturerRootCertificate", MAKER)]
)
async def test_the_roots_of_one_type(known_world: "World", kind: str, wanted: str) -> None:
    known_world.station.answers["GetInstalledCertificateIds"] = {
        "status": "Accepted",
        "certificateHashDataChain": [chain(CSMS, "1"), chain(MAKER, "2"), chain(wanted, "3", "4", "5")],
    }

    answer = await known_world.from_backend("GetInstalledCertificateIds", {"certificateType": kind})

    first = "1" if wanted == CSMS else "2"
    assert answer == {"status": "Accepted", "certificateHashData": [hashes(first), hashes("3")]}
    assert known_world.heard("station") == [("GetInstalledCertificateIds", {"certificateType": [wanted]})]


async def test_what_only_2_0_1_knows_is_left_out(known_world: "World") -> None:
    extended = {**chain(CSMS, "1"), "certificateHashData": hashes("1", customData={"vendorId": "acme"})}
    known_world.station.answers["GetInstalledCertificateIds"] = {
        "status": "Accepted",
        "certificateHashDataChain": [extended],
    }

    answer = await known_world.from_backend(
        "GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}
    )

    assert answer["certificateHashData"] == [hashes("1")]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "NotFound"},
        {"status": "Accepted"},
        {"status": "NotFound", "certificateHashDataChain": [chain(CSMS, "1")]},
        {"status": "Accepted", "certificateHashDataChain": [chain(MAKER, "1")]},
    ],
)
async def test_nothing_found(known_world: "World", answer: "Json") -> None:
    known_world.station.answers["GetInstalledCertificateIds"] = answer

    assert await known_world.from_backend(
        "GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}
    ) == {"status": "NotFound"}


@pytest.mark.parametrize("error", [PeerUnavailable("gone"), CallError(ErrorCode.INTERNAL_ERROR, "broken")])
async def test_who_does_not_answer_has_not_said_that_it_found_none(known_world: "World", error: Exception) -> None:
    known_world.station.answers["GetInstalledCertificateIds"] = error

    with pytest.raises(type(error)):
        await known_world.from_backend(
            "GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}
        )
