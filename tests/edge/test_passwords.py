"""Passwords: generated, judged, hashed, compared."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from gateway.edge import passwords
from gateway.edge.passwords import PasswordChecker, PasswordRejected, TooManyWaiting


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


async def test_the_checker_works_as_hard_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    derived: list[bytes] = []
    original = passwords._derive

    def counting(password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
        derived.append(password)
        return original(password, salt, n, r, p)

    checker = PasswordChecker()
    stored = passwords.hash_password("correct horse battery")
    monkeypatch.setattr(passwords, "_derive", counting)
    try:
        assert await checker.verify(b"correct horse battery", stored)
        assert not await checker.verify(b"wrong", stored)
        assert not await checker.verify(b"anything", None)
    finally:
        checker.close()
    assert derived == [b"correct horse battery", b"wrong", b"anything"]


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


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(monkeypatch)
    yield made
    made.gate.set()
    made.checker.close()


async def test_a_success_is_proof_for_an_hour(bench: Bench) -> None:
    for now, comparisons in ((0.0, 1), (3599.0, 1), (3600.0, 2), (3601.0, 2)):
        bench.clock.now = now
        assert await bench.checker.verify(b"right", "hash of right")
        assert len(bench.compared) == comparisons


async def test_a_proof_is_of_one_password_and_one_hash(bench: Bench) -> None:
    assert await bench.checker.verify(b"right", "hash of right")
    assert not await bench.checker.verify(b"wrong", "hash of right")
    assert not await bench.checker.verify(b"right", "hash of another")
    assert not await bench.checker.verify(b"right", None)
    assert len(bench.compared) == 4


async def test_a_failure_proves_nothing(bench: Bench) -> None:
    for _ in range(2):
        assert not await bench.checker.verify(b"wrong", "hash of right")
    assert len(bench.compared) == 2


async def test_proofs_are_bounded_and_the_oldest_goes_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PROOFS_MAX", 2)
    for name in ("a", "b", "c"):
        assert await bench.checker.verify(name.encode(), f"hash of {name}")
    assert await bench.checker.verify(b"c", "hash of c")
    assert await bench.checker.verify(b"b", "hash of b")
    assert len(bench.compared) == 3
    assert await bench.checker.verify(b"a", "hash of a")
    assert len(bench.compared) == 4


async def test_a_storm_of_guesses_is_bounded_and_a_known_station_passes_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "WAITING_MAX", 3)
    assert await bench.checker.verify(b"right", "hash of right")
    bench.gate.clear()
    guesses = [asyncio.create_task(bench.checker.verify(b"guess", "hash of right")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaiting, match="3 password comparisons"):
        await bench.checker.verify(b"one more", "hash of right")
    assert await bench.checker.verify(b"right", "hash of right")
    bench.gate.set()
    assert await asyncio.gather(*guesses) == [False] * 3
    assert not await bench.checker.verify(b"one more", "hash of right")


def test_no_password_is_kept(bench: Bench) -> None:
    asyncio.run(bench.checker.verify(b"right", "hash of right"))
    assert b"right" not in b"".join(bench.checker._proofs)
