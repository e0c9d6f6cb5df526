"""Plug & Charge of 1.6 as dialogues: what comes wrapped in DataTransfer, and what is sent so."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.bridge.books import Json
from gateway.bridge.plug_and_charge_16 import VENDOR_ID
from gateway.bridge.ports import PeerUnavailable
from gateway.services.pnc_16 import PlugAndChargeTransfers, ask_wrapped
from gateway.session.stages import InvalidAnswer
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from tests.services.conftest import ScriptedStation


class Bridged(ScriptedStation):
    """A 1.6 station with a backend that answers UnknownVendorId."""

    def __init__(self) -> None:
        super().__init__(version=Version.V16)
        self.passed_on: list[tuple[str, Json]] = []
        self.bridge: Any = SimpleNamespace(from_station=self._from_station)

    async def _from_station(self, action: str, payload: Json) -> Json:
        self.passed_on.append((action, payload))
        return {"status": "UnknownVendorId"}


class Desk:
    def __init__(self) -> None:
        self.asked: list[tuple[Json, str]] = []
        self.transfers = PlugAndChargeTransfers({"SignCertificate": self._sign})
        self.station = Bridged()

    async def _sign(self, _: Any, payload: Json, vendor_id: str) -> Json:
        self.asked.append((payload, vendor_id))
        return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidCSR"}}

    async def transfer(self, **payload: str) -> Json:
        operation(Version.V16, "DataTransfer").request.check(payload)
        answer = await self.transfers.data_transfer(self.station, payload)
        operation(Version.V16, "DataTransfer").response.check(answer)
        return answer


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("message_id", ["SignCertificate", "signcertificate", " SIGNCERTIFICATE"])
@pytest.mark.parametrize("vendor", [VENDOR_ID, "iso15118", "ISO15118"])
async def test_a_message_of_the_note_is_answered_in_its_words(desk: Desk, vendor: str, message_id: str) -> None:
    data = json.dumps({"csr": "PEM", "certificateType": "V2GCertificate"})
    answer = await desk.transfer(vendorId=vendor, messageId=message_id, data=data)
    assert answer == {"status": "Accepted", "data": '{"status":"Rejected"}'}
    assert desk.asked == [({"csr": "PEM", "certificateType": "V2GCertificate"}, vendor)]


@pytest.mark.parametrize(
    "payload",
    [
        {"vendorId": "acme", "messageId": "SignCertificate", "data": "x"},
        {"vendorId": "acme"},
        {"vendorId": VENDOR_ID, "messageId": "Authorize", "data": "{}"},
        {"vendorId": VENDOR_ID, "messageId": "AUTHORIZE", "data": "{}"},
        {"vendorId": VENDOR_ID, "messageId": "Get15118EvCertificate", "data": "{}"},
    ],
)
async def test_what_is_not_the_gateways_goes_on_untouched(desk: Desk, payload: dict[str, str]) -> None:
    assert await desk.transfer(**payload) == {"status": "UnknownVendorId"}
    assert desk.station.passed_on == [("DataTransfer", payload)]


@pytest.mark.parametrize("payload", [{}, {"messageId": "CertificateSigned", "data": "{}"}])
async def test_a_message_that_no_station_sends(desk: Desk, payload: dict[str, str]) -> None:
    assert await desk.transfer(vendorId=VENDOR_ID, **payload) == {"status": "UnknownMessageId"}
    assert desk.station.passed_on == []


@pytest.mark.parametrize(
    "data", [None, "", "no json", "[]", "{}", '{"csr":1}', '{"csr":"a","csr":"b"}', "[" * 99, '{"csr":"a","x":1}']
)
@pytest.mark.parametrize("message_id", ["SignCertificate", "SIGNcertificate"])
async def test_data_that_can_not_be_read(desk: Desk, data: str | None, message_id: str) -> None:
    more = {} if data is None else {"data": data}
    assert await desk.transfer(vendorId=VENDOR_ID, messageId=message_id, **more) == {"status": "Rejected"}
    assert desk.asked == []


@pytest.mark.parametrize("status", ["Accepted", "Failed"])
async def test_contract_certificates_are_the_backends_unless_they_are_served(status: str) -> None:
    async def serve(_: Any, payload: Json, vendor_id: str) -> Json:
        assert (payload["exiRequest"], vendor_id) == ("gA==", "iso15118")
        return {"status": status, "exiResponse": "gA==", "statusInfo": {"reasonCode": "NoContract"}}

    desk = Desk()
    desk.transfers = PlugAndChargeTransfers({"Get15118EVCertificate": serve})
    data = '{"iso15118SchemaVersion":"urn:x","action":"Install","exiRequest":"gA=="}'
    answer = await desk.transfer(vendorId="iso15118", messageId="Get15118EVCertificate", data=data)
    assert answer == {"status": "Accepted", "data": f'{{"status":"{status}","exiResponse":"gA=="}}'}
    assert desk.station.passed_on == []
    assert await desk.transfer(vendorId="iso15118", messageId="Get15118EVCertificate", data='{"action":"Install"}') == {
        "status": "Rejected"
    }


# --- what is sent


async def test_a_message_is_wrapped_and_its_answer_unwrapped(desk: Desk) -> None:
    desk.station.says("DataTransfer", {"status": "Accepted", "data": '{"status":"Accepted"}'})
    chain = {"certificateChain": "PEM"}
    assert await ask_wrapped(desk.station, "CertificateSigned", chain, "iso15118") == {"status": "Accepted"}
    sent = {"vendorId": "iso15118", "messageId": "CertificateSigned", "data": '{"certificateChain":"PEM"}'}
    assert desk.station.calls == [("DataTransfer", sent)]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"status": "UnknownVendorId"}, ErrorCode.NOT_SUPPORTED),
        ({"status": "UnknownMessageId"}, ErrorCode.NOT_SUPPORTED),
        ({"status": "Rejected"}, ErrorCode.GENERIC_ERROR),
    ],
)
async def test_a_station_that_does_not_take_it(desk: Desk, answer: Json, code: ErrorCode) -> None:
    desk.station.says("DataTransfer", answer)
    with pytest.raises(CallError) as refused:
        await ask_wrapped(desk.station, "TriggerMessage", {})
    assert refused.value.code is code


@pytest.mark.parametrize("data", [None, "no json", '{"status":"Perhaps"}', '"Accepted"'])
async def test_an_answer_that_can_not_be_read(desk: Desk, data: str | None) -> None:
    desk.station.says("DataTransfer", {"status": "Accepted"} | ({} if data is None else {"data": data}))
    with pytest.raises(InvalidAnswer):
        await ask_wrapped(desk.station, "TriggerMessage", {})


async def test_a_station_that_is_away(desk: Desk) -> None:
    desk.station.says("DataTransfer", PeerUnavailable("gone"))
    with pytest.raises(PeerUnavailable):
        await ask_wrapped(desk.station, "TriggerMessage", {})


TRIGGER = {"status": "Accepted", "data": '{"status":"Accepted"}'}


def under(desk: Desk) -> list[str]:
    return [payload["vendorId"] for _, payload in desk.station.calls]


async def test_a_station_is_spoken_to_under_the_vendor_that_it_used_last(desk: Desk) -> None:
    desk.station.says("DataTransfer", TRIGGER)
    await ask_wrapped(desk.station, "TriggerMessage", {})
    for vendor in ("ISO15118", VENDOR_ID):
        await desk.transfer(vendorId=vendor, messageId="SignCertificate", data='{"csr":"PEM"}')
        await ask_wrapped(desk.station, "TriggerMessage", {})
    assert under(desk) == [VENDOR_ID, "ISO15118", VENDOR_ID]


async def test_one_that_does_not_know_a_vendor_is_asked_under_the_other(desk: Desk) -> None:
    desk.station.says("DataTransfer", {"status": "UnknownVendorId"}, TRIGGER)
    assert await ask_wrapped(desk.station, "TriggerMessage", {}) == {"status": "Accepted"}
    await ask_wrapped(desk.station, "TriggerMessage", {})
    assert under(desk) == [VENDOR_ID, "iso15118", "iso15118"]


async def test_one_that_knows_neither_stays_unknown(desk: Desk) -> None:
    desk.station.says("DataTransfer", {"status": "UnknownVendorId"})
    for _ in range(2):
        with pytest.raises(CallError) as refused:
            await ask_wrapped(desk.station, "TriggerMessage", {})
        assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert under(desk) == [VENDOR_ID, "iso15118"] * 2


async def test_the_words_of_the_extension_are_understood(desk: Desk) -> None:
    data = json.dumps({"csr": "PEM", "typeOfCertificate": "V2GCertificate"})
    assert (await desk.transfer(vendorId="iso15118", messageId="SignCertificate", data=data))["status"] == "Accepted"
    assert desk.asked == [({"csr": "PEM", "certificateType": "V2GCertificate"}, "iso15118")]
