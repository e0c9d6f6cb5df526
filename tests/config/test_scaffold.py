"""What `voltgate init` writes is what `voltgate serve` runs: it loads, and there is nothing to report of it."""

import hashlib
import re
import shutil
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.app.firmware_manufacturers import Manufacturers
from gateway.config import load
from gateway.config.check import check
from gateway.config.scaffold import DEFAULT_BACKEND_URL, MANUFACTURER, ScaffoldRefused, default_names, scaffold
from pki.firmware import ImageDigest
from pki.firmware.signing import FileSigner, SigningCertificate

SECURE = "wss://csms.example.com/ocpp/{identity}"


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("init") / "voltgate"
    return folder, scaffold(folder)


def test_it_loads_and_is_clean(scaffolded: tuple[Path, list[Path]]) -> None:
    folder, _ = scaffolded
    config = load(folder / "voltgate.yaml", {})

    assert check(config, environ={}) == []
    assert [str(listener.bind) for listener in config.listeners] == ["0.0.0.0:8443", "127.0.0.1:8080"]
    assert str(config.admin.bind) == "127.0.0.1:8081"
    assert config.backends["legacy"].url == DEFAULT_BACKEND_URL == "ws://127.0.0.1:9000/ocpp/{identity}"
    assert [str(network) for network in config.backends["legacy"].trusted_networks] == ["127.0.0.0/8"]


def test_it_says_the_defaults(scaffolded: tuple[Path, list[Path]], tmp_path: Path) -> None:
    """What is written out, and what is shown in comments, is what holds without it."""
    folder = Path(shutil.copytree(scaffolded[0], tmp_path / "copy"))
    text = (folder / "voltgate.yaml").read_text()
    text = "".join(line for line in text.splitlines(keepends=True) if "public_url:" not in line)
    single = re.findall(r"^# ((?:unknown_station|onboarding|no_common_subprotocol): .*)$", text, re.MULTILINE)
    shown = [*single, *(line.removeprefix("# ") for line in text[text.index("# limits:") :].splitlines())]
    (folder / "limits.yaml").write_text("\n".join([text, *shown]))
    (folder / "minimal.yaml").write_text(f"backends: {{legacy: {{url: '{SECURE}'}}}}\n")

    (folder / "plain.yaml").write_text(text)
    config, full, minimal = (load(folder / name, {}) for name in ("plain.yaml", "limits.yaml", "minimal.yaml"))

    assert len(single) == 3
    assert full.limits.model_fields_set == set(type(full.limits).model_fields)
    assert full == config
    assert config.model_copy(update={"backends": minimal.backends, "admin": minimal.admin}) == minimal


def test_every_comment_that_shows_a_key_is_read(scaffolded: tuple[Path, list[Path]], tmp_path: Path) -> None:
    """Taking the # away is all that a key asks for."""
    text = (scaffolded[0] / "voltgate.yaml").read_text()
    keys = r"protocols|hosts|origins|load_balancers|factory_roots|static_rsa|revocation|  crls|  refresh|  when_unknown"
    keys += r"|  ocsp|ocsp|  responders"
    shown, count = re.subn(rf"^( *)# ((?:{keys}|allowed_organizations):)", r"\1\2", text, flags=re.MULTILINE)
    shown = shown.replace('public_url: "wss://localhost:', 'public_url: "wss://gateway.example.com:')
    (tmp_path / "voltgate.yaml").write_text(shown)

    config = load(tmp_path / "voltgate.yaml", {})

    assert count == 14
    assert config.listeners[0].hosts == ("gateway.example.com",)
    assert config.listeners[0].tls is not None
    assert config.listeners[0].tls.factory_roots == tmp_path / "certs/factory-roots.pem"
    assert not config.listeners[0].tls.static_rsa
    assert config.revocation.crls == (str(tmp_path / "certs/stations.crl"), "http://ca.example.com/stations.crl")
    assert config.revocation.ocsp == "certificate"
    assert config.ocsp.responders == ("ocsp.example.com", "*.v2g.example.com")
    assert config.allowed_organizations == ("Example Partner",)


