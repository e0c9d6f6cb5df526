"""CRLs in files as `voltgate check` sees them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.config.check_crls import check_crl
from pki.crl import parse_crls
from pki.issuing import Hierarchy, Issuer, new_hierarchy

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def ca() -> Hierarchy:
    return new_hierarchy("Station", None, NOW - DAY)


@pytest.fixture(scope="module")
def namesake() -> Hierarchy:
    return new_hierarchy("Station", None, NOW - DAY)


def crl(
    issuer: Issuer, name: x509.Name | None = None, extension: x509.ExtensionType | None = None
) -> x509.CertificateRevocationList:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name or issuer.certificate.subject)
        .last_update(NOW - 2 * DAY)
        .next_update(NOW + DAY)
    )
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(issuer.key, SHA256())


def look(path: Path, *authorities: x509.Certificate, now: datetime = NOW) -> list[str]:
    return [str(each).replace(f"{path}", "x.crl") for each in check_crl("crls[0]", path, authorities, now)]


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_good_one(tmp_path: Path, ca: Hierarchy, encoding: Encoding) -> None:
    (tmp_path / "x.crl").write_bytes(crl(ca.issuing).public_bytes(encoding))

    assert look(tmp_path / "x.crl", ca.root.certificate, ca.issuing.certificate) == []
    assert look(tmp_path / "x.crl", ca.root.certificate) == []


def test_what_is_not_there_or_none(tmp_path: Path) -> None:
    assert look(tmp_path / "x.crl") == ["error: crls[0]: x.crl: No such file or directory"]
    (tmp_path / "x.crl").write_text("no CRL")
    (said,) = look(tmp_path / "x.crl")
    assert said == "error: crls[0]: x.crl holds no CRL in PEM or DER"


def test_dates(tmp_path: Path, ca: Hierarchy) -> None:
    path = tmp_path / "x.crl"
    path.write_bytes(crl(ca.issuing).public_bytes(Encoding.PEM))

    (late,) = look(path, now=NOW + DAY + timedelta(seconds=1))
    (early,) = look(path, now=NOW - 3 * DAY)
    assert late.startswith("warning: crls[0]: x.crl: CRL of CN=Station")
    assert late.endswith("is stale since 2026-06-02; renew it")
    assert early.startswith("warning: crls[0]: x.crl: CRL of CN=Station")
    assert "is from 2026-05-30 12:00:00+00:00" in early


def test_a_wrong_signer(tmp_path: Path, ca: Hierarchy, namesake: Hierarchy) -> None:
    path = tmp_path / "x.crl"
    forged = crl(namesake.issuing, name=ca.issuing.certificate.subject)
    path.write_bytes(crl(ca.root).public_bytes(Encoding.PEM) + forged.public_bytes(Encoding.PEM))

    (said,) = look(path, ca.root.certificate, ca.issuing.certificate)
    assert said.startswith("error: crls[0]: x.crl: CRL of CN=Station")
    assert said.endswith("isn't signed by the CA whose name it bears; it counts for nothing")
    assert look(path, ca.root.certificate) == []
    assert look(path, ca.root.certificate, namesake.issuing.certificate, ca.issuing.certificate) == [said]


def test_a_kind_that_is_not_used(tmp_path: Path, ca: Hierarchy) -> None:
    delta = x509.DeltaCRLIndicator(1)
    (tmp_path / "x.crl").write_bytes(crl(ca.issuing, extension=delta).public_bytes(Encoding.PEM))

    (said,) = look(tmp_path / "x.crl", ca.issuing.certificate)
    assert "counts for nothing: it is a delta CRL" in said


def test_one_that_never_ends(tmp_path: Path, ca: Hierarchy, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyca makes none such, but reads them."""
    (tmp_path / "x.crl").write_bytes(crl(ca.issuing).public_bytes(Encoding.PEM))
    (endless,) = (replace(each, next_update=None) for each in parse_crls((tmp_path / "x.crl").read_bytes()))
    monkeypatch.setattr("gateway.config.check_crls.parse_crls", lambda _: [endless])

    (said,) = look(tmp_path / "x.crl", ca.issuing.certificate)
    assert "doesn't say until when it holds" in said
