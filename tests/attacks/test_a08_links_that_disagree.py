"""Attack A8: path id, Basic user, certificate and what else names a station disagree, or the id isn't one."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.identity import IDENTITY_MAX
from gateway.transport import Accept, Refuse
from tests.edge.street import Street, basic


@pytest.fixture
def street() -> Iterator[Street]:
    with Street() as made:
        yield made


@pytest.mark.parametrize(
    "target",
    [
        "/ocpp/CS1%2F",
        "/ocpp/%2FCS1",
        "/ocpp/x%2F..%2FCS1",
        "/ocpp/CS%2531",
        "/ocpp/CS%252F1",
        "/ocpp/../ocpp/CS1",
        "/ocpp/..",
        "/ocpp/.",
        "/ocpp/%2e%2e",
        "/ocpp/CS1%00",
        "/ocpp/CS1%0a",
        "/ocpp/CS1%20",
        "/ocpp/CS1:",
        "/ocpp/CS1%3A",
        "/ocpp/%D0%A1S1",  # a Cyrillic C
        "/ocpp/CS%EF%BC%91",  # a full-width 1
        "/ocpp/CS1;x",
        "/ocpp/CS1?x",
        "/ocpp//CS1",
        "/OCPP/CS1",
        "/ocpp/" + "C" * (IDENTITY_MAX + 1),
        "/ocpp/CS%1",
        "/ocpp/",
    ],
)
async def test_what_is_no_identity_is_never_looked_up(street: Street, target: str) -> None:
    street.registry.failure = AssertionError("the registry was asked")
    assert await street.knock(target, basic("CS1")) == Refuse(404)
    assert street.tally.refused_entries == {"path": 1}


@pytest.mark.parametrize("user", ["cs1", "CS1 ", " CS1", "CS10", "CS", "", "CS%31", "CS3", "CS1\x00"])
async def test_the_basic_user_is_the_identity_to_the_byte(street: Street, user: str) -> None:
    assert (await street.knock("/ocpp/CS1", basic(user))).status == 401
    assert (await street.knock("/ocpp/CS1", basic(user), certificate=b"SN1")).status == 401
    assert street.tally.refused_entries == {"user_mismatch": 2}


async def test_a_look_alike_user_is_not_even_basic(street: Street) -> None:
    assert (await street.knock("/ocpp/CS1", basic("СS1"))).status == 401  # noqa: RUF001  # a Cyrillic C is the attack
    assert street.tally.refused_entries == {"credentials": 1}


async def test_escaped_once_it_is_the_same_identity(street: Street) -> None:
    assert isinstance(await street.knock("/ocpp/%43%53%31", basic("CS1")), Accept)
    assert [identity for identity, _, _ in street.directory.entered] == ["CS1"]


@pytest.mark.parametrize(
    ("target", "certificate"), [("/ocpp/CS1", b"SN3"), ("/ocpp/CS3", b"SN1"), ("/ocpp/CS3", b"CS3")]
)
async def test_the_certificate_names_the_registered_serial_number(
    street: Street, target: str, certificate: bytes
) -> None:
    assert (await street.knock(target, certificate=certificate)).status == 401
    assert street.tally.refused_entries == {"certificate": 1}


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60))
async def test_whoever_comes_in_is_who_the_path_names(segment: str) -> None:
    with Street() as street:
        verdict = await street.knock(f"/ocpp/{segment}", basic("CS1"))
        assert isinstance(verdict, Accept) == bool(street.directory.entered)
        assert {identity for identity, _, _ in street.directory.entered} <= {"CS1"}
