"""What ``voltgate check`` says of the file endpoint: one thing made wrong at a time."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.config.check_files import check_files
from gateway.config.values import FOLDER
from tests.system.certificates import Authority

ISSUED = {"issued": {"dir": "own", "names": ["files.example.com", "10.0.0.1"]}}
FIRST = {"bind": "127.0.0.1:8080", "security_profiles": [1], "trusted_networks": ["127.0.0.0/8"]}


def say(folder: Path, *, tls: Any = None, **keys: Any) -> list[str]:
    shown = tls or {"certificates": [{"chain": "gateway.pem", "key": "file:gateway.key"}]}
    config = Config.model_validate(
        {
            "backends": {"legacy": {"url": "wss://h/{identity}"}},
            "listeners": [FIRST, {"bind": "127.0.0.1:8443", "security_profiles": [2], "tls": shown}],
            "files": {"bind": "127.0.0.1:8444", "public_url": "https://files.example.com:8444", **keys},
        },
        context={FOLDER: folder},
    )
    return [str(each) for each in check_files(config)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ["gateway.example.com", "files.example.com", "10.0.0.1"]
    chain, _ = Authority(tmp_path, "csms").leaf("gateway.example.com", names=names)
    (tmp_path / "gateway.pem").write_bytes(chain.read_bytes())
    return tmp_path


def test_without_the_section() -> None:
    assert [*check_files(Config.model_validate({"backends": {"legacy": {"url": "wss://h/{identity}"}}}))] == []


@pytest.mark.parametrize("host", ["files.example.com", "FILES.example.com", "10.0.0.1"])
@pytest.mark.parametrize("tls", [None, ISSUED])
def test_what_is_in_order(folder: Path, tls: Any, host: str) -> None:
    assert say(folder, tls=tls, public_url=f"https://{host}:8444") == []
    assert say(folder, tls=tls, listener=1) == []


@pytest.mark.parametrize("tls", [None, ISSUED])
def test_a_name_that_no_certificate_has(folder: Path, tls: Any) -> None:
    (line,) = say(folder, tls=tls, public_url="https://other.example.com")
    assert line.startswith("error: files.public_url: names other.example.com, which is in none of the certificates")


def test_certificates_that_cannot_be_read_are_the_listeners(folder: Path) -> None:
    (folder / "gateway.pem").write_text("nonsense")
    assert say(folder) == []
    (folder / "gateway.pem").unlink()
    assert say(folder) == []


def test_what_is_plain(folder: Path) -> None:
    keys = {"plain": True, "public_url": "http://files.example.com", "trusted_networks": ["0.0.0.0/0"]}
    network, plain = say(folder, **keys)
    assert network == "warning: files.trusted_networks[0]: 0.0.0.0/0 trusts the whole internet"
    assert plain.startswith("warning: files.plain: is true: images and logs travel in clear")


def test_an_address_of_another_machine(folder: Path) -> None:
    (line,) = say(folder, bind="192.0.2.1:8444")
    assert line.startswith("error: files.bind: 192.0.2.1 isn't an address of this machine")
