"""`voltgate check`: one thing made wrong at a time, and what is said of it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.config import load
from gateway.config.check import check
from gateway.config.scaffold import scaffold
from pki.authority.local import LocalAuthority
from pki.clock import utc_now
from pki.paths import load_roots

Say = Callable[..., list[str]]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check") / "clean"
    scaffold(folder, names=["localhost"])
    return folder


@pytest.fixture
def folder(clean: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(clean, tmp_path / "voltgate"))


@pytest.fixture
def say(folder: Path) -> Say:
    """Replace one text in the configuration; return what check says, without the folder's name."""

    def run(
        was: str = "", becomes: str = "", environ: dict[str, str] | None = None, now: datetime | None = None
    ) -> list[str]:
        path = folder / "voltgate.yaml"
        text = path.read_text()
        assert was in text
        path.write_text(text.replace(was, becomes, 1))
        config = load(path, {})
        found = check(config, environ=environ or {}, clock=(lambda: now) if now else utc_now)
        return [str(problem).replace(f"{folder}/", "") for problem in found]

    return run


def test_nothing_to_say(say: Say) -> None:
    assert say() == []


def test_nothing_is_changed(folder: Path, say: Say) -> None:
    shutil.rmtree(folder / "certs/dev/ca")
    before = sorted(folder.rglob("*"))

    say()

    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("operator:", "#", "warning: operator: isn't set: Example CPO becomes the O of every station certificate"),
        ("/voltgate.db", "/nowhere/v.db", "error: store.url: the folder nowhere doesn't exist; make it"),
        ("dir: certs/dev/ca", "dir: certs/ca", "warning: authority.station.local.dir: certs/ca holds no CA yet"),
        (
            '"127.0.0.1:8080"',
            '"192.0.2.1:8080"',
            "error: listeners[1].bind: 192.0.2.1 isn't an address of this machine",
        ),
        ("[127.0.0.0/8]", "[0.0.0.0/0]", "warning: listeners[1].trusted_networks[0]: 0.0.0.0/0 trusts the whole inter"),
        ('"127.0.0.0/8"', '"0.0.0.0/0"', "warning: backends.legacy.trusted_networks[0]: 0.0.0.0/0 trusts the whole i"),
        ("dev/station-roots", "dev/nothing", "error: listeners[0].tls.station_roots: certs/dev/nothing.pem: No such"),
        (
            "dev/station-roots",
            "dev/csms-root",
            "warning: listeners[0].tls.station_roots: lacks the root of authority.station",
        ),
        (
            "        - {chain: certs/dev/gateway-rsa",
            "        # -",
            "warning: listeners[0].tls.certificates: has no RSA certificate; stations that know only RSA can't",
        ),
        ("dev/gateway-rsa.pem", "dev/nothing.pem", "error: listeners[0].tls.certificates[1].chain: certs/dev/nothing"),
        (
            'n: "file:secrets/',
            'n: "file:nowhere/',
            "error: admin.token: file:nowhere/admin-token: the folder nowhere doesn't",
        ),
        ("admin-token", "nothing", "error: admin.token: file:secrets/nothing: there is no file"),
        ("file:secrets/admin-token", "env:T", "error: admin.token: env:T: the environment variable T is unset"),
        ('  token: "', '  # "', "warning: admin.token: isn't set: the API is off, only health and metrics answer"),
        ('"127.0.0.1:8081"', '"0.0.0.0:8081"', "warning: admin.bind: 0.0.0.0:8081 is plain HTTP beyond this machine"),
    ],
)
def test_one_thing_wrong(say: Say, was: str, becomes: str, line: str) -> None:
    found = say(was, becomes)

    assert found
    assert found[0].startswith(line)


def test_servers_and_stations_need_separate_cas(say: Say) -> None:
    found = say("dev/station-roots", "dev/csms-root")

    assert found[1:] == [
        f"warning: listeners[0].tls.certificates[{n}].chain: leads to one of station_roots: "
        "servers and stations need separate CAs"
        for n in (0, 1)
    ]


