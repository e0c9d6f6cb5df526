"""A configuration file and the tree that it becomes."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config import Config, ConfigError, load
from gateway.config.authorities import LocalAuthority
from gateway.config.values import Address

MINIMAL = "backends: {legacy: {url: 'wss://csms.example.com/ocpp/{identity}'}}\n"
DESIGN = """\
operator: Example CPO
store: {url: "sqlite+aiosqlite:///voltgate.db"}
listeners:
  - bind: 0.0.0.0:8443
    security_profiles: [2, 3]
    path: /ocpp/{identity}
    tls:
      certificates:
        - {chain: certs/dev/gateway-ecdsa.pem, key: file:certs/dev/gateway-ecdsa.key}
        - {chain: certs/dev/gateway-rsa.pem, key: file:certs/dev/gateway-rsa.key}
      station_roots: certs/dev/station-roots.pem
      csms_roots: certs/dev/csms-root.pem
  - bind: 127.0.0.1:8080
    security_profiles: [1]
    trusted_networks: [127.0.0.0/8]
backends:
  legacy:
    url: wss://csms.example.com/ocpp/{identity}
    protocol: ocpp1.6
    tls: {roots: certs/backend-roots.pem, chain: certs/gw-client.pem, key: file:certs/gw-client.key}
    auth: {basic: {user: "{identity}", password: "file:secrets/backend/{identity}"}}
    trusted_networks: []
    when_down: journal
default_backend: legacy
authority:
  station: {local: {dir: certs/dev/ca}}
