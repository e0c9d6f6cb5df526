"""Digests of images: in one pass, in pieces, of files of any size."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.firmware import ImageDigest
from pki.firmware.digest import CHUNK, Digesting, digest_file


def digest_of(octets: bytes) -> ImageDigest:
    md5 = hashlib.md5(octets, usedforsecurity=False).digest()
    return ImageDigest(len(octets), hashlib.sha256(octets).digest(), md5)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_pieces_are_one_image(pieces: list[bytes]) -> None:
    digesting = Digesting()
    for piece in pieces:
        digesting.update(memoryview(piece))
    assert digesting.result() == digest_of(b"".join(pieces))


def test_a_result_on_the_way_ends_nothing() -> None:
    digesting = Digesting()
    digesting.update(b"half")
    assert digesting.result() == digest_of(b"half")
    digesting.update(bytearray(b" and half"))
    assert digesting.result() == digest_of(b"half and half")


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_a_file_of_any_size(tmp_path: Path, size: int) -> None:
    octets = bytes(range(251)) * (size // 251 + 1)
    image = tmp_path / "image.bin"
    image.write_bytes(octets[:size])
    assert digest_file(image) == digest_of(octets[:size])


def test_without_md5_for_who_doesnt_ask_for_it(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(b"image")
    found = digest_file(image, md5=False)
    assert (found.size, found.sha256, found.md5) == (5, hashlib.sha256(b"image").digest(), b"")


def test_a_file_that_isnt_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_file(tmp_path / "image.bin")
