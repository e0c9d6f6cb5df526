"""A listener as `voltgate check` sees it: whom it trusts, and what it shows."""

import shutil
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway.config import Listener, load
from gateway.config.check_listener import check_listener
from gateway.config.scaffold import scaffold
from gateway.config.tree import IssuedCertificates
from pki.issuing import new_hierarchy
from pki.paths import load_roots
from pki.pem_files import certificates_pem

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check") / "clean"
    scaffold(folder, names=["localhost"])
    return folder


@pytest.fixture
def dev(scaffolded: Path, tmp_path: Path) -> Path:
    """The development PKI, a copy that a test may spoil."""
    shutil.copytree(scaffolded, tmp_path / "voltgate")
    return tmp_path / "voltgate/certs/dev"


@pytest.fixture
def listener(dev: Path) -> Listener:
    return load(dev.parents[1] / "voltgate.yaml", {}).listeners[0]


def look(listener: Listener, dev: Path, **tls: Any) -> list[str]:
    assert listener.tls is not None
    (root,) = load_roots((dev / "station-roots.pem").read_bytes())
    changed = listener.model_copy(update={"tls": listener.tls.model_copy(update=tls)})
    found = check_listener("l", changed, root, environ={}, now=NOW)
    return [str(problem).replace(f"{dev}/", "") for problem in found]


@pytest.fixture
def manufacturer() -> x509.Certificate:
    return new_hierarchy("Station Maker", None, NOW).root.certificate


def write(path: Path, *certificates: x509.Certificate) -> Path:
    path.write_text(certificates_pem(certificates))
    return path


def test_nothing_to_say(listener: Listener, dev: Path, manufacturer: x509.Certificate) -> None:
    assert look(listener, dev) == []
    assert look(listener, dev, factory_roots=write(dev / "factory.pem", manufacturer)) == []
    assert look(listener, dev, csms_roots=None) == []


def test_everybody_as_a_load_balancer(listener: Listener, dev: Path) -> None:
    listener = listener.model_copy(update={"load_balancers": (ip_network("::/0"),)})

    assert look(listener, dev) == ["warning: l.load_balancers[0]: ::/0 trusts the whole internet"]


@pytest.mark.parametrize("key", ["station_roots", "factory_roots", "csms_roots"])
def test_roots_that_are_none(listener: Listener, dev: Path, key: str) -> None:
    leaf, issuing = x509.load_pem_x509_certificates((dev / "gateway-rsa.pem").read_bytes())
    del issuing

    assert look(listener, dev, **{key: dev / "nowhere.pem"}) == [
        f"error: l.tls.{key}: nowhere.pem: No such file or directory"
    ]
    (said,) = look(listener, dev, **{key: write(dev / "leaf.pem", leaf)})
    assert said.startswith(f"error: l.tls.{key}: leaf.pem CN=localhost")
    assert said.endswith("isn't a CA certificate; a root must be one")


def test_your_own_root_among_the_manufacturers(listener: Listener, dev: Path, manufacturer: x509.Certificate) -> None:
    (root,) = load_roots((dev / "station-roots.pem").read_bytes())
    factory = write(dev / "factory.pem", manufacturer, root)

    (said,) = look(listener, dev, factory_roots=factory)
    assert said.startswith("error: l.tls.factory_roots: factory.pem: CN=Voltgate station")
    assert "is a root of your own stations" in said
    assert len(look(listener, dev, factory_roots=factory, station_roots=None)) == 1


def test_roots_that_would_not_verify_this_gateway(
    listener: Listener, dev: Path, manufacturer: x509.Certificate
) -> None:
    csms = write(dev / "other.pem", manufacturer)

    assert look(listener, dev, csms_roots=csms) == [
        f"warning: l.tls.certificates[{n}].chain: leads to none of csms_roots: "
        "a station that was upgraded with them wouldn't trust this gateway"
        for n in (0, 1)
    ]


def test_a_listener_in_clear(dev: Path) -> None:
    plain = load(dev.parents[1] / "voltgate.yaml", {}).listeners[1]

    assert list(check_listener("l", plain, None, environ={}, now=NOW)) == []


def test_issued_certificates_in_the_place_of_others(
    listener: Listener, dev: Path, manufacturer: x509.Certificate
) -> None:
    issued = IssuedCertificates.model_validate({"names": ("localhost",), "dir": str(dev / "issued")})
    assert look(listener, dev, certificates=(), issued=issued) == []

    tls = listener.tls.model_copy(update={"certificates": (), "issued": issued})  # type: ignore[union-attr]  # it has
    found = check_listener("l", listener.model_copy(update={"tls": tls}), None, manufacturer, environ={}, now=NOW)
    assert [str(each).partition(" lacks")[0] for each in found] == ["warning: l.tls.issued: csms_roots"]
