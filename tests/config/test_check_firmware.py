"""What ``voltgate check`` says of firmware: one thing made wrong at a time."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.config.check_firmware import check_firmware
from gateway.config.values import FOLDER
from pki.clock import utc_now
from tests.firmware_pki import manufacturer

NOW = utc_now()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("acme")
    manufacturer(now=NOW).write(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def say(folder: Path, *, acme: Any = None, days: int = 0, **keys: Any) -> list[str]:
    whole = {"roots": "roots.pem", "intermediates": "intermediates.pem", "crls": ["signers.crl"]}
    config = Config.model_validate(
        {
            "backends": {"legacy": {"url": "wss://h/{identity}"}},
            "files": {"public_url": "https://files.example.com"},
            "firmware": {"manufacturers": {"acme": {**whole, **(acme or {})}}, **keys},
        },
        context={FOLDER: folder},
    )
    now = NOW + timedelta(days=days)
    return [str(each).replace(f"{folder}/", "") for each in check_firmware(config, now)]


def test_what_is_in_order(folder: Path) -> None:
    assert say(folder) == []


def test_without_the_section() -> None:
    config = Config.model_validate({"backends": {"legacy": {"url": "wss://h/{identity}"}}})
    assert [*check_firmware(config, NOW)] == []


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"manufacturers": {}}, "warning: firmware.manufacturers: names nobody"),
        ({"acme": {"roots": "no.pem"}}, "error: firmware.manufacturers.acme.roots: no.pem: No such file"),
        ({"acme": {"intermediates": "signers.crl"}}, "error: firmware.manufacturers.acme.intermediates: signers.crl"),
        ({"acme": {"crls": ["roots.pem"]}}, "error: firmware.manufacturers.acme.crls[0]: roots.pem"),
        ({"days": 10}, "warning: firmware.manufacturers.acme.crls[0]: signers.crl"),
        ({"days": 1001}, "warning: firmware.manufacturers.acme.roots: roots.pem"),
        ({"acme": {"revocation": "off", "crls": []}}, "warning: firmware.manufacturers.acme.revocation: is off"),
        ({"acme": {"algorithms": ["rsa-pkcs1v15-sha256"]}}, "warning: firmware.manufacturers.acme.algorithms: takes"),
        ({"directory": "roots.pem"}, "error: firmware.directory: roots.pem isn't a folder"),
        ({"roots": "no.pem"}, "error: firmware.roots: no.pem: No such file"),
        ({"trusted_networks": ["0.0.0.0/0"]}, "warning: firmware.trusted_networks[0]: 0.0.0.0/0 trusts"),
        ({"serve": "original"}, "warning: firmware.serve: is original"),
    ],
)
def test_what_is_wrong(folder: Path, wrong: dict[str, Any], line: str) -> None:
    assert any(each.startswith(line) for each in say(folder, **wrong)), say(folder, **wrong)


def test_a_folder_that_can_not_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, _: path != folder)
    said = say(folder, directory="a/b")
    assert [each for each in said if "directory" in each] == [
        f"error: firmware.directory: {folder} can't be written by this user"
    ]


def test_stations_that_can_load_nothing(folder: Path) -> None:
    config = Config.model_validate(
        {"backends": {"legacy": {"url": "wss://h/{identity}"}}, "firmware": {}}, context={FOLDER: folder}
    )
    assert "warning: firmware.serve: is gateway, and there is no files: stations can load nothing" in map(
        str, check_firmware(config, NOW)
    )
