"""Passwords: generated, judged, hashed, compared."""

import pytest

from gateway.edge import passwords
from gateway.edge.passwords import PasswordChecker, PasswordRejected


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
