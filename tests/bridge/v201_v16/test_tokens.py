"""Tokens: a type is guessed, a long token has an alias that leads back to it."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.books import Json, Page
from gateway.bridge.v201_v16 import tokens
from gateway.bridge.v201_v16.tokens import alias_of, id_token_info, tag_for, token_for, type_of

if TYPE_CHECKING:
    from tests.bridge.v201_v16.conftest import World

LONG = "DE-ABC-C12345678-X-AND-MORE"


@pytest.mark.parametrize(
    ("id_tag", "kind"),
    [
        ("DEABCC12345678", "eMAID"),
        ("DEABCC123456784", "eMAID"),
        ("DE-ABC-C12345678-4", "eMAID"),
        ("de-8aa-ca2b3c4d5-x", "eMAID"),
        ("04A2B3C4", "ISO14443"),
        ("04a2b3c4d5e6f7", "ISO14443"),
        ("E004015012345678", "ISO15693"),
        ("04A2B3C4D5", "Central"),
        ("app-user-17", "Central"),
        ("DEABC12345678", "Central"),
        ("", "Central"),
    ],
)
def test_the_type_is_guessed_from_the_form(id_tag: str, kind: str) -> None:
    assert type_of(id_tag) == kind


@pytest.mark.parametrize(
    ("token", "id_tag"),
    [
        ({"idToken": "04A2B3C4", "type": "ISO14443"}, "04A2B3C4"),
        ({"idToken": "x" * 20, "type": "Central"}, "x" * 20),
        ({"idToken": "x" * 21, "type": "Central"}, alias_of("x" * 21)),
        ({"idToken": "", "type": "NoAuthorization"}, "VOLTGATE"),
        ({"idToken": "ignored", "type": "NoAuthorization"}, "VOLTGATE"),
        ({"idToken": "", "type": "Central"}, "VOLTGATE"),
    ],
)
def test_the_tag_of_a_token(world: "World", token: Json, id_tag: str) -> None:
    assert tag_for(world.context, token) == id_tag
    assert len(id_tag) <= 20


def test_an_alias_leads_back_to_its_token_whatever_the_case_of_either(world: "World") -> None:
    alias = tag_for(world.context, {"idToken": LONG, "type": "eMAID"})

    assert alias == alias_of(LONG.lower())
    assert token_for(world.context, alias.lower()) == {"idToken": LONG, "type": "eMAID"}
    assert alias in world.notes["token-alias"]
    assert LONG not in world.notes["token-alias"]


def test_a_tag_that_is_no_alias_is_a_token_of_its_form(world: "World") -> None:
    assert token_for(world.context, "04A2B3C4") == {"idToken": "04A2B3C4", "type": "ISO14443"}


def test_aliases_are_bounded(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "ALIASES_MAX", 2)

    tags = [tag_for(world.context, {"idToken": f"{number:021}", "type": "Central"}) for number in range(3)]

    assert list(world.books.page(Page.ALIASES)) == [tag.casefold() for tag in tags[1:]]


@given(st.text(min_size=21, max_size=36))
def test_an_alias_is_no_card_number(token: str) -> None:
    assert len(alias_of(token)) == 20
    assert type_of(alias_of(token)) == "Central"


@pytest.mark.parametrize(
    ("id_tag_info", "expected"),
    [
        *(({"status": s}, {"status": s}) for s in ("Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx")),
        (
            {"status": "Accepted", "expiryDate": "2026-06-01T00:00:00+02:00", "parentIdTag": "FLEET"},
            {
                "status": "Accepted",
                "cacheExpiryDateTime": "2026-05-31T22:00:00Z",
                "groupIdToken": {"idToken": "FLEET", "type": "Central"},
            },
        ),
        ({"status": "Blocked", "parentIdTag": "", "expiryDate": "never"}, {"status": "Blocked"}),
    ],
)
def test_the_status_of_a_token(world: "World", id_tag_info: Json, expected: Json) -> None:
    assert id_token_info(world.context, id_tag_info) == expected
    assert ("expiry-date" in world.notes) == (id_tag_info.get("expiryDate") == "never")
