"""Passwords: generated, judged, hashed, compared."""

import asyncio
import threading
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge import passwords
from gateway.edge.passwords import COMPARISONS, PasswordChecker, PasswordRejected
from gateway.edge.turns import TooManyWaiting, Turns


def test_a_generated_password_is_valid_for_every_station_and_never_the_same() -> None:
    made = {passwords.generate() for _ in range(50)}
    assert len(made) == 50
    for each in made:
        passwords.check(each)
        assert len(each) <= 40
        assert set(each) <= set(passwords._ALPHABET)


@pytest.mark.parametrize(
    ("password", "fits"),
    [
        ("a" * 15, False),
        ("a" * 16, True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("a" * 15 + "\n", False),
        ("ü" * 16, True),
    ],
)
def test_length_and_characters(password: str, fits: bool) -> None:
    if fits:
        passwords.check(password)
        return
    with pytest.raises(PasswordRejected) as caught:
        passwords.check(password)
    assert password not in str(caught.value)


def test_hash_and_verify() -> None:
    stored = passwords.hash_password("correct horse battery")
    assert "correct" not in stored
    assert stored.startswith("scrypt$16384$8$1$")
    assert stored != passwords.hash_password("correct horse battery")
    assert passwords.verify(b"correct horse battery", stored)
    assert not passwords.verify(b"correct horse batterx", stored)
    assert not passwords.verify(b"", stored)


def test_a_generated_authorization_key_is_40_hex_digits_and_never_the_same() -> None:
    made = {passwords.generate_authorization_key() for _ in range(50)}
    assert len(made) == 50
    for each in made:
        assert len(bytes.fromhex(each)) == 20
        passwords.check(each)


KEY = "00ff3a0d0a7f80c1e2000102030405060708090a"


@pytest.mark.parametrize(
    ("registered", "presented", "fits"),
    [
        (KEY, KEY.encode(), True),
        (KEY, KEY.upper().encode(), True),
        (KEY.upper(), KEY.encode(), True),
        (KEY, bytes.fromhex(KEY), True),
        (KEY[:32], bytes.fromhex(KEY[:32]), True),
        (KEY, bytes.fromhex(KEY)[:-1], False),
        (KEY, KEY[:-2].encode(), False),
        (KEY[:30], KEY[:30].upper().encode(), False),
        (KEY[:30], bytes.fromhex(KEY[:30]), False),
        (KEY + "00", bytes.fromhex(KEY + "00"), False),
        ("Correct horse battery", b"correct horse battery", False),
        ("sixteen letters!", b"sixteen letters!".hex().encode(), False),
    ],
)
def test_hex_digits_are_compared_as_the_bytes_that_they_stand_for(
    registered: str, presented: bytes, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "N", 2**4)
    assert passwords.verify(presented, passwords.hash_password(registered)) is fits


def test_hex_digits_that_were_hashed_as_text_fit_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "N", 2**4)
    monkeypatch.setattr(passwords, "_KEY", "scrypt")
    monkeypatch.setattr(passwords, "_key", lambda password: None)
    stored = passwords.hash_password(KEY)
    monkeypatch.undo()
    assert stored.startswith("scrypt$")
    assert passwords.verify(KEY.encode(), stored)
    assert not passwords.verify(KEY.upper().encode(), stored)


@given(st.binary(min_size=16, max_size=20), st.booleans())
def test_a_key_fits_raw_and_in_hex_and_nothing_beside_it_does(key: bytes, upper: bool) -> None:
    with patch.object(passwords, "N", 2):
        stored = passwords.hash_password(key.hex())
    assert stored.startswith("scrypt-key$")
    digits = key.hex().upper() if upper else key.hex()
    assert passwords.verify(key, stored)
    assert passwords.verify(digits.encode(), stored)
    assert not passwords.verify(key + b"x", stored)
    assert not passwords.verify(digits.encode() + b" ", stored)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A checker whose comparisons are counted, and made at once or when they are let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.checker = PasswordChecker(clock=self.clock)
        self.compared: list[tuple[bytes, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        monkeypatch.setattr(passwords, "verify", self._verify)

    def _verify(self, password: bytes, stored: str) -> bool:
        self.gate.wait(5)
        self.compared.append((password, stored))
        return stored == f"hash of {password.decode()}"

    async def fits(self, password: bytes, *stored: str) -> bool:
        """Play the door: what is proven needs no comparison."""
        proven = self.checker.proven(password, stored)
        return (proven or await self.checker.fitting(password, stored, "10.0.0.1")) is not None


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(monkeypatch)
    yield made
    made.gate.set()
    made.checker.close()


async def test_it_works_as_hard_for_nobody_as_for_somebody(bench: Bench) -> None:
    for stored in ((), ("hash of a",), ("hash of a", "hash of b")):
        bench.compared.clear()
        assert await bench.checker.fitting(b"wrong", stored, "10.0.0.1") is None
        assert [password for password, _ in bench.compared] == [b"wrong"] * COMPARISONS


async def test_it_says_which_of_two_fits(bench: Bench) -> None:
    stored = ("hash of old", "hash of new")
    for _ in range(2):
        assert await bench.checker.fitting(b"old", stored, "10.0.0.1") == "hash of old"
        assert await bench.checker.fitting(b"new", stored, "10.0.0.1") == "hash of new"
        assert bench.checker.proven(b"old", stored) == "hash of old"
        assert bench.checker.proven(b"new", stored) == "hash of new"


async def test_a_success_is_proof_for_an_hour(bench: Bench) -> None:
    for now, comparisons in ((0.0, 1), (3599.0, 1), (3600.0, 2), (3601.0, 2)):
        bench.clock.now = now
        assert await bench.fits(b"right", "hash of right")
        assert len(bench.compared) == comparisons


async def test_a_proof_is_of_one_password_and_one_hash(bench: Bench) -> None:
    assert await bench.fits(b"right", "hash of right")
    assert bench.checker.proven(b"wrong", ["hash of right"]) is None
    assert bench.checker.proven(b"right", ["hash of another"]) is None
    assert bench.checker.proven(b"right", []) is None


async def test_a_failure_proves_nothing(bench: Bench) -> None:
    for _ in range(2):
        assert not await bench.fits(b"wrong", "hash of right")
    assert len(bench.compared) == 2 * COMPARISONS


async def test_proofs_are_bounded_and_the_oldest_goes_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PROOFS_MAX", 2)
    for name in ("a", "b", "c"):
        assert await bench.fits(name.encode(), f"hash of {name}")
    assert await bench.fits(b"c", "hash of c")
    assert await bench.fits(b"b", "hash of b")
    assert len(bench.compared) == 3
    assert await bench.fits(b"a", "hash of a")
    assert len(bench.compared) == 4


async def test_a_storm_of_guesses_is_bounded_and_a_known_station_passes_it(bench: Bench) -> None:
    bench.checker._turns = Turns(at_once=2, waiting_max=1)
    assert await bench.fits(b"right", "hash of right")
    bench.gate.clear()
    guesses = [asyncio.create_task(bench.fits(b"guess", "hash of right")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaiting, match="1 wait already"):
        await bench.fits(b"one more", "hash of right")
    assert await bench.fits(b"right", "hash of right")
    bench.gate.set()
    assert await asyncio.gather(*guesses) == [False] * 3
    assert not await bench.fits(b"one more", "hash of right")


def test_no_password_is_kept(bench: Bench) -> None:
    asyncio.run(bench.checker.fitting(b"right", ["hash of right"], "10.0.0.1"))
    assert b"right" not in b"".join(bench.checker._proofs)
