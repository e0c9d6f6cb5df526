"""How a request is read, and what a refusal becomes."""

from typing import Any

import pytest

from gateway.admin.ports import Refused, StationRefused
from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import Query, Request, read_body, read_query, refusals
from gateway.bridge.ports import PeerUnavailable
from gateway.session.ports import RegistrationInvalid, RegistrationRefused
from gateway.wire.errors import CallError, ErrorCode


class Body(Request):
    number: int


class Parameters(Query):
    number: int = 1


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (RegistrationInvalid("x"), 400, "invalid"),
        (RegistrationRefused("x"), 409, "refused"),
        (Refused("x"), 409, "refused"),
        (StationRefused("x"), 409, "station_refused"),
        (PeerUnavailable("x"), 504, "no_answer"),
        (CallError(ErrorCode.NOT_SUPPORTED, "x"), 502, "call_error"),
        (LookupError("x"), 404, "missing"),
    ],
)
def test_refusals(raised: Exception, status: int, code: str) -> None:
    with pytest.raises(ApiRefusal, match=r"^x$") as caught, refusals("missing"):
        raise raised
    assert (caught.value.status, caught.value.code) == (status, code)


def test_what_nobody_foresaw_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), refusals():
        _ = 1 / 0


class Asked:
    """A request's body and URL."""

    def __init__(self, body: bytes = b"", query: Any = None) -> None:
        self.body = body
        self.query = query

    async def read(self) -> bytes:
        return self.body


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"number": "1"}', b'{"number": 1, "x": 1}', b'{"number": 1.5}'])
async def test_a_body_that_is_none(body: bytes) -> None:
    request: Any = Asked(body)
    with pytest.raises(ApiRefusal) as caught:
        await read_body(request, Body)
    assert caught.value.status == 400


async def test_a_body() -> None:
    request: Any = Asked(b'{"number": 2}')
    assert (await read_body(request, Body)).number == 2


class Parsed(dict[str, str]):
    """Parameters, each of them once."""

    def getall(self, name: str) -> list[str]:
        return [self[name]]


class Doubled(Parsed):
    """The same, each of them twice."""

    def getall(self, name: str) -> list[str]:
        return [self[name], self[name]]


def test_a_query() -> None:
    known: Any = Asked(query=Parsed(number="2"))
    assert read_query(known, Parameters).number == 2
    empty: Any = Asked(query=Parsed())
    assert read_query(empty, Parameters).number == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Parsed(number="x"), "number: "),
        (Parsed(secret="hunter2"), "secret: "),
        (Doubled(number="2"), "'number' is given twice"),
    ],
)
def test_a_query_that_is_none(query: Any, words: str) -> None:
    request: Any = Asked(query=query)
    with pytest.raises(ApiRefusal, match=words) as caught:
        read_query(request, Parameters)
    assert caught.value.status == 400
    assert "hunter2" not in str(caught.value)
