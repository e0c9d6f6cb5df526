"""DataTransfer: any JSON on one side, text on the other."""

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16.data_transfer import for_backend, for_station
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from gateway.bridge.books import Json
    from tests.bridge.v201_v16.conftest import World


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("plain", "plain"),
        ('{"already":"text"}', '{"already":"text"}'),
        ({"a": [1, 2.5, None]}, '{"a":[1,2.5,null]}'),
        ([], "[]"),
        (5, "5"),
        (True, "true"),
        ("", ""),
    ],
)
def test_towards_the_backend_data_is_text(data: Any, text: str) -> None:
    assert for_backend({"vendorId": "V", "data": data}) == {"vendorId": "V", "data": text}


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("plain", "plain"),
        ("5", "5"),
        ('"quoted"', '"quoted"'),
        ('{"a":[1,2.5,null]}', {"a": [1, 2.5, None]}),
        ("  [1]", [1]),
        ("{not json", "{not json"),
        ('{"a":1,"a":2}', '{"a":1,"a":2}'),
        ("[" * 100 + "]" * 100, "[" * 100 + "]" * 100),
        ("[1e999]", "[1e999]"),
        ("", ""),
    ],
)
def test_towards_the_station_text_that_is_an_object_or_a_list_is_read(text: str, data: Any) -> None:
    assert for_station({"status": "Accepted", "data": text}) == {"status": "Accepted", "data": data}


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
"""What passes the strict decoder: JSON text with a NUL in it stays text."""


@given(st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT | st.lists(TEXT)))
def test_an_object_comes_back_as_it_was(data: dict[str, Any]) -> None:
    assert for_station(for_backend({"vendorId": "V", "data": data})) == {"vendorId": "V", "data": data}


@pytest.mark.parametrize("translate", [for_backend, for_station])
def test_no_data_stays_no_data_and_what_1_6_does_not_know_goes(translate: Any) -> None:
    assert translate({"vendorId": "V", "messageId": "M"}) == {"vendorId": "V", "messageId": "M"}
    assert translate({"status": "Rejected", "data": None, "statusInfo": {"reasonCode": "X"}}) == {"status": "Rejected"}


async def test_a_stations_is_relayed(world: "World") -> None:
    world.backend.answers["DataTransfer"] = {"status": "Accepted", "data": '{"ok":true}'}

    answer = await world.from_station("DataTransfer", {"vendorId": "V", "messageId": "M", "data": {"x": 1}})

    assert answer == {"status": "Accepted", "data": {"ok": True}}
    assert world.heard() == [("DataTransfer", {"vendorId": "V", "messageId": "M", "data": '{"x":1}'})]


async def test_a_backends_is_relayed(world: "World") -> None:
    world.station.answers["DataTransfer"] = {"status": "UnknownMessageId", "data": [1]}

    answer = await world.from_backend("DataTransfer", {"vendorId": "V", "data": '{"x":1}'})

    assert answer == {"status": "UnknownMessageId", "data": "[1]"}
    assert world.heard("station") == [("DataTransfer", {"vendorId": "V", "data": {"x": 1}})]


@pytest.mark.parametrize("outcome", [PeerUnavailable("gone"), CallError(ErrorCode.NOT_IMPLEMENTED)])
async def test_without_an_answer_is_rejected(world: "World", outcome: Exception) -> None:
    world.station.answers["DataTransfer"] = world.backend.answers["DataTransfer"] = outcome
    rejected: Json = {"status": "Rejected"}

    assert await world.from_station("DataTransfer", {"vendorId": "V"}) == rejected
    assert await world.from_backend("DataTransfer", {"vendorId": "V"}) == rejected


async def test_what_reaches_for_certificates_is_refused(world: "World") -> None:
    request = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "CertificateSigned", "data": "{}"}
    answer = await world.from_backend("DataTransfer", request)
    assert answer == {"status": "Accepted", "data": '{"status":"Rejected"}'}
    assert [kind for kind, _ in world.reports] == ["ReconfigurationOfSecurityParameters"]
    assert world.dialogue == []
