"""The question of admission and its possible answers."""

import pytest

from gateway.transport import AcceptThenClose, Headers, Refuse, UpgradeRequest


def asked(*protocols: str) -> UpgradeRequest:
    headers = Headers([("Sec-WebSocket-Protocol", value) for value in protocols])
    return UpgradeRequest("/", headers, ("192.0.2.1", 1))


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        ([], ()),
        (["ocpp1.6"], ("ocpp1.6",)),
        (["ocpp2.0.1, ocpp1.6"], ("ocpp2.0.1", "ocpp1.6")),
        (["ocpp1.6", "ocpp2.0.1,ocpp2.1"], ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")),
        (["OCPP1.6"], ("OCPP1.6",)),
    ],
)
def test_subprotocols_come_in_the_clients_order(lines: list[str], offered: tuple[str, ...]) -> None:
    assert asked(*lines).offered == offered


@pytest.mark.parametrize("line", ["", "ocpp 1.6", "ocpp1.6;", '"ocpp1.6"'])
def test_a_malformed_offer_is_said_to_be_one(line: str) -> None:
    with pytest.raises(ValueError, match="malformed Sec-WebSocket-Protocol"):
        _ = asked(line).offered


@pytest.mark.parametrize("status", [101, 200, 299, 600])
def test_a_refusal_has_the_status_of_one(status: int) -> None:
    with pytest.raises(ValueError, match=f"{status} is not the status of a refusal"):
        Refuse(status)


def test_a_refusal_cannot_smuggle_a_header() -> None:
    with pytest.raises(ValueError, match="WWW-Authenticate"):
        Refuse(401, {"WWW-Authenticate": "Basic\r\nSet-Cookie: a=b"})


def test_an_immediate_close_has_a_code_for_the_wire() -> None:
    with pytest.raises(ValueError, match="1006"):
        AcceptThenClose(1006, "")
