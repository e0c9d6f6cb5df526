"""The local authorization list, as tables and dialogues with a station that keeps the rules of 2.0.1."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.bridge.books import Json
from gateway.bridge.ports import PeerUnavailable
from gateway.bridge.v201_v16 import local_list
from gateway.bridge.v201_v16.local_list import PARTS_MAX, Limits, split
from gateway.bridge.v201_v16.tokens import tag_for
from gateway.wire.errors import CallError, ErrorCode

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

SILENCE = PeerUnavailable("gone")
NOT_SUPPORTED = CallError(ErrorCode.NOT_SUPPORTED, "no local list")
NOT_IMPLEMENTED = CallError(ErrorCode.NOT_IMPLEMENTED, "what is that")
BROKEN = CallError(ErrorCode.INTERNAL_ERROR, "broken")
ACCEPTED: Json = {"idTagInfo": {"status": "Accepted"}}


class Lister:
    """The list of a 2.0.1 station: its tokens, their version, and what it takes in one message."""

    def __init__(self, world: "World", items: int | None = None) -> None:
        self.tokens: set[str] = set()
        self.version = 0
        self.items = items
        self.fails_at: int | None = None
        """The message, counted from 0, that fails."""
        self.outcome: str | Exception = "Failed"
        self.takes_it = False
        """Whether that message does its work all the same."""
        self.messages = 0
        world.station.answers |= {
            "SendLocalList": self.send,
            "GetLocalListVersion": lambda _: {"versionNumber": self.version},
            "GetVariables": self.variables,
        }

    def send(self, request: Json) -> Json:
        message, self.messages = self.messages, self.messages + 1
        if message == self.fails_at:
            if self.takes_it:
                self.take(request)
            if isinstance(self.outcome, Exception):
                raise self.outcome
            return {"status": self.outcome}
        return {"status": self.take(request)}

    def take(self, request: Json) -> str:
        entries = request.get("localAuthorizationList", [])
        if self.items is not None and len(entries) > self.items:
            return "Failed"
        if request["updateType"] == "Full":
            self.tokens = set()
        elif request["versionNumber"] <= self.version:
            return "VersionMismatch"
        for entry in entries:
            (self.tokens.add if "idTokenInfo" in entry else self.tokens.discard)(entry["idToken"]["idToken"])
        self.version = request["versionNumber"]
        return "Accepted"

    def variables(self, request: Json) -> Json:
        values = {"ItemsPerMessage": self.items, "BytesPerMessage": None}
        results = []
        for asked in request["getVariableData"]:
            value = values[asked["variable"]["name"]]
            known = {"attributeStatus": "Accepted", "attributeValue": str(value)}
            results.append({**asked, **(known if value is not None else {"attributeStatus": "UnknownVariable"})})
        return {"getVariableResult": results}


def tags(*names: Any) -> list[Json]:
    return [{"idTag": str(name), **ACCEPTED} for name in names]


async def send(
    world: "World", version: int, entries: Iterable[Json] | None = None, kind: str = "Full", **more: Any
) -> str:
    payload = {"listVersion": version, "updateType": kind, **more}
    if entries is not None:
        payload["localAuthorizationList"] = list(entries)
    return str((await world.from_backend("SendLocalList", payload))["status"])


async def version_of(world: "World") -> int:
    return int((await world.from_backend("GetLocalListVersion", {}))["listVersion"])


class TestEntries:
    @pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
    async def test_all_fields(self, world: "World", status: str) -> None:
        Lister(world)
        info = {"status": status, "expiryDate": "2026-06-01T10:00:00+02:00", "parentIdTag": "GROUP"}

        assert await send(world, 3, [{"idTag": "04A2B3C4", "idTagInfo": info}]) == "Accepted"

        entry = {
            "idToken": {"idToken": "04A2B3C4", "type": "ISO14443"},
            "idTokenInfo": {
                "status": status,
                "cacheExpiryDateTime": "2026-06-01T08:00:00Z",
                "groupIdToken": {"idToken": "GROUP", "type": "Central"},
            },
        }
        request = {"versionNumber": 3, "updateType": "Full", "localAuthorizationList": [entry]}
        assert world.heard("station") == [("SendLocalList", request)]

    async def test_an_alias_is_the_token_behind_it(self, world: "World") -> None:
        Lister(world)
        token = {"idToken": "a-token-of-more-than-20", "type": "eMAID"}

        await send(world, 3, tags(tag_for(world.context, token)))

        assert world.heard("station")[0][1]["localAuthorizationList"][0]["idToken"] == token

    async def test_a_differential_one_without_info_is_deleted(self, world: "World") -> None:
        lister = Lister(world)
        await send(world, 3, tags("a", "b"))

        assert await send(world, 4, [{"idTag": "a"}, *tags("c")], "Differential") == "Accepted"
        assert lister.tokens == {"b", "c"}

    @pytest.mark.parametrize("entries", [None, []])
    async def test_none_empties_the_list(self, world: "World", entries: list[Json] | None) -> None:
        Lister(world)

        assert await send(world, 3, entries) == "Accepted"
        assert world.heard("station") == [("SendLocalList", {"versionNumber": 3, "updateType": "Full"})]


class TestStatuses:
    @pytest.mark.parametrize(
        ("outcome", "expected", "known"),
        [
            ("Accepted", "Accepted", 3),
            ("Failed", "Failed", None),
            ("VersionMismatch", "VersionMismatch", None),
            (NOT_SUPPORTED, "NotSupported", None),
            (NOT_IMPLEMENTED, "NotSupported", None),
            (BROKEN, "Failed", None),
            (SILENCE, "Failed", None),
        ],
    )
    async def test_of_the_station(
        self, world: "World", outcome: str | Exception, expected: str, known: int | None
    ) -> None:
        world.station.answers["SendLocalList"] = outcome if isinstance(outcome, Exception) else {"status": outcome}

        assert await send(world, 3, tags("a")) == expected

        world.station.up = False
        if known is not None:
            assert await version_of(world) == known
            return
        with pytest.raises(CallError) as refused:
            await version_of(world)
        assert refused.value.code is ErrorCode.GENERIC_ERROR

    @pytest.mark.parametrize(
        "payload",
        [
            {"listVersion": 0, "updateType": "Full"},
            {"listVersion": -1, "updateType": "Differential"},
            {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "a"}]},
            {
                "listVersion": 1,
                "updateType": "Differential",
                "localAuthorizationList": [
                    {"idTag": "a", "idTagInfo": {"status": "Accepted", "expiryDate": "0001-01-01T00:00:00+14:00"}}
                ],
            },
        ],
        ids=["version 0", "version -1", "full without info", "expiry that can't be read"],
    )
    async def test_failed_without_asking_the_station(self, world: "World", payload: Json) -> None:
        Lister(world)

        assert await world.bridge.from_backend("SendLocalList", payload) == {"status": "Failed"}
        assert world.heard("station") == []

    @pytest.mark.parametrize(("version", "expected"), [(4, "Accepted"), (3, "VersionMismatch"), (2, "VersionMismatch")])
    async def test_a_differential_one_must_be_newer(self, world: "World", version: int, expected: str) -> None:
        Lister(world)
        await send(world, 3, tags("a"))

        assert await send(world, version, tags("b"), "Differential") == expected

    async def test_a_differential_one_may_be_the_first(self, world: "World") -> None:
        lister = Lister(world)

        assert await send(world, 3, tags("a"), "Differential") == "Accepted"
        assert (lister.tokens, await version_of(world)) == ({"a"}, 3)

    async def test_a_full_one_need_not(self, world: "World") -> None:
        lister = Lister(world)
        await send(world, 3, tags("a"))

        assert await send(world, 2, tags("b")) == "Accepted"
        assert (lister.version, lister.tokens, await version_of(world)) == (2, {"b"}, 2)


class TestVersion:
    @pytest.mark.parametrize("number", [0, 1, 70_000])
    async def test_is_the_stations(self, world: "World", number: int) -> None:
        world.station.answers["GetLocalListVersion"] = {"versionNumber": number}

        assert await version_of(world) == number

    @pytest.mark.parametrize("outcome", [NOT_SUPPORTED, NOT_IMPLEMENTED])
    async def test_of_a_station_without_a_list(self, world: "World", outcome: CallError) -> None:
        world.station.answers["GetLocalListVersion"] = outcome

        assert await version_of(world) == -1

    @pytest.mark.parametrize("outcome", [BROKEN, SILENCE])
    async def test_that_cannot_be_asked_is_that_of_the_last_list(self, world: "World", outcome: Exception) -> None:
        lister = Lister(world)
        await send(world, 3, tags("a"))
        world.station.answers["GetLocalListVersion"] = outcome

        assert await version_of(world) == 3
        lister.fails_at, lister.outcome = 1, SILENCE
        await send(world, 4, tags("a"))
        with pytest.raises(CallError):
            await version_of(world)

    @pytest.mark.parametrize("was_taken", [True, False])
    async def test_after_a_list_whose_answer_got_lost(self, world: "World", was_taken: bool) -> None:
        lister = Lister(world)
        await send(world, 3, tags("a"))
        lister.fails_at, lister.outcome = 1, SILENCE
        await send(world, 4, tags("b"))
        lister.version = 4 if was_taken else 3

        assert await version_of(world) == lister.version
        again = await send(world, 4, tags("b"), "Differential")
        assert again == ("VersionMismatch" if was_taken else "Accepted")
        assert await version_of(world) == 4


class TestParts:
    @pytest.mark.parametrize(
        ("items", "size", "expected"),
        [
            (None, None, [4]),
            (4, None, [4]),
            (3, None, [3, 1]),
            (1, None, [1, 1, 1, 1]),
            (3, 10_000, [3, 1]),
            (None, local_list.ENVELOPE + 2 * 14, [2, 2]),
            (None, local_list.ENVELOPE + 2 * 14 - 1, [1, 1, 1, 1]),
            (None, 1, [1, 1, 1, 1]),
        ],
    )
    def test_lengths(self, items: int | None, size: int | None, expected: list[int]) -> None:
        entries = [{"idTag": str(number)} for number in range(4)]

        parts = split(entries, Limits(items, size))

        assert list(map(len, parts)) == expected
        assert [entry for part in parts for entry in part] == entries

    async def test_of_a_full_list(self, world: "World") -> None:
        lister = Lister(world, items=2)

        assert await send(world, 10, tags(*"abcde")) == "Accepted"

        sent = [request for action, request in world.heard("station") if action == "SendLocalList"]
        assert [(request["versionNumber"], request["updateType"]) for request in sent] == [
            (8, "Full"),
            (9, "Differential"),
            (10, "Differential"),
        ]
        assert lister.tokens == set("abcde")
        assert await version_of(world) == 10

    async def test_of_a_differential_list(self, world: "World") -> None:
        lister = Lister(world, items=2)
        await send(world, 10, tags("a"))

        assert await send(world, 20, tags(*"bcd"), "Differential") == "Accepted"

        assert lister.tokens == set("abcd")
        assert lister.version == 20

    async def test_where_the_backends_numbers_leave_no_room(self, world: "World") -> None:
        lister = Lister(world, items=2)
        seen = []
        for version, kind, names in [
            (1, "Full", "abcde"),
            (2, "Differential", "f"),
            (3, "Differential", "ghi"),
            (4, "Full", "abcd"),
            (4, "Differential", "x"),
            (5, "Differential", "e"),
            (90, "Differential", "f"),
        ]:
            status = await send(world, version, tags(*names), kind)
            seen.append((status, lister.version, await version_of(world)))

        assert seen == [
            ("Accepted", 3, 1),
            ("Accepted", 4, 2),
            ("Accepted", 6, 3),
            ("Accepted", 8, 4),
            ("VersionMismatch", 8, 4),
            ("Accepted", 9, 5),
            ("Accepted", 90, 90),
        ]
        assert lister.tokens == set("abcdef")

    async def test_the_numbers_are_known_after_a_restart(self, world: "World") -> None:
        Lister(world, items=2)
        await send(world, 1, tags(*"abcde"))

        world.restart()

        assert await version_of(world) == 1

    @pytest.mark.parametrize("outcome", ["Failed", "VersionMismatch", BROKEN, SILENCE])
    @pytest.mark.parametrize("version", [2, 10])
    async def test_a_list_of_which_only_parts_were_taken_is_none(
        self, world: "World", outcome: str | Exception, version: int
    ) -> None:
        lister = Lister(world, items=2)
        await send(world, 1, tags("z"))
        lister.fails_at, lister.outcome = 2, outcome

        assert await send(world, version, tags(*"abcde")) == "Failed"

        assert lister.tokens == set("ab")
        assert await version_of(world) == 0
        world.restart()
        assert await version_of(world) == 0
        assert await send(world, version + 1, tags("f"), "Differential") == "VersionMismatch"
        assert await send(world, version + 1, tags(*"abcdef")) == "Accepted"
        assert lister.tokens == set("abcdef")
        assert await version_of(world) == version + 1

    async def test_nothing_follows_on_parts_that_a_later_list_may_have_left(self, world: "World") -> None:
        lister = Lister(world, items=2)
        await send(world, 3, tags("z"))
        lister.fails_at = 2
        await send(world, 10, tags(*"abcde"))
        lister.fails_at, lister.outcome = lister.messages, SILENCE
        await send(world, 11, tags("f"))

        assert await version_of(world) == 0
        assert await send(world, 12, tags("g"), "Differential") == "VersionMismatch"

    @pytest.mark.parametrize("outcome", ["Failed", BROKEN, SILENCE])
    async def test_a_list_whose_first_part_was_refused_leaves_the_old_one(
        self, world: "World", outcome: str | Exception
    ) -> None:
        lister = Lister(world, items=2)
        await send(world, 1, tags(*"abcde"))
        lister.fails_at, lister.outcome = lister.messages, outcome

        assert await send(world, 2, tags("f"), "Differential") == "Failed"

        assert await version_of(world) == 1

    async def test_their_number_is_bounded(self, world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(local_list, "PARTS_MAX", 2)
        lister = Lister(world, items=2)

        assert await send(world, 5, tags(*"abcd")) == "Accepted"
        assert await send(world, 6, tags(*"abcde")) == "Failed"
        assert lister.tokens == set("abcd")
        assert "local-list-parts" in world.notes
        assert PARTS_MAX > 2

    @pytest.mark.parametrize("value", ["0", "-1", "many", "", "²"])
    async def test_a_limit_that_is_none(self, world: "World", value: str) -> None:
        Lister(world)
        world.station.answers["GetVariables"] = lambda request: {
            "getVariableResult": [
                {**asked, "attributeStatus": "Accepted", "attributeValue": value}
                for asked in request["getVariableData"]
            ]
        }

        assert await send(world, 5, tags(*"abc")) == "Accepted"
        assert len(world.heard("station")) == 2

    @pytest.mark.parametrize(("outcome", "expected"), [(BROKEN, "Accepted"), (SILENCE, "Failed")])
    async def test_a_station_that_does_not_say_its_limit(
        self, world: "World", outcome: Exception, expected: str
    ) -> None:
        lister = Lister(world)
        world.station.answers["GetVariables"] = outcome

        assert await send(world, 5, tags(*"abc")) == expected
        assert lister.tokens == (set("abc") if expected == "Accepted" else set())


_LOST_PART = (1, True, [*"abcde"], (0, (SILENCE, True)), False)
"""The station takes the first of three parts, and its answer gets lost."""
_LOST_SECOND_PART = (1, True, [*"abcde"], (1, (SILENCE, True)), False)
_LOST_LIST = (1, True, ["a"], (0, (SILENCE, False)), False)
"""The station never hears of it."""
FAILURES = st.tuples(st.integers(0, 3), st.sampled_from([("Failed", False), (SILENCE, False), (SILENCE, True)]))
UPDATES = st.tuples(
    st.integers(1, 4),
    st.booleans(),
    st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=7, unique=True),
    st.none() | FAILURES,
    st.booleans(),
)


@given(updates=st.lists(UPDATES, min_size=2, max_size=10))
@example([(1, False, ["a"], None, False), (2, False, ["a"], None, False), _LOST_PART, _LOST_LIST])
@example([(3, False, ["a"], None, False), _LOST_SECOND_PART, _LOST_LIST])
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_list_is_always_that_of_the_version_that_the_backend_is_told(
    new_world: Callable[..., "World"], updates: list[Any]
) -> None:
    """A backend that asks for the version after each update, and sends a Full one where it is 0."""

    async def play() -> None:
        world = new_world()
        lister = Lister(world, items=2)
        lists: dict[int, set[str]] = {0: set()}
        version, told = 0, 0
        for step, wants_full, names, failure, restarts in updates:
            version += step
            is_full = wants_full or told == 0
            lists[version] = set(names) if is_full else lists[told] | set(names)
            lister.fails_at = None
            if failure is not None:
                offset, (lister.outcome, lister.takes_it) = failure
                lister.fails_at = lister.messages + offset
            status = await send(world, version, tags(*names), "Full" if is_full else "Differential")
            if restarts:
                world.restart()
            told = await version_of(world)
            if status == "Accepted":
                assert told == version
            assert told == 0 or lister.tokens == lists[told]

    asyncio.run(play())