policy: legacy-1.6
admin: {bind: 127.0.0.1:8081, token: env:VOLTGATE_ADMIN_TOKEN}
"""


def loaded(folder: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    (folder / "voltgate.yaml").write_text(text)
    return load(folder / "voltgate.yaml", environ or {})


def refusal(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, environ)
    assert str(caught.value).splitlines() == list(caught.value.lines)
    return [line.removeprefix(f"{folder}/") for line in caught.value.lines]


def test_the_example_of_the_design(tmp_path: Path) -> None:
    config = loaded(tmp_path, DESIGN)

    tls, plain = config.listeners
    assert (str(tls.bind), tls.security_profiles, tls.path) == ("0.0.0.0:8443", (2, 3), "/ocpp/{identity}")
    assert tls.tls is not None
    assert [certificate.chain for certificate in tls.tls.certificates] == [
        tmp_path / "certs/dev/gateway-ecdsa.pem",
        tmp_path / "certs/dev/gateway-rsa.pem",
    ]
    assert tls.tls.certificates[0].key.path == tmp_path / "certs/dev/gateway-ecdsa.key"
    assert tls.tls.station_roots == tmp_path / "certs/dev/station-roots.pem"
    assert (plain.bind, plain.tls, plain.trusted_networks) == (
        Address("127.0.0.1", 8080),
        None,
        (ip_network("127.0.0.0/8"),),
    )
    backend = config.backends[config.default_backend]
    assert backend.url_for("CP 1") == "wss://csms.example.com/ocpp/CP%201"
    assert backend.tls is not None
    assert backend.tls.roots == tmp_path / "certs/backend-roots.pem"
    assert backend.auth is not None
    assert backend.auth.basic.user_for("CP-1") == "CP-1"
    assert repr(backend.auth.basic.password) == "SecretRef(file:secrets/backend/{identity})"
    assert config.authority.station.local == LocalAuthority(dir=tmp_path / "certs/dev/ca")
    assert config.store.sqlite_path == tmp_path / "voltgate.db"
    assert config.admin.token is not None
    assert config.admin.token.resolve(environ={"VOLTGATE_ADMIN_TOKEN": "t"}) == "t"


def test_every_key_has_the_designs_default_except_backends(tmp_path: Path) -> None:
    full = DESIGN.replace("    tls: {roots", "    # {roots").replace("    auth:", "    #").replace(", token", "} #")

    assert loaded(tmp_path, MINIMAL).model_dump() == loaded(tmp_path, full).model_dump()
    assert refusal(tmp_path, "") == ["voltgate.yaml: backends: is missing; add it"]


def test_the_limits_that_hold_by_default(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL)

    assert config.limits.model_dump() == {
        "call_timeout": 30.0,
        "handshake_timeout": 10.0,
        "max_message": 262_144,
        "max_connections": 20_000,
        "drain_timeout": 10.0,
        "boot_retry_interval": 30,
        "heartbeat_interval": 300,
        "journal_limit": 10_000,
        "waiting_per_address": 4_096,
        "failures_per_address": 1_200,
        "password_failures_per_address": 60,
        "password_failures_per_identity": 20,
        "security_events": 100_000,
    }
    assert config.log.model_dump() == {"level": "info", "format": "auto"}
    assert config.revocation.model_dump() == {
        "crls": (),
        "refresh": 60.0,
        "ocsp": None,
        "ocsp_refresh": 3600.0,
        "when_unknown": "refuse",
        "superseded_after": 86_400.0,
    }
    assert (config.renewal.window, config.renewal.jitter) == (0.33, 0.5)
    assert config.renewal.alert == (timedelta(days=14), timedelta(days=3))
    assert (config.unknown_station, config.onboarding, config.no_common_subprotocol) == (401, "refuse", "close")
    assert config.allowed_organizations == ()
    assert (config.backends["legacy"].when_down, config.backends["legacy"].boot_offline) == ("journal", "pending")


def test_nothing_changes_afterwards(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL)

    with pytest.raises(ValidationError):
        config.operator = "other"
    with pytest.raises(TypeError):
        config.backends["x"] = config.backends["legacy"]  # type: ignore[index]  # that is the point


def test_errors_name_place_key_and_remedy(tmp_path: Path) -> None:
    text = "oprator: x\nlisteners:\n  - bind: 0.0.0.0:1\n    security_profiles:\n      - 4\nbackends: {a: {}}\n"

    assert sorted(refusal(tmp_path, text)) == [
        "voltgate.yaml:1: oprator: isn't a key here; did you mean operator?",
        "voltgate.yaml:5: listeners[0].security_profiles[0]: must be less than or equal to 3",
        "voltgate.yaml:6: backends.a.url: is missing; add it",
    ]


def test_a_broken_rule_has_its_line_too(tmp_path: Path) -> None:
    text = MINIMAL + "listeners:\n  - bind: 0.0.0.0:1\n    security_profiles: [1, 2]\n"

    assert refusal(tmp_path, text)[0].startswith(
        "voltgate.yaml:4: listeners[0].security_profiles: profile 1 is without TLS"
    )


def test_a_variables_error_names_the_variable(tmp_path: Path) -> None:
    environ = {"VOLTGATE__OPRATOR": "x", "VOLTGATE__LIMITS__CALL_TIMEOUT": "-1", "VOLTGATE__ADMIN__TOKEN": "hunter2"}

    lines = refusal(tmp_path, MINIMAL, environ)

    assert sorted(line.partition(": ")[0] for line in lines) == sorted(environ)
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize(
    ("environ", "key", "value"),
    [
        ({"VOLTGATE__LISTENERS__0__BIND": "[::]:8443"}, "listeners.0.bind", "[::]:8443"),
        ({"VOLTGATE__LISTENERS__0__SECURITY_PROFILES": "[2]"}, "listeners.0.security_profiles", "(2,)"),
        ({"VOLTGATE__BACKENDS__LEGACY__WHEN_DOWN": "close"}, "backends.legacy.when_down", "close"),
        ({"VOLTGATE__OPERATOR": "123"}, "operator", "123"),
        ({"VOLTGATE__LIMITS__CALL_TIMEOUT": "5"}, "limits.call_timeout", "5.0"),
        ({"VOLTGATE__POLICY": "p/mine.yaml"}, "policy", "{}/p/mine.yaml"),
        ({"VOLTGATE_ADMIN_TOKEN": "t"}, "admin.token", "None"),
        ({"VOLTGATE__LISTENERS__0__PROTOCOLS": "[ocpp1.6]"}, "listeners.0.protocols", "('ocpp1.6',)"),
        (
            {"VOLTGATE__LISTENERS__0__HOSTS": "[gw.example, 10.0.0.1]"},
            "listeners.0.hosts",
            "('gw.example', '10.0.0.1')",
        ),
        ({"VOLTGATE__LISTENERS__0__HOSTS__0": "123"}, "listeners.0.hosts", "('123',)"),
        ({"VOLTGATE__LISTENERS__0__ORIGINS__0": "https://a.example"}, "listeners.0.origins", "('https://a.example',)"),
        ({"VOLTGATE__LISTENERS__0__LOAD_BALANCERS__0": "10.0.0.0/28"}, "listeners.0.load_balancers.0", "10.0.0.0/28"),
        ({"VOLTGATE__LISTENERS__0__TLS__STATIC_RSA": "false"}, "listeners.0.tls.static_rsa", "False"),
        ({"VOLTGATE__LISTENERS__0__TLS__FACTORY_ROOTS": "f.pem"}, "listeners.0.tls.factory_roots", "{}/f.pem"),
        ({"VOLTGATE__REVOCATION__CRLS__0": "a.crl"}, "revocation.crls.0", "{}/a.crl"),
        ({"VOLTGATE__REVOCATION__CRLS": "['http://ca.example/x']"}, "revocation.crls.0", "http://ca.example/x"),
        ({"VOLTGATE__ALLOWED_ORGANIZATIONS": "[A, B]"}, "allowed_organizations", "('A', 'B')"),
        ({"VOLTGATE__ONBOARDING": "record"}, "onboarding", "record"),
        ({"VOLTGATE__LIMITS__SECURITY_EVENTS": "1000"}, "limits.security_events", "1000"),
    ],
)
def test_the_environment_overrides(tmp_path: Path, environ: dict[str, str], key: str, value: str) -> None:
    here: Any = loaded(tmp_path, MINIMAL, environ)
    for part in key.split("."):
        here = here[int(part)] if part.isdigit() else here[part] if part == "legacy" else getattr(here, part)

    assert str(here) == value.format(tmp_path)


def test_a_stores_password_stays_out_of_the_tree(tmp_path: Path) -> None:
    config = loaded(tmp_path, MINIMAL + "store: {url: 'postgresql+asyncpg://u@db/v', password: env:DB_PASSWORD}\n")

    assert config.store.connect_url({"DB_PASSWORD": "p@ss"}) == "postgresql+asyncpg://u:p%40ss@db/v"
    assert config.store.sqlite_path is None
    assert loaded(tmp_path, MINIMAL).store.connect_url({}) == f"sqlite+aiosqlite:///{tmp_path}/voltgate.db"


def test_a_linked_file_keeps_the_links_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.yaml").write_text(MINIMAL)
    (tmp_path / "voltgate.yaml").symlink_to("real/x.yaml")

    assert load(tmp_path / "voltgate.yaml", {}).store.sqlite_path == tmp_path / "voltgate.db"


def test_a_relative_file_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "voltgate.yaml").write_text(MINIMAL)
    monkeypatch.chdir(tmp_path)

    assert load(Path("voltgate.yaml"), {}).authority.station.local == LocalAuthority(dir=tmp_path / "certs/dev/ca")
