"""What `voltgate check` says of the authorities."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.config.authorities import AuthorityUse
from gateway.config.check_authority import check_authority, embedded_chain
from gateway.config.problems import Problem
from gateway.config.secrets import SecretRef
from pki.authority.local import LocalAuthority

NOW = datetime.now(UTC)


def secret(place: str, reference: SecretRef) -> Iterator[Problem]:
    yield Problem.error(place, str(reference))


def problems(**use: Any) -> list[str]:
    found = check_authority("authority.v2g", AuthorityUse.model_validate(use), secret, NOW)
    return [f"{each.key}: {each.text}" for each in found]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("")
    (tmp_path / "empty").mkdir()
    assert problems(local={"dir": str(tmp_path / "ca")}) == [
        f"authority.v2g.local.dir: {tmp_path}/ca isn't a folder; name another one"
    ]
    assert problems(local={"dir": str(tmp_path / "empty")})[0].startswith(
        f"authority.v2g.local.dir: {tmp_path}/empty holds no CA yet"
    )


def test_credentials_and_roots_are_looked_at(tmp_path: Path) -> None:
    vault = {"address": "https://vault:8200", "role": "r", "roots": str(tmp_path / "none.pem")}
    for auth, place in (
        ({"token": "env:A"}, "token"),
        ({"approle": {"role_id": "r", "secret_id": "env:A"}}, "approle.secret_id"),
        ({"jwt": {"role": "r", "token": "env:A"}}, "jwt.token"),
    ):
        roots, credentials = problems(vault=vault | {"auth": auth})
        assert roots.startswith("authority.v2g.vault.roots: ")
        assert credentials == f"authority.v2g.vault.auth.{place}: env:A"
    est = {"url": "https://est", "auth": {"user": "u", "password": "env:P"}}
    assert problems(est=est) == ["authority.v2g.est.auth.password: env:P"]


def test_client_certificates_are_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    LocalAuthority.open(folder)
    pair = {"chain": str(folder / "issuing.pem"), "key": f"file:{folder}/root.key"}
    vault = {"address": "https://vault:8200", "role": "r", "auth": {"tls": pair}}
    est = {"url": "https://est", "auth": pair}
    for place, found in (("vault.auth.tls", problems(vault=vault)), ("est.auth", problems(est=est))):
        assert found == [f"authority.v2g.{place}.key: file:{folder}/root.key isn't the key of {folder}/issuing.pem"]
    missing = {"url": "https://est", "auth": pair | {"chain": str(tmp_path / "none.pem")}}
    assert problems(est=missing) == [f"authority.v2g.est.auth.chain: {tmp_path}/none.pem: No such file or directory"]


def test_the_root_that_stations_lead_to(tmp_path: Path) -> None:
    root = LocalAuthority.open(tmp_path / "ca").root
    use = AuthorityUse.model_validate({"local": {"dir": str(tmp_path / "ca")}})
    assert embedded_chain(use, NOW)[0] == root
    vault = {"address": "https://vault:8200", "role": "r", "auth": {"token": "env:A"}}
    assert embedded_chain(AuthorityUse.model_validate({"vault": vault}), NOW) == ()