def test_what_is_left_out_is_not_looked_at(say: Say) -> None:
    text = "      station_roots: certs/dev/station-roots.pem"
    assert say("[2, 3]", "[2]") == []
    assert say(text, "") == []


def test_crls_in_files_are_looked_at(folder: Path, say: Say) -> None:
    """Against the embedded CA, whose issuing certificate is no root."""
    ca = folder / "certs/dev/ca"
    (issuing,) = x509.load_pem_x509_certificates((ca / "issuing.pem").read_bytes())
    crl = x509.CertificateRevocationListBuilder().issuer_name(issuing.subject).last_update(datetime.now(UTC))
    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = crl.next_update(datetime.now(UTC) + timedelta(days=1)).sign(stranger, SHA256())
    (folder / "forged.crl").write_bytes(forged.public_bytes(Encoding.DER))

    (said,) = say("log:\n", "revocation: {crls: [forged.crl, 'http://ca.example.com/x.crl']}\nlog:\n")
    assert said.startswith("error: revocation.crls[0]: forged.crl: CRL of CN=Voltgate station")
    assert "isn't signed by the CA whose name it bears" in said


def test_the_cas_of_ocsp_are_looked_at(folder: Path, say: Say) -> None:
    (folder / "empty.pem").write_text("nothing")
    said = say("log:\n", "ocsp: {issuers: [certs/dev/ca/issuing.pem, missing.pem], roots: empty.pem}\nlog:\n")
    assert [line.partition(": ")[2].partition(":")[0] for line in said] == ["ocsp.issuers[1]", "ocsp.roots"]
    assert "No such file" in said[0]


def test_a_short_token(say: Say) -> None:
    said = say("file:secrets/admin-token", "env:T", environ={"T": "hunter2"})

    assert said == ["warning: admin.token: env:T is shorter than 16 characters; take a longer one"]
    assert say(environ={"T": "x" * 16}) == []


def test_files_that_others_can_read(folder: Path, say: Say) -> None:
    (folder / "certs/dev/gateway-ecdsa.key").chmod(0o640)
    (folder / "secrets/admin-token").chmod(0o644)

    said = say()

    assert [line.partition(" can be read")[0] for line in said] == [
        "warning: listeners[0].tls.certificates[0].key: certs/dev/gateway-ecdsa.key",
        "warning: admin.token: secrets/admin-token",
    ]


def test_a_damaged_ca(folder: Path, say: Say) -> None:
    (folder / "certs/dev/ca/root.key").unlink()

    assert say()[0].startswith(
        "error: authority.station.local.dir: certs/dev/ca holds half a CA: root.key is missing"[:40]
    )


def test_expiry(folder: Path, say: Say) -> None:
    now = datetime.now(UTC)

    assert say(now=now + timedelta(days=300)) == []
    soon, late = say(now=now + timedelta(days=340)), say(now=now + timedelta(days=370))
    assert [line.partition(":")[0] for line in soon] == ["warning"] * 2
    assert "CN=localhost,O=Example CPO expires on" in soon[0]
    assert [line.partition(":")[0] for line in late] == ["error"] * 2
    assert "expired on" in late[0]


def test_a_backends_credentials(folder: Path, say: Say) -> None:
    dev = (
        "tls: {roots: certs/dev/csms-root.pem, chain: certs/dev/gateway-rsa.pem, key: 'file:certs/dev/gateway-rsa.key'}"
    )
    auth = "auth: {basic: {password: 'file:secrets/backend/{identity}/password'}}"
    url = "url: 'wss://csms.example.com/{identity}'"
    was = 'url: "ws://127.0.0.1:9000/ocpp/{identity}"'

    place = "backends.legacy.auth.basic.password: file:secrets/backend/{identity}/password"
    assert say(was, f"{url}\n    {dev}\n    {auth}") == [
        f"error: {place}: the folder secrets/backend doesn't exist; make it"
    ]
    (folder / "secrets/backend").mkdir()
    assert say() == []
    found = say("gateway-rsa.key'}", "gateway-ecdsa.key'}")
    assert found == [
        "error: backends.legacy.tls.key: file:certs/dev/gateway-ecdsa.key isn't the key of certs/dev/gateway-rsa.pem"
    ]
    assert say(dev.replace("rsa.key", "ecdsa.key"), "tls: {}") == []
    assert say("tls: {}", dev) == []
    assert say("csms-root.pem, chain", "gateway-ecdsa.pem, chain")[0].startswith(
        "error: backends.legacy.tls.roots: certs/dev/"
    )


