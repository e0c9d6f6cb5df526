"""Which contract: the order of several, and what is remembered of who fetches them."""

import pytest

from gateway.services import contract_choice
from gateway.services.contract_choice import CONTRACTS_MAX, LOOP_WITHIN, ContractChoices, in_order, key_of
from gateway.services.ev_certificate_words import EvRequest
from pki.iso15118.provisioning import Contract, ProvisioningRefused, Refusal, VerifiedRequest
from tests.services.vehicle_desk import (
    EMAID,
    NOW,
    OTHER,
    PCID,
    Book,
    ev_request,
    installation,
    installation_20,
    verified,
)

THIRD = "DE8EXC99999999"
ALL = [Contract(emaid, PCID) for emaid in (EMAID, OTHER, THIRD)]
ASKED = ev_request(b"exi")


def emaids(contracts: tuple[Contract, ...]) -> list[str]:
    return [each.emaid for each in contracts]


@pytest.mark.parametrize(
    ("first", "most", "got"),
    [
        ((), 10, [EMAID, OTHER, THIRD]),
        ((THIRD,), 10, [THIRD, EMAID, OTHER]),
        (("de-8ex-c99999999", OTHER), 10, [THIRD, OTHER, EMAID]),
        ((OTHER, THIRD, OTHER), 10, [OTHER, THIRD, EMAID]),
        (("DE8EXC00000000", OTHER), 10, [OTHER, EMAID, THIRD]),
        ((EMAID[:14],), 10, [EMAID, OTHER, THIRD]),
        (("not an eMAID",), 2, [EMAID, OTHER]),
        ((), 1, [EMAID]),
        ((), 0, [EMAID]),
    ],
)
def test_their_order(first: tuple[str, ...], most: int, got: list[str]) -> None:
    assert emaids(in_order(ALL, ASKED, installation_20(most=most, first=first))) == got
    in_21 = ev_request(b"exi", maximum_chains=most, prioritized_emaids=first)
    assert emaids(in_order(ALL, in_21, installation_20(most=255))) == got


def test_no_more_than_can_be_counted() -> None:
    many = [Contract(f"DE8EXC{number:08}", PCID) for number in range(300)]
    assert len(in_order(many, ASKED, installation_20(most=255))) == CONTRACTS_MAX


def test_spellings() -> None:
    assert key_of("de-8ex-c12345678") == key_of("DE8EXC12345678")
    assert key_of("nobody") == "nobody"


class Choosing:
    def __init__(self) -> None:
        self.book = Book({PCID: ALL})
        self.choices = ContractChoices(self.book, self.book, lambda _: "")

    async def next(
        self,
        request: VerifiedRequest | None = None,
        *,
        now: float = 0.0,
        station: str = "CS1",
        asked: EvRequest = ASKED,
    ) -> tuple[str | None, int]:
        request = request or verified(installation_20())
        choice = await self.choices.choose(station, asked, request, at=NOW, now=now)
        self.choices.provided(choice, choice.remaining, now)
        return choice.contract.emaid if choice.contract else None, choice.remaining


@pytest.fixture
def choosing() -> Choosing:
    return Choosing()


async def test_one_after_the_other(choosing: Choosing) -> None:
    assert [await choosing.next() for _ in range(4)] == [(EMAID, 2), (OTHER, 1), (THIRD, 0), (EMAID, 2)]


async def test_generation_2_has_one(choosing: Choosing) -> None:
    request = verified(installation())
    assert [await choosing.next(request) for _ in range(2)] == [(EMAID, 0), (EMAID, 0)]
    assert not choosing.choices.is_going_on("CS1", request, 0.0)


async def test_a_request_that_is_sent_again_meanwhile_ends_no_loop(choosing: Choosing) -> None:
    request = verified(installation_20())
    twice = [await choosing.choices.choose("CS1", ASKED, request, at=NOW, now=0.0) for _ in range(2)]
    for choice in twice:
        choosing.choices.provided(choice, choice.remaining, 0.0)
    assert [await choosing.next() for _ in range(2)] == [(OTHER, 1), (THIRD, 0)]


async def test_another_session_or_station_begins_anew(choosing: Choosing) -> None:
    assert await choosing.next() == (EMAID, 2)
    assert await choosing.next(verified(installation_20(b"another"))) == (EMAID, 2)
    assert await choosing.next(station="CS2") == (EMAID, 2)
    assert await choosing.next() == (OTHER, 1)


async def test_what_ends_meanwhile_is_left_out(choosing: Choosing) -> None:
    shorter = Contract(THIRD, PCID, NOW)
    assert await choosing.next() == (EMAID, 2)
    choosing.book.contracts = {PCID: [ALL[0], shorter]}
    choice = await choosing.choices.choose("CS1", ASKED, verified(installation_20()), at=NOW, now=0.0)
    assert (choice.contract, choice.remaining) == (shorter, 0)

    choosing.book.contracts = {PCID: ALL[:1]}
    with pytest.raises(ProvisioningRefused) as caught:
        await choosing.next()
    assert caught.value.refusal is Refusal.NO_CONTRACT
    assert await choosing.next() == (EMAID, 0)


async def test_who_does_not_come_back_in_time_begins_anew(choosing: Choosing) -> None:
    request = verified(installation_20())
    assert await choosing.next() == (EMAID, 2)
    assert choosing.choices.is_going_on("CS1", request, LOOP_WITHIN - 1)
    assert not choosing.choices.is_going_on("CS1", request, LOOP_WITHIN)
    assert await choosing.next(now=LOOP_WITHIN) == (EMAID, 2)


async def test_not_more_are_remembered_than_there_is_room_for(
    choosing: Choosing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract_choice, "LOOPS_MAX", 3)
    for number in range(4):
        await choosing.next(verified(installation_20(b"%08d" % number)))
    assert len(choosing.choices._loops) == 3
    assert await choosing.next(verified(installation_20(b"%08d" % 1))) == (OTHER, 1)
    assert await choosing.next(verified(installation_20(b"%08d" % 0))) == (EMAID, 2)


async def test_nobodys_vehicle(choosing: Choosing) -> None:
    choosing.book.contracts = {}
    assert await choosing.next() == (None, 0)
    assert not choosing.choices._loops


async def test_what_a_provider_says_of_its_own_becomes_less(choosing: Choosing) -> None:
    """One that says each time that there are more doesn't let a signed request have effect for ever."""
    choosing.book.contracts = {}
    request, going_on = verified(installation_20()), []
    for _ in range(4):
        choice = await choosing.choices.choose("CS1", ASKED, request, at=NOW, now=0.0)
        choosing.choices.provided(choice, 2, 0.0)
        going_on.append(choosing.choices.is_going_on("CS1", request, 0.0))
        if not going_on[-1]:
            break
    assert going_on == [True, True, False]
