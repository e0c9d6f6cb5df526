"""`voltgate contract certificates|revoke|log`."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from structlog.testing import capture_logs

from gateway.session.provisionings import ProvisioningEntry
from pki.authority.local import LocalAuthority
from pki.iso15118.provisioning import Refusal

Run = Callable[..., Any]
CAR, EMAID = "WVWZZZ1KZAW000123", "DE8EXC12345678"
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(serial: int) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, EMAID)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "MO")]))
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=30))
        .sign(KEY, SHA256())
    )


def entry(day: int, **more: Any) -> ProvisioningEntry:
    said = {"at": datetime(2026, 1, day, tzinfo=UTC), "station": "CS1", "action": "Install", "schema": "-2"}
    return ProvisioningEntry(**{**said, "digest": "ab", "emaid": EMAID, "pcid": CAR, "provider": "native", **more})


@pytest.fixture(autouse=True)
def issued(stored: Callable[..., Any]) -> None:
    """One that ours issued, one that another's did, and a refusal."""

    async def add(records: Any) -> None:
        audit = records.contract_provisionings
        await audit.issued(entry(1, contract_serial="af01"), certificate(0xAF01), usage="contract")
        await audit.issued(entry(2, contract_serial="af02", station="CS2"), certificate(0xAF02), usage="seen")
        await audit.note(entry(3, refusal=Refusal.REPLAYED, text="it was[red]answered before", emaid=None))

    stored(add)


@pytest.fixture(autouse=True)
def logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log isn't set up here, for it would be for all tests of this process."""
    monkeypatch.setattr("gateway.cli.contract_certificates.configure", lambda level, form: None)
    with capture_logs():
        yield


@pytest.mark.parametrize(
    ("options", "serials"),
    [
        ((), ["af01", "af02"]),
        (("--station", "CS2"), ["af02"]),
        (("--pcid", CAR.lower(), "--emaid", "de-8ex-c12345678"), ["af01", "af02"]),
        (("--state", "revoked", "--state", "expired"), []),
        (("--state", "issued", "--limit", "1"), ["af01"]),
    ],
)
def test_certificates(run: Run, options: tuple[str, ...], serials: list[str]) -> None:
    shown = json.loads(run("contract", "certificates", *options, "--json").stdout)
    assert [each["serial"] for each in shown] == serials


def test_the_tables(run: Run) -> None:
    assert "af01" in run("contract", "certificates").stdout
    assert "af02" in run("contract", "show", CAR).stdout
    text = run("contract", "log").stdout
    assert "it was[red]answered before" in text
    assert "Replayed" in text


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ((), [3, 2, 1]),
        (("CS1",), [3, 1]),
        (("--emaid", EMAID), [2, 1]),
        (("--pcid", CAR, "--outcome", "refused"), [3]),
        (("--since", "2026-01-02"), [3, 2]),
        (("--limit", "1"), [3]),
    ],
)
def test_the_log(run: Run, options: tuple[str, ...], ids: list[int]) -> None:
    assert [each["id"] for each in json.loads(run("contract", "log", *options, "--json").stdout)] == ids


def test_revoke(run: Run, config: Path, tmp_path: Path) -> None:
    tree = yaml.safe_load(config.read_text())
    folder = tmp_path / "mo"
    tree["authority"] = {"station": {"local": {"dir": "certs/dev/ca"}}, "contract": {"local": {"dir": str(folder)}}}
    config.write_text(yaml.safe_dump(tree))
    LocalAuthority.open(folder)

    shown = json.loads(run("contract", "revoke", "AF01", "--reason", "keyCompromise", "--json").stdout)
    assert (shown["state"], shown["reason"], shown["authority_told"]) == ("revoked", "keyCompromise", True)
    assert (shown["emaid"], shown["authority_problem"]) == (EMAID, None)
    text = run("contract", "revoke", "af:01").stdout
    assert f"certificate af01 of {EMAID} is revoked (keyCompromise); its authority was told" in text
    assert "of a vehicle (CN=DE8EXC12345678)" in run("cert", "revoke", "af01").stdout


def test_an_authority_that_cannot_be_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    result = run("contract", "revoke", "af01", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["state"] == "revoked"
    assert "authority.contract isn't configured" in capsys.readouterr().err


def test_anothers_is_revoked_here_alone(run: Run) -> None:
    assert "none of our authorities issued it" in run("contract", "revoke", "af02").stdout


def test_a_contract_that_goes_leaves_its_certificates(run: Run) -> None:
    run("contract", "add", CAR, EMAID)
    text = run("contract", "remove", CAR, EMAID).stdout
    assert "still valid: certificate af01; `voltgate contract revoke af01` ends it" in text


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("revoke", "af09"), 1, "no contract certificate with the serial number 'af09'"),
        (("revoke", "xyz"), 1, "hex"),
        (("revoke", "af01", "--reason", "removeFromCRL"), 2, "keyCompromise"),
        (("certificates", "--state", "lost"), 2, "superseded"),
        (("certificates", "--emaid", "x"), 2, "isn't an eMAID"),
        (("log", "--outcome", "lost"), 2, "refused"),
        (("log", "--since", "soon"), 2, "2026-01-31T12:00:00Z"),
    ],
)
def test_refusals(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    result = run("contract", *arguments)
    assert result.exit_code == status
    assert complaint in result.stderr + capsys.readouterr().err
