"""A deployment from a backup."""

import hashlib
import io
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.backup.archive import Manifest, Member, read, write
from gateway.app.backup.making import stream
from gateway.app.backup.restoring import restore
from gateway.app.inventory import Inventory
from gateway.app.problems import StartFailed
from gateway.app.records import Records, records
from gateway.config import Config, load
from gateway.store.certificates import CertificateState
from gateway.store.database import Database
from pki.authority import IssuedCertificate
from pki.authority.local import LocalAuthority
from pki.crl import parse_crls
from pki.csr import review

CLEAR = {"bind": "127.0.0.1:1", "security_profiles": [1], "trusted_networks": ["127.0.0.0/8"]}
REASON = x509.ReasonFlags.key_compromise


async def issued(opened: Records, folder: Path) -> IssuedCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SN1")])
    pem = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    csr = review(pem.public_bytes(Encoding.PEM).decode(), common_name="SN1", organization="CPO")
    signed = await LocalAuthority.open(folder / "certs/dev/ca").sign(csr.request_for("CPO"))
    await Inventory(opened.certificates).add("CS1", signed, usage="station", profile=csr.profile.name)
    return signed


class Deployment:
    """A deployment, its backup, and two certificates of that time: one good, one revoked."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.config = config
        self.folder = folder
        self.backup = b""
        self.good: IssuedCertificate
        self.revoked: IssuedCertificate

    async def begin(self) -> None:
        LocalAuthority.open(self.folder / "certs/dev/ca")
        async with self.records() as opened:
            await opened.stations.add("CS1", profile=2, serial="SN1")
            self.good, self.revoked = [await issued(opened, self.folder) for _ in range(2)]
            await opened.revocation.revoke(self.revoked.serial, REASON)
        self.backup = self.back_up()

    def back_up(self) -> bytes:
        out = io.BytesIO()
        stream(self.config, self.folder / "voltgate.yaml", out, self.folder)
        return out.getvalue()

    @asynccontextmanager
    async def records(self) -> AsyncIterator[Records]:
        async with records(self.config) as opened:
            yield opened


@pytest.fixture
async def deployment(configured: Callable[..., Config], tmp_path: Path) -> Deployment:
    (tmp_path / "token").write_text("secret")
    (tmp_path / "token").chmod(0o640)
    made = Deployment(configured(admin={"token": "file:token"}, listeners=[CLEAR]), tmp_path)
    await made.begin()
    return made


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rebuilt(deployment: Deployment, target: Path, *, force: bool = False, backup: bytes | None = None) -> Any:
    return restore(io.BytesIO(backup or deployment.backup), target / "voltgate.yaml", force=force)


async def test_a_good_certificate_is_good_and_a_revoked_one_revoked(deployment: Deployment, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "voltgate"
    restored = rebuilt(deployment, target)
    assert restored.moved_aside == restored.kept == ()
    assert {path.relative_to(target) for path in restored.written} >= {Path("voltgate.yaml"), Path("voltgate.db")}
    for name, mode in (("token", 0o640), ("voltgate.db", 0o600), ("certs/dev/ca/root.key", 0o600)):
        assert stat.S_IMODE((target / name).stat().st_mode) == mode
    assert stat.S_IMODE((target / "certs/dev/ca").stat().st_mode) == 0o700
    authority = LocalAuthority.open(target / "certs/dev/ca")
    deployment.good.certificate.verify_directly_issued_by((await authority.chain())[0])
    (crl,) = parse_crls(await authority.crl())
    assert crl.revoked == {deployment.revoked.certificate.serial_number: "keyCompromise"}
    async with records(load(target / "voltgate.yaml", {})) as opened:
        states = {each.serial: each.state for each in await opened.certificates.list("CS1")}
        assert (await opened.stations.show("CS1")).serial == "SN1"
    assert states == {
        deployment.good.serial: CertificateState.ISSUED,
        deployment.revoked.serial: CertificateState.REVOKED,
    }


async def test_owners_of_the_former_life_are_out(deployment: Deployment, tmp_path: Path) -> None:
    rebuilt(deployment, tmp_path / "new")
    epochs = []
    for folder in (deployment.folder, tmp_path / "new"):
        with closing(sqlite3.connect(folder / "voltgate.db")) as store:
            epochs.append(store.execute("SELECT epoch FROM stations").fetchone()[0])
    assert epochs[1] > epochs[0] + 1_000_000_000


async def test_nothing_that_is_there_is_overwritten(deployment: Deployment, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    with pytest.raises(StartFailed, match="and 3 more: there already; restore to another folder, or say --force"):
        rebuilt(deployment, tmp_path)
    assert snapshot(tmp_path) == before


async def test_force_moves_aside_and_leaves_a_newer_crl(deployment: Deployment, tmp_path: Path) -> None:
    async with deployment.records() as opened:
        await opened.revocation.revoke(deployment.good.serial, REASON)
    (tmp_path / "voltgate.db-wal").write_text("of another life")
    restored = rebuilt(deployment, tmp_path, force=True)
    assert restored.kept == (tmp_path / "certs/dev/ca/crl.pem",)
    assert not (tmp_path / "voltgate.db-wal").exists()
    for path in restored.moved_aside:
        assert path.exists()
        assert ".before-" in path.name
    (crl,) = parse_crls(await LocalAuthority.open(tmp_path / "certs/dev/ca").crl())
    assert set(crl.revoked) == {each.certificate.serial_number for each in (deployment.good, deployment.revoked)}
    async with deployment.records() as opened:
        good = await opened.certificates.find(deployment.good.serial)
        assert good is not None
        assert good.state is CertificateState.ISSUED  # the store doesn't know; the CA's list does


async def test_the_crl_of_another_ca_is_moved_aside(deployment: Deployment, tmp_path: Path) -> None:
    target = tmp_path / "new"
    other = LocalAuthority.open(target / "certs/dev/ca", label="another")
    await other.revoke("1")
    restored = rebuilt(deployment, target, force=True)
    assert restored.kept == ()
    (crl,) = parse_crls(await LocalAuthority.open(target / "certs/dev/ca").crl())
    assert set(crl.revoked) == {deployment.revoked.certificate.serial_number}


@pytest.mark.parametrize("force", [False, True])
async def test_a_store_that_is_served_is_left_alone(deployment: Deployment, tmp_path: Path, force: bool) -> None:
    target = tmp_path / "new"
    target.mkdir()
    database = await Database.open(f"sqlite+aiosqlite:///{target}/voltgate.db", exclusive=True)
    try:
        with pytest.raises(StartFailed, match=r"already served|there already"):
            rebuilt(deployment, target, force=force)
    finally:
        await database.close()
    assert not (target / "voltgate.yaml").exists()


def altered(backup: bytes, **changes: Any) -> bytes:
    """Return the backup with another manifest."""
    steps = read(io.BytesIO(backup))
    manifest: Manifest = next(steps)
    sources = {member.name: content.read() for member, content in steps}
    members = [member.model_copy(update=changes.get(member.kind, {})) for member in manifest.members]
    out = io.BytesIO()
    update = {"members": members} | {name: value for name, value in changes.items() if name == "db_schema"}
    write(out, manifest.model_copy(update=update), sources)
    return out.getvalue()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"db_schema": "9999"}, "newer Voltgate"),
        ({"store": {"sha256": "0" * 64}}, "SHA-256"),
        ({"file": {"place": "../../etc/cron.d/x"}}, "no place of a backup"),
        ({"file": {"place": "a\0b"}}, "no place of a backup"),
    ],
)
async def test_a_backup_that_is_no_good_changes_nothing(
    deployment: Deployment, tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    target = tmp_path / "new"
    with pytest.raises(StartFailed, match=complaint):
        rebuilt(deployment, target, backup=altered(deployment.backup, **changes))
    assert not target.exists()
    assert not [path for path in snapshot(tmp_path) if ".voltgate-restore" in str(path)]


async def test_a_store_that_is_none_moves_nothing(deployment: Deployment, tmp_path: Path) -> None:
    content = b"no database"
    store = Member(
        name="store",
        kind="store",
        place="voltgate.db",
        mode=0o600,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    manifest: Manifest = next(read(io.BytesIO(deployment.backup)))
    out = io.BytesIO()
    write(out, manifest.model_copy(update={"members": [store]}), {"store": content})
    before = snapshot(tmp_path)
    with pytest.raises(StartFailed, match="isn't a SQLite database"):
        rebuilt(deployment, tmp_path, force=True, backup=out.getvalue())
    assert snapshot(tmp_path) == before | {tmp_path / "voltgate.db.lock": b""}


async def test_what_is_no_backup_is_said(deployment: Deployment, tmp_path: Path) -> None:
    for content in (b"", b"not a backup", deployment.backup[:-100], deployment.backup[:1000]):
        with pytest.raises(StartFailed, match="can't be restored"):
            restore(io.BytesIO(content), tmp_path / "new" / "voltgate.yaml", force=False)
