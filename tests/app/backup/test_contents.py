"""What a deployment consists of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app.backup.contents import contents
from gateway.config import Config, load
from pki.authority.local import LocalAuthority


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "voltgate.yaml"
    path.touch()
    return path


async def test_the_configuration_what_it_names_and_the_cas(
    configured: Callable[..., Config], file: Path, tmp_path: Path
) -> None:
    authority = LocalAuthority.open(tmp_path / "ca")
    await authority.crl()
    for name in ("roots.pem", "csms.pem", "csms.key", "token", "crl.pem", "pass-CS1", "pass-CS2", "other"):
        (tmp_path / name).write_text(name)
    config = configured(
        authority={"station": {"local": {"dir": str(tmp_path / "ca")}}},
        listeners=[
            {
                "tls": {
                    "certificates": [
                        {"chain": str(tmp_path / "csms.pem"), "key": f"file:{tmp_path}/csms.key"},
                        {"chain": str(tmp_path / "gone.pem"), "key": "env:KEY"},
                    ],
                    "station_roots": str(tmp_path / "roots.pem"),
                }
            }
        ],
        admin={"token": f"file:{tmp_path}/token"},
        revocation={"crls": [str(tmp_path / "crl.pem"), "http://ca.example.com/crl"]},
        backends={
            "legacy": {
                "url": "wss://csms.example.com/{identity}",
                "auth": {"basic": {"password": f"file:{tmp_path}/pass-{{identity}}"}},
            }
        },
    )
    found = contents(config, file)
    names = {str(path.relative_to(tmp_path)) for path in found.files}
    assert found.files[0] == file
    assert names == {
        "voltgate.yaml",
        "ca/root.pem",
        "ca/root.key",
        "ca/issuing.pem",
        "ca/issuing.key",
        "ca/crl.pem",
        "csms.pem",
        "csms.key",
        "roots.pem",
        "token",
        "crl.pem",
        "pass-CS1",
        "pass-CS2",
    }
    assert found.folders == (tmp_path / "ca",)
    assert found.store == config.store.sqlite_path
    (missing,) = found.missing
    assert missing == (f"listeners[0].tls.certificates[1].chain: {tmp_path}/gone.pem: there is no such file")
    (elsewhere,) = found.elsewhere
    assert elsewhere.startswith("listeners[0].tls.certificates[1].key: env:KEY: ")


def test_the_certificates_that_were_issued_to_the_gateway(
    configured: Callable[..., Config], file: Path, tmp_path: Path
) -> None:
    issued = tmp_path / "issued"
    (tmp_path / "roots.pem").touch()

    def listener() -> dict[str, Any]:
        roots = str(tmp_path / "roots.pem")
        issued_here = {"names": ["gw.example.com"], "dir": str(issued)}
        return {"bind": "127.0.0.1:0", "tls": {"issued": issued_here, "station_roots": roots, "csms_roots": roots}}

    def est() -> dict[str, Any]:
        return {"est": {"url": "https://est.example.com", "auth": {"user": "u", "password": "env:P"}}}

    config = configured(listeners=[listener(), listener()], authority={"station": est(), "server": est()})
    before = contents(config, file)
    issued.mkdir()
    for name in ("ecdsa.pem", "rsa.pem", "rsa.unusable"):
        (issued / name).touch()
    after = contents(config, file)
    assert f"listeners[0].tls.issued.dir: {issued}: nothing is there yet" in before.missing
    assert set(after.files) - set(before.files) == {issued / "ecdsa.pem", issued / "rsa.pem"}
    assert after.folders == (issued,)
    assert after.missing == ()


def test_what_servers_keep_is_told(tmp_path: Path) -> None:
    path = tmp_path / "voltgate.yaml"
    path.write_text(
        """
backends: {legacy: {url: "wss://csms.example.com/{identity}"}}
store: {url: "postgresql+asyncpg://voltgate@db.example.com/voltgate", password: "env:PASSWORD"}
authority:
  station: {vault: {address: "https://vault.example.com:8200", role: station, mount: pki-stations,
    auth: {kubernetes: {role: voltgate}}}}
  v2g: {est: {url: "https://est.example.com", auth: {user: u, password: "vault:secret/est#password"}}}
  contract: {local: {dir: mo}}
plug_and_charge:
  providers: {own: {native: {cps: {chain: cps.pem, transit: {address: "https://vault.example.com:8200", mount: signing,
    key: our-cps, auth: {kubernetes: {role: voltgate}}}}}}}
  oem_roots: oem.pem
"""
    )
    found = contents(load(path, {}), path)
    told = "\n".join(found.elsewhere)
    assert found.store is None
    for word in (
        "pg_dump",
        "db.example.com",
        "env:PASSWORD",
        "raft snapshot",
        "pki-stations/",
        "est.example.com",
        "signing/keys/our-cps",
    ):
        assert word in told
    assert "serviceaccount" not in "".join(found.missing)  # the pod is given it anew


def test_firmware_and_logs(configured: Callable[..., Config], file: Path, tmp_path: Path) -> None:
    for name in ("acme.pem", "acme.crl"):
        (tmp_path / name).write_text(name)
    acme = {"roots": "acme.pem", "crls": ["acme.crl", "http://acme.example.com/crl"]}
    config = configured(
        firmware={"manufacturers": {"acme": acme}}, files={"public_url": "https://files.example.com:8444"}, logs={}
    )
    found = contents(config, file)
    assert {tmp_path / "acme.pem", tmp_path / "acme.crl"} <= set(found.files)
    assert found.folders == (tmp_path / "certs/dev/ca",)
    assert [line for line in found.elsewhere if ".directory" in line] == [
        f"{key}.directory: {tmp_path}/{key}: what lies there may be large: copy the folder by itself"
        for key in ("firmware", "logs")
    ]
    assert not [line for line in found.missing if "directory" in line]
