"""Some hundreds of hostile messages through the gateway, between strict third parties: nothing hostile gets across.

The corpus (hostile/*.json) was made by hypothesis out of the official schemas: hostile_corpus.py. That neither side
finds fault with a schema, and that the gateway's log has no fault of its own, is asserted by conftest.new_station.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import pytest

from policies.words import Kind
from tests.interop.conftest import assert_healthy
from tests.interop.hostile_corpus import SCHEMAS, SENDERS, Hostile, read
from tests.interop.hostile_values import CUT, LIST_LENGTH, leaves
from tests.interop.peers import Refusal
from tests.interop.test_ocpp_rpc import Dialogue, token_first

if TYPE_CHECKING:
    from tests.interop.child import Json
    from tests.interop.conftest import NewStation
    from tests.interop.gateway_process import Gateway
    from tests.interop.peers import Backend, Station

LEAST: Final = 300
"""Messages of the whole corpus."""
UNCLEAN: Final = re.compile("[\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]")
ACCEPTED: Final = {"status": "Accepted"}


def breaches(corpus: Sequence[Hostile], heard: "Sequence[tuple[str, Json]]") -> Iterator[str]:
    """Yield what of the corpus has got across: its markers, but in texts that were mended, and its endless lists."""
    by_marker = {each.marker: each for each in corpus}
    others = [re.escape(each.removesuffix("Z")) for each in by_marker if not CUT.match(each)]
    told = re.compile("|".join([CUT.pattern, *others]))
    for action, payload in heard:
        if longest(payload) >= LIST_LENGTH:
            yield f"{action}: a list of {longest(payload)}"
        for leaf in leaves(payload):
            for found in told.findall(format(leaf, ".0f") if isinstance(leaf, float) else str(leaf)):
                each = by_marker.get(found) or by_marker[f"{found}Z"]
                if not each.mended or UNCLEAN.search(str(leaf)):
                    yield f"{each.action}.{each.path}, {each.attack}: {action} has {leaf!r}"


def longest(value: Any) -> int:
    """Return the length of the longest list in a payload."""
    parts: list[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return max([len(value) if isinstance(value, list) else 0, *map(longest, parts)])


@pytest.mark.parametrize("name", SENDERS)
def test_the_corpus_is_what_it_says(name: str) -> None:
    sender = SENDERS[name]
    for each in read(name):
        complaint = SCHEMAS.complaint(sender.protocol, each.action, Kind.CALL, each.message())
        assert (complaint is None) is each.fits, (each, complaint)
        assert each.repeat > 1 or any(each.marker in str(leaf) for leaf in leaves(each.payload)), each


def test_it_has_some_hundreds_of_messages_with_markers_of_their_own() -> None:
    markers = [each.marker for name in SENDERS for each in read(name)]
    assert len(set(markers)) == len(markers) >= LEAST


@pytest.mark.parametrize(
    ("leaf", "across"),
    [("vg0001\x1b]", True), ("vg0001]", False), ("vg0002", True), ("1970-01-01T00:00:03.000Z", True), (-4e15, True)],
)
def test_what_got_across_is_seen(leaf: Any, across: bool) -> None:
    corpus = [
        Hostile("A", "a", "escape", "vg0001", fits=True, mended=True, payload={}),
        Hostile("A", "a", "shell", "vg0002", fits=True, mended=False, payload={}),
        Hostile("A", "a", "time", "1970-01-01T00:00:03Z", fits=True, mended=False, payload={}),
        Hostile("A", "a", "number", "-4000000000000000", fits=True, mended=False, payload={}),
    ]
    assert bool(list(breaches(corpus, [("B", {"list": [{"b": leaf}]})]))) is across


@pytest.mark.parametrize(("name", "protocol"), [("station-201", "ocpp2.0.1"), ("station-16", "ocpp1.6")])
def test_hostile_stations(
    name: str, protocol: str, new_station: "NewStation", backend: "Backend", gateway: "Gateway"
) -> None:
    corpus = read(name)
    station = new_station(2, protocol)
    station.connect(strict=False)
    assert station.boot()["status"] == "Accepted"

    for each in corpus:
        answer = station.tell(each.action, each.message())
        if isinstance(answer, Refusal) and answer.message == "Client disconnected":
            station.connect(strict=False)
        assert each.fits or isinstance(answer, Refusal), (each, answer)

    assert not list(breaches(corpus, backend.heard(station.identity)))
    log = gateway.news()
    assert any(line["event"] == "quarantined" for line in log)
    assert_healthy([line for line in log if line["event"] != "quarantined"])
    station.leave()
    station.connect()
    serves(station, backend)


@pytest.mark.parametrize("protocol", ["ocpp2.0.1", "ocpp1.6"])
def test_a_hostile_backend(protocol: str, new_station: "NewStation", backend: "Backend") -> None:
    corpus = read("backend-16")
    station = new_station(2, protocol)
    station.come_up()

    for each in corpus:
        answer = backend.tell(station.identity, each.action, each.message())
        assert each.fits or answer.startswith("[4,"), (each, answer)

    assert not list(breaches(corpus, station.heard()))
    station.answer("ClearCache", ACCEPTED)
    assert backend.call(station.identity, "ClearCache", {}) == ACCEPTED
    serves(station, backend)


def serves(station: "Station", backend: "Backend") -> None:
    """The session is as good as before: one more transaction, and the backend hears of it."""
    before = len(backend.ledger(station.identity))
    if station.protocol == "ocpp2.0.1":
        token_first(Dialogue(station, "honest"))
    else:
        begun = {"connectorId": 1, "idTag": "HONEST", "meterStart": 0, "timestamp": "2026-01-01T10:00:00Z"}
        number = station.call("StartTransaction", begun)["transactionId"]
        ended = {"transactionId": number, "meterStop": 500, "timestamp": "2026-01-01T11:00:00Z"}
        station.call("StopTransaction", ended)
    actions = [action for action, _ in backend.ledger(station.identity)][before:]
    assert (actions[0], actions[-1]) == ("StartTransaction", "StopTransaction")