@pytest.mark.parametrize(
    ("address", "is_warned"),
    [
        ("http://vault.example.com:8200", True),
        ("http://127.0.0.1:1", False),
        ("http://localhost:1", False),
        ("https://127.0.0.1:1", False),
    ],
)
def test_vault_in_clear(say: Say, address: str, is_warned: bool) -> None:
    said = say("file:secrets/admin-token", "vault:secret/v/{x}#t".replace("{x}", "x"), environ={"VAULT_ADDR": address})

    assert any("VAULT_ADDR is plain http" in line for line in said) is is_warned
    assert said[-1].startswith("error: admin.token: vault:secret/v/x#t: the environment variable VAULT_TOKEN is unset")


def test_a_database_server(say: Say) -> None:
    said = say('"sqlite+aiosqlite:///voltgate.db"', "'postgresql+asyncpg://u@db/v'\n  password: env:DB")

    assert said == ["error: store.password: env:DB: the environment variable DB is unset or empty; set it"]
    assert say("password: env:DB", "") == []


def test_a_store_that_cannot_be_written(say: Say, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)

    assert say() == ["error: store.url: voltgate.db can't be written by this user"]


def test_the_development_roots_are_cas(clean: Path) -> None:
    assert len(load_roots((clean / "certs/dev/csms-root.pem").read_bytes())) == 2


@pytest.mark.parametrize(("content", "is_fine"), [(b"", True), (b"SQLite format 3\0 and more", True), (b"text", False)])
def test_a_store_file_that_is_no_database(tmp_path: Path, content: bytes, is_fine: bool) -> None:
    scaffold(tmp_path / "gw")
    (tmp_path / "gw/voltgate.db").write_bytes(content)
    found = [each.key for each in check(load(tmp_path / "gw/voltgate.yaml", {})) if each.is_error]
    assert found == ([] if is_fine else ["store.url"])


def test_folders_and_files_in_each_others_place(tmp_path: Path) -> None:
    scaffold(tmp_path / "gw")
    (tmp_path / "gw/voltgate.db").mkdir()
    (tmp_path / "gw/file").write_text("")
    environ = {"VOLTGATE__AUTHORITY__STATION__LOCAL__DIR": "file"}
    found = [each.key for each in check(load(tmp_path / "gw/voltgate.yaml", environ)) if each.is_error]
    assert found == ["store.url", "authority.station.local.dir"]


def test_who_signs_the_gateways_own_must_be_known_to_stations(folder: Path) -> None:
    path = folder / "voltgate.yaml"
    tree = yaml.safe_load(path.read_text())
    listener = tree["listeners"][0]
    listener["tls"]["issued"] = {"names": ["localhost"], "dir": "certs/issued"}
    del listener["tls"]["certificates"]
    tree.setdefault("authority", {})["server"] = {"local": {"dir": "certs/dev/csms-ca"}}
    path.write_text(yaml.safe_dump(tree))
    told = [str(each) for each in check(load(path, {})) if "listeners[0]" in str(each)]
    assert told == []

    tree["authority"]["server"] = {"local": {"dir": "certs/server-ca"}}
    path.write_text(yaml.safe_dump(tree))
    LocalAuthority.open(folder / "certs/server-ca", organization="Example CPO")
    (said,) = [str(each) for each in check(load(path, {})) if "listeners[0]" in str(each)]
    assert said.startswith("warning: listeners[0].tls.issued: csms_roots lacks the root of authority.server")
