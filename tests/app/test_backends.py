"""Configured backends become addresses."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.app.backends import addresses
from gateway.app.problems import StartFailed
from gateway.wire.versions import Version


def test_a_tls_backend_is_verified_against_the_systems_roots(configured: Callable[..., Any]) -> None:
    address = addresses(configured())["legacy"]
    assert address.url_for("CS 1") == "wss://csms.example.com/CS%201"
    assert address.version is Version.V16
    assert address.tls is not None
    assert address.tls.verify_mode is ssl.CERT_REQUIRED
    assert address.basic is None


def test_plain_only_in_a_trusted_network(configured: Callable[..., Any]) -> None:
    plain = {"url": "ws://127.0.0.1:9000/{identity}", "trusted_networks": ["127.0.0.0/8"]}
    assert addresses(configured(backends={"legacy": plain}))["legacy"].tls is None


def test_roots_and_mutual_tls(configured: Callable[..., Any], tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    own = authority.issue_cert("gateway")
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "chain.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    tls = {"roots": "roots.pem", "chain": "chain.pem", "key": "file:key.pem"}
    backend = {"url": "wss://csms.example.com/{identity}", "tls": tls}
    assert addresses(configured(backends={"legacy": backend}))["legacy"].tls is not None
    (tmp_path / "key.pem").rename(tmp_path / "key.gone")
    with pytest.raises(StartFailed, match=r"backends\.legacy\.tls: there is no file .*key\.pem"):
        addresses(configured(backends={"legacy": backend}))
    (tmp_path / "key.gone").rename(tmp_path / "key.pem")
    (tmp_path / "roots.pem").write_text("garbage")
    with pytest.raises(StartFailed, match=r"backends\.legacy\.tls"):
        addresses(configured(backends={"legacy": backend}))


async def test_the_password_is_read_anew_for_each_dialling(configured: Callable[..., Any], tmp_path: Path) -> None:
    basic = {"user": "gw-{identity}", "password": "file:{identity}.secret"}
    backend = {"url": "wss://csms.example.com/{identity}", "auth": {"basic": basic}}
    authorization = addresses(configured(backends={"legacy": backend}))["legacy"].basic
    assert authorization is not None
    assert authorization.user("CS1") == "gw-CS1"
    with pytest.raises(ValueError, match=r"CS1\.secret"):
        await authorization.password("CS1")
    for password in ("first", "second"):
        (tmp_path / "CS1.secret").write_text(password)
        assert await authorization.password("CS1") == password
