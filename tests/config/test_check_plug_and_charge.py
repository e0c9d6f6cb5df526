"""What ``voltgate check`` says of Plug & Charge: one thing made wrong at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config.check_plug_and_charge import check_plug_and_charge
from gateway.config.plug_and_charge import PlugAndCharge
from gateway.config.problems import Problem
from gateway.config.secrets import SecretRef
from pki.iso15118.development import write_plug_and_charge_pki
from pki.issuing import new_key
from pki.pem_files import key_pem

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DEVELOPMENT = "warning: plug_and_charge.providers.a.native.cps.key: is for development"
"""What is always said of a key in a file."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pnc")
    write_plug_and_charge_pki(folder, operator="Example CPO", clock=lambda: NOW)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    for file in made.glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / file.name).chmod(0o600)
    return tmp_path


def say(folder: Path, *, now: datetime = NOW, provider: Any = None, **keys: Any) -> list[str]:
    native = {"native": {"cps": {"chain": "cps.pem", "key": "file:cps.key"}}}
    section = PlugAndCharge.model_validate(
        {
            "providers": {"a": provider or native},
            "oem_roots": "oem-roots.pem",
            "oem_intermediates": "oem-intermediates.pem",
            **keys,
        },
        context={"folder": folder},
    )

    def secret(place: str, reference: SecretRef) -> Iterator[Problem]:
        yield Problem.error(place, f"asked for {reference}")

    return [str(each).replace(f"{folder}/", "") for each in check_plug_and_charge(section, secret, now, {})]


def test_what_is_in_order(folder: Path) -> None:
    (only,) = say(folder)
    assert only.startswith(DEVELOPMENT)


@pytest.mark.parametrize("name", ["oem_roots", "oem_intermediates", "mo_roots", "v2g_roots"])
def test_roots_that_are_not_there(folder: Path, name: str) -> None:
    assert f"error: plug_and_charge.{name}: nowhere.pem: No such file or directory" in say(
        folder, now=NOW, **{name: "nowhere.pem"}
    )


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("cps.pem", None, "cps.chain: cps.pem: No such file"),
        ("cps.pem", b"\xff", "cps.chain: cps.pem isn't a chain of certificates"),
        ("cps.pem", "oem-intermediates.pem", "cps.chain: cps.pem the subject of its leaf has no DC=CPS"),
        ("cps.pem", "v2g-roots.pem", "cps.chain: cps.pem holds a root"),
        ("cps.key", None, "cps.key: file:cps.key"),
        ("cps.key", key_pem(new_key()), "cps.key: file:cps.key: the key isn't that of the leaf"),
    ],
)
def test_a_provisioning_service_that_vehicles_would_refuse(
    folder: Path, file: str, content: bytes | str | None, line: str
) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content if isinstance(content, bytes) else (folder / content).read_bytes())
    found = [each for each in say(folder) if not each.startswith(DEVELOPMENT)]
    assert found
    assert f"error: plug_and_charge.providers.a.native.{line}" in found[0]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (timedelta(days=80), "expires on 20"),
        (timedelta(days=100), "renew it: vehicles refuse"),
        (-timedelta(1), "is valid from"),
    ],
)
def test_dates_of_a_provisioning_service(folder: Path, after: timedelta, words: str) -> None:
    assert any("native.cps.chain" in each and words in each for each in say(folder, now=NOW + after))


def test_a_key_that_others_can_read(folder: Path) -> None:
    (folder / "cps.key").chmod(0o644)
    assert len(say(folder)) == 2


def test_secrets_of_a_vault_and_of_providers(folder: Path) -> None:
    transit = {"address": "https://vault:8200", "auth": {"token": "env:T"}, "key": "cps", "roots": "nowhere.pem"}
    assert say(folder, provider={"native": {"cps_20": {"chain": "nowhere.pem", "transit": transit}}}) == [
        "error: plug_and_charge.providers.a.native.cps_20.transit.roots: nowhere.pem: No such file or directory",
        "error: plug_and_charge.providers.a.native.cps_20.transit.auth.token: asked for env:T",
        "error: plug_and_charge.providers.a.native.cps_20.chain: nowhere.pem: No such file or directory",
    ]


@pytest.mark.parametrize("signs", [False, True])
def test_what_an_opcp_provider_needs(folder: Path, signs: bool) -> None:
    token = {"url": "https://o/token", "client_id": "me", "client_secret": "env:S"}
    opcp = {"opcp": {"url": "https://o", "token": token, "headers": {"X-Api-Key": "env:K"}, "roots": "nowhere.pem"}}
    place = "plug_and_charge.providers.a." + ("native_opcp_cps.opcp" if signs else "opcp")
    others = (
        "warning: plug_and_charge.mo_roots: isn't set: Authorize with contracts of OPCP providers is refused; "
        "name their operators' roots"
    )
    assert say(folder, provider={"native_opcp_cps": opcp} if signs else opcp) == [
        (
            "warning: plug_and_charge.v2g_roots: isn't set: whether a provider's answer leads to a V2G root is left to "
            "the vehicle"
        ),
        *([] if signs else [others]),
        f"error: {place}.roots: nowhere.pem: No such file or directory",
        f"error: {place}.token.client_secret: asked for env:S",
        f"error: {place}.headers.X-Api-Key: asked for env:K",
    ]


def test_profiles_that_are_let_pass(folder: Path) -> None:
    assert any("certificate_profiles: is warn" in each for each in say(folder, certificate_profiles="warn"))


def test_a_timeout_longer_than_a_vehicle_waits(folder: Path) -> None:
    assert say(folder, timeout=5)[:-1] == [
        "warning: plug_and_charge.timeout: is 5 s: a vehicle gives up after 5; leave time for the way to it, too"
    ]
    assert say(folder, timeout=4.9)[:-1] == []