@pytest.mark.parametrize(
    ("names", "url"),
    [
        (["gateway.example.com", "localhost"], "wss://gateway.example.com:8443/ocpp"),
        (["::1"], "wss://[::1]:8443/ocpp"),
        ([], "wss://localhost:8443/ocpp"),
    ],
)
def test_what_stations_are_told(
    scaffolded: tuple[Path, list[Path]], names: list[str], url: str, tmp_path: Path
) -> None:
    (tmp_path / "certs").symlink_to(scaffolded[0] / "certs")

    scaffold(tmp_path, names=names)

    tls, plain = load(tmp_path / "voltgate.yaml", {}).listeners
    assert (tls.public_url, plain.public_url) == (url, None)


def test_plug_and_charge_is_ready_to_run(tmp_path: Path) -> None:
    written = scaffold(tmp_path, plug_and_charge=True)

    config = load(tmp_path / "voltgate.yaml", {})
    (warning,) = check(config, environ={})
    assert (warning.key, warning.is_error) == ("plug_and_charge.providers.own.native.cps.key", False)  # development
    assert config.plug_and_charge is not None
    assert config.plug_and_charge.provider == "own"
    assert config.authority.contract is not None
    named = {path.relative_to(tmp_path).as_posix() for path in written}
    assert named >= {"certs/dev/cps.pem", "certs/dev/cps.key", "certs/dev/oem-roots.pem", "certs/dev/v2g-roots.pem"}


def test_without_a_word_there_is_no_plug_and_charge(scaffolded: tuple[Path, list[Path]]) -> None:
    config = load(scaffolded[0] / "voltgate.yaml", {})
    assert config.plug_and_charge is None
    assert config.authority.contract is None


def test_firmware_is_ready_to_run(tmp_path: Path) -> None:
    written = scaffold(tmp_path, firmware=True, names=["gateway.example.com"])

    config = load(tmp_path / "voltgate.yaml", {})
    assert check(config, environ={}) == []
    assert config.firmware is not None
    assert config.firmware.manufacturers["own"].vendors == (MANUFACTURER,)
    assert config.files is not None
    assert config.files.public_url == "https://gateway.example.com:8444"
    assert config.logs is not None
    assert not config.logs.hand_over
    named = {path.relative_to(tmp_path).as_posix() for path in written}
    assert named >= {"certs/dev/firmware-roots.pem", "certs/dev/firmware.pem", "certs/dev/firmware.key"}
    assert {"firmware/", "logs/", "secrets/"} <= set((tmp_path / ".gitignore").read_text().split())


def test_the_comments_on_firmware_show_what_is_read(tmp_path: Path) -> None:
    scaffold(tmp_path, firmware=True)
    text = (tmp_path / "voltgate.yaml").read_text().replace("  hand_over: false\n", "")
    shown, count = re.subn(r"^( *)# ((?:sources|hand_over|destinations):)", r"\1\2", text, flags=re.MULTILINE)
    (tmp_path / "voltgate.yaml").write_text(shown)

    config = load(tmp_path / "voltgate.yaml", {})

    assert count == 3
    assert config.firmware is not None
    assert config.firmware.sources == ("firmware.example.com",)
    assert config.logs is not None
    assert (config.logs.hand_over, config.logs.destinations) == (True, ("files.example.com",))


async def test_what_the_development_manufacturer_signs_is_verified(tmp_path: Path) -> None:
    """By the revocation that the configuration has, too."""
    scaffold(tmp_path, firmware=True)
    certs, digest = tmp_path / "certs" / "dev", ImageDigest(5, hashlib.sha256(b"image").digest(), b"")
    config = load(tmp_path / "voltgate.yaml", {})
    certificate = SigningCertificate((certs / "firmware.pem").read_text())
    signed = await FileSigner(certificate, (certs / "firmware.key").read_bytes()).sign(digest)

    manufacturers = Manufacturers(config)
    try:
        verified = await (await manufacturers.verifier("own")).verify(digest, signed)
    finally:
        await manufacturers.close()

    assert verified.signer == f"CN={MANUFACTURER} firmware,O={MANUFACTURER}"


def test_without_a_word_there_is_no_firmware(scaffolded: tuple[Path, list[Path]]) -> None:
    config = load(scaffolded[0] / "voltgate.yaml", {})
    assert (config.firmware, config.files, config.logs) == (None, None, None)


def test_what_is_written(scaffolded: tuple[Path, list[Path]]) -> None:
    folder, written = scaffolded

    assert [path.relative_to(folder).as_posix() for path in written] == [
        "voltgate.yaml",
        "certs/dev/gateway-ecdsa.pem",
        "certs/dev/gateway-ecdsa.key",
        "certs/dev/gateway-rsa.pem",
        "certs/dev/gateway-rsa.key",
        "certs/dev/station-roots.pem",
        "certs/dev/csms-root.pem",
        "secrets/admin-token",
        ".gitignore",
    ]
    token = folder / "secrets/admin-token"
    assert len(token.read_text().strip()) >= 43
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
    assert (folder / ".gitignore").read_text().split() == ["certs/dev/", "secrets/", "voltgate.db*"]
    assert token.read_text().strip() not in (folder / "voltgate.yaml").read_text()


def test_a_configuration_that_is_there_is_left_alone(scaffolded: tuple[Path, list[Path]]) -> None:
    folder, written = scaffolded
    before = {path: path.read_bytes() for path in written}

    with pytest.raises(ScaffoldRefused, match=r"voltgate\.yaml is there already; name another folder, or move it away"):
        scaffold(folder)
    assert {path: path.read_bytes() for path in written} == before


def test_what_else_is_there_is_kept(scaffolded: tuple[Path, list[Path]], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(scaffolded[0], tmp_path / "copy"))
    token = (folder / "secrets/admin-token").read_bytes()
    (folder / "voltgate.yaml").unlink()
    (folder / ".gitignore").write_text("*.log\nsecrets/\n")

    scaffold(folder)

    assert (folder / "secrets/admin-token").read_bytes() == token
    assert (folder / ".gitignore").read_text().split() == ["*.log", "secrets/", "certs/dev/", "voltgate.db*"]


@pytest.mark.parametrize("operator", ['My "CPO": é', "{identity}", "yes", "x" * 64, "a # b"])
def test_any_name_of_an_operator(scaffolded: tuple[Path, list[Path]], operator: str, tmp_path: Path) -> None:
    (tmp_path / "certs").symlink_to(scaffolded[0] / "certs")

    scaffold(tmp_path, operator=operator)

    assert load(tmp_path / "voltgate.yaml", {}).operator == operator


@pytest.mark.parametrize(
    ("url", "networks"),
    [
        (SECURE, []),
        ("ws://localhost:9000/{identity}", ["127.0.0.0/8"]),
        ("ws://10.1.2.3:9000/{identity}", ["10.1.2.3/32"]),
        ("ws://[::1]:9000/{identity}", ["::1/128"]),
    ],
)
def test_other_backends(scaffolded: tuple[Path, list[Path]], url: str, networks: list[str], tmp_path: Path) -> None:
    (tmp_path / "certs").symlink_to(scaffolded[0] / "certs")

    scaffold(tmp_path, backend_url=url)

    backend = load(tmp_path / "voltgate.yaml", {}).backends["legacy"]
    assert (backend.url, [str(network) for network in backend.trusted_networks]) == (url, networks)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backend_url": "ws://csms.example.com/{identity}"}, "backends.legacy.url: ws:// to a host name"),
        ({"backend_url": "ws://[::1/{identity}"}, "backends.legacy.url: must be a WebSocket URL"),
        ({"backend_url": "wss://csms.example.com/"}, r"backends.legacy.url: must hold \{identity\} once"),
        ({"operator": ""}, "operator: must not be empty"),
        ({"operator": "a\x1b"}, "operator: must not hold control characters"),
        ({"operator": "x" * 65}, "operator: must have at most 64"),
        ({"names": ["a_b"]}, "'a_b' is neither a host name nor an IP address"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ScaffoldRefused, match=words):
        scaffold(tmp_path / "new", **changes)
    assert not (tmp_path / "new").exists()


def test_the_names_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, names in [
        ("box.example", ["localhost", "127.0.0.1", "::1", "box.example"]),
        ("localhost", ["localhost", "127.0.0.1", "::1"]),
        ("not_a_name", ["localhost", "127.0.0.1", "::1"]),
    ]:
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        assert default_names() == names
