"""Voltgate's configuration: one YAML file -> one frozen, typed tree.

Every key has a default except ``backends``. Whatever is wrong ends :func:`load` with a :class:`ConfigError` that has
one line per error. Relative paths start at the file's folder; the tree holds absolute ones.
"""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from gateway.config import environment, source
from gateway.config.authorities import Authority, Lifetime
from gateway.config.faults import annotation_at, describe
from gateway.config.firmware import Files, Firmware, Logs
from gateway.config.plug_and_charge import PlugAndCharge
from gateway.config.policies import PolicyChoice
from gateway.config.revocation import Ocsp, Revocation
from gateway.config.routes import ConnectorTable, Route
from gateway.config.rules import broken_rules
from gateway.config.secrets import IDENTITY
from gateway.config.source import ConfigError, spell
from gateway.config.trust_anchors import TrustAnchors
from gateway.config.values import (
    FOLDER,
    SQLITE,
    TEXT_KINDS,
    Address,
    Bind,
    FilePath,
    List,
    Named,
    Network,
    Organization,
    PolicySource,
    Secret,
    Section,
    StoreUrl,
    Text,
    expand_url,
    with_password,
)

DEFAULT_OPERATOR: Final = "Example CPO"
DEFAULT_PATH: Final = f"/ocpp/{IDENTITY}"
DEFAULT_POLICY: Final = "legacy-1.6"
NO_BACKEND: Final = "-"
"""Not a name that a backend can have."""

Profile = Annotated[int, Field(ge=1, le=3)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
IdTag = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,20}$")]
"""CiString20 of OCPP 1.6."""
WholeSeconds = Annotated[int, Field(gt=0, le=86_400)]


def default_listeners() -> list[dict[str, Any]]:
    """Return the listeners of a configuration that names none, as they would stand in the file."""
    certificates = [
        {"chain": f"certs/dev/gateway-{kind}.pem", "key": f"file:certs/dev/gateway-{kind}.key"}
        for kind in ("ecdsa", "rsa")
    ]
    return [
        {
            "bind": "0.0.0.0:8443",
            "security_profiles": [2, 3],
            "tls": {
                "certificates": certificates,
                "station_roots": "certs/dev/station-roots.pem",
                "csms_roots": "certs/dev/csms-root.pem",
            },
        },
        {"bind": "127.0.0.1:8080", "security_profiles": [1], "trusted_networks": ["127.0.0.0/8"]},
    ]


def _default(raw: Callable[[], Any]) -> Any:
    """Make a default of what would stand in the file, so that it is read like it: relative paths included."""
    return Field(default_factory=raw)


class Store(Section):
    """Where records live."""

    url: StoreUrl = f"{SQLITE}:///voltgate.db"
    password: Secret | None = None
    """The PostgreSQL user's; a URL doesn't hold it."""

    @property
    def sqlite_path(self) -> Path | None:
        """The database file, or None when the store is a server."""
        scheme, _, rest = self.url.partition(":///")
        return Path(rest.partition("?")[0]) if scheme == SQLITE else None

    def connect_url(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return the URL with its password: secret, for the engine alone. Raises SecretError."""
        return self.url if self.password is None else with_password(self.url, self.password.resolve(environ=environ))


class Certificate(Section):
    """A certificate chain (PEM, leaf first) and its private key (PEM)."""

    chain: FilePath
    key: Secret


class IssuedCertificates(Section):
    """Server certificates that ``authority.server`` signs for keys made here, an ECDSA and an RSA one."""

    names: List[Text]
    """The host names or IP addresses under which stations reach the listener; the first is the CN."""
    dir: FilePath
    """Where they are kept with their keys."""


class ListenerTls(Section):
    """What a TLS listener shows, and whose stations it trusts (OCPP 2.0.1 A00.FR.318, A00.FR.403)."""

    certificates: List[Certificate] = ()
    """One ECDSA and one RSA chain; more where the listener has several names: the client's SNI chooses."""
    issued: IssuedCertificates | None = None
    """In the place of ``certificates``: issued and renewed by the gateway itself."""
    station_roots: FilePath | None = None
    factory_roots: FilePath | None = None
    """Roots of manufacturers whose factory certificates are let in to be replaced (A00.FR.406, A00.FR.806)."""
    csms_roots: FilePath | None = None
    """The roots of ``certificates``, for stations that are upgraded to TLS (A05.FR.02)."""
    static_rsa: bool = True
    """The two suites without forward secrecy, which A00.FR.318 asks for."""


class Listener(Section):
    """One port for stations."""

    bind: Bind = Address("0.0.0.0", 8443)  # noqa: S104  # stations come from everywhere; TLS is the default
    security_profiles: List[Profile] = (2, 3)
    path: Text = DEFAULT_PATH
    protocols: List[Literal["ocpp2.0.1", "ocpp1.6"]] = ("ocpp2.0.1", "ocpp1.6")
    """The OCPP versions that are spoken here."""
    public_url: Text | None = None
    """The URL without the identity under which stations reach it: what they are told when they are upgraded."""
    hosts: List[Text] = ()
    """The names that a Host header, and SNI, may have; empty: any."""
    origins: List[Text] = ()
    """The Origin headers that are let in; stations send none."""
    load_balancers: List[Network] = ()
    """Who stands before the listener and begins each connection with a PROXY protocol v2 header."""
    tls: ListenerTls | None = None
    trusted_networks: List[Network] = ()
    """From where profile 1 may come in clear (A00.FR.201, A00.FR.206)."""


class BackendTls(Section):
    """What the gateway trusts and shows towards a backend; without ``roots``, the machine's own trust store holds."""

    roots: FilePath | None = None
    chain: FilePath | None = None
    key: Secret | None = None


class BasicAuth(Section):
    """HTTP Basic towards a backend; ``{identity}`` in either part is the station's."""

    user: Text = IDENTITY
    password: Secret

    def user_for(self, identity: str) -> str:
        """Return the user name that speaks for a station."""
        return self.user.replace(IDENTITY, identity)


class BackendAuth(Section):
    """How the gateway proves itself to a backend."""

    basic: BasicAuth


class Backend(Section):
    """One CSMS behind the gateway."""

    url: Text
    protocol: Literal["ocpp1.6", "ocpp2.0.1"] = "ocpp1.6"
    """Its OCPP version. Stations of 2.0.1 reach either, those of 1.6 only one of their own."""
    tls: BackendTls | None = None
    auth: BackendAuth | None = None
    trusted_networks: List[Network] = ()
    when_down: Literal["journal", "close"] = "journal"
    boot_offline: Literal["pending", "cached"] = "pending"
    authorize_offline: Literal["refuse", "cache", "accept"] = "refuse"
    """Who is authorised while it is away: nobody; those whom it authorised before; everybody, and whom it refuses later
    is stopped then."""
    default_id_tag: IdTag = "VOLTGATE"
    """The idTag of a transaction that was begun without any token; it must be known there."""
    security_extension: bool = False
    """True: it knows the messages of the white paper "Improved security for OCPP 1.6-J"."""
    plug_and_charge: bool | None = None
    """True: it knows contract certificates, by OCPP 2.0.1 or, in 1.6, by the OCA note; None: if it speaks 2.0.1."""
    mirrors: List[Text] = ()
    """Other backends that hear what this one hears, and have no say."""
    policy: PolicySource | None = None
    """What governs the stations that go there, unless ``policies`` says otherwise."""

    @property
    def knows_contracts(self) -> bool:
        """Whether it knows contract certificates."""
        return self.protocol == "ocpp2.0.1" if self.plug_and_charge is None else self.plug_and_charge

    def url_for(self, identity: str) -> str:
        """Return the URL of a station's WebSocket, its identity percent-encoded."""
        return expand_url(self.url, identity)


class Admin(Section):
    """The administration port; without a token only health and metrics answer there."""

    bind: Bind = Address("127.0.0.1", 8081)
    token: Secret | None = None


class Renewal(Section):
    """When certificates are renewed: the stations', and those of ``listeners[].tls.issued``."""

    window: Annotated[float, Field(ge=0.05, le=0.9, allow_inf_nan=False)] = 0.33
    """The share of a lifetime, at its end, in which it is renewed."""
    jitter: Annotated[float, Field(ge=0, le=0.9, allow_inf_nan=False)] = 0.5
    """The share of that window, at its beginning, over which the stations are spread."""
    alert: Annotated[List[Lifetime], Field(min_length=1, max_length=5)] = (timedelta(days=14), timedelta(days=3))
    """How long before its end people hear of a certificate that has not been renewed."""


class Log(Section):
    """``auto``: console lines on a terminal, JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Limits(Section):
    """Bounds. Times are in seconds, ``max_message`` in bytes."""

    call_timeout: Seconds = 30.0
    handshake_timeout: Seconds = 10.0
    max_message: Annotated[int, Field(ge=16_384, le=16_777_216)] = 262_144
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    drain_timeout: Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)] = 10.0
    boot_retry_interval: WholeSeconds = 30
    """The interval in a BootNotification answered Pending (OCPP 2.0.1 B02)."""
    heartbeat_interval: WholeSeconds = 300
    journal_limit: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    """Entries per station."""
    waiting_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 4_096
    """Connections of one address that aren't admitted yet."""
    failures_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 1_200
    """Connections of one address in a minute that may fail before it is turned away."""
    password_failures_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 60
    """Wrong passwords from one address in a minute."""
    password_failures_per_identity: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Wrong passwords for one identity in a minute, from all addresses together."""
    security_events: Annotated[int, Field(ge=1_000, le=100_000_000)] = 100_000
    """Events that are kept; the oldest go first."""


class Config(Section):
    """The whole configuration."""

    operator: Organization = DEFAULT_OPERATOR
    store: Store = _default(dict)
    listeners: List[Listener] = _default(default_listeners)
    backends: Named[Backend]
    default_backend: Text = NO_BACKEND
    """A key of ``backends``, always; the only one where the file names none."""
    routes: List[Route] = ()
    """Which backend stations have; the first that fits."""
    connector_tables: List[ConnectorTable] = ()
    """How the connectors of 2.0.1 stations are numbered in 1.6; the first that fits."""
    authority: Authority = _default(dict)
    plug_and_charge: PlugAndCharge | None = None
    """None: no contract certificates are provided or verified here."""
    firmware: Firmware | None = None
    """None: no backend's firmware update reaches a station."""
    files: Files | None = None
    """None: stations load nothing from the gateway, and upload nothing to it."""
    logs: Logs | None = None
    """None: stations upload their logs to where the backend wants them."""
    trust_anchors: List[TrustAnchors] = ()
    """The roots that stations are to trust, all entries together that mean a station."""
    policy: PolicySource = DEFAULT_POLICY
    """What governs the stations that no other policy is for."""
    policies: List[PolicyChoice] = ()
    """Which policy stations have; the first that fits."""
    admin: Admin = _default(dict)
    log: Log = _default(dict)
    limits: Limits = _default(dict)
    revocation: Revocation = _default(dict)
    ocsp: Ocsp = _default(dict)
    renewal: Renewal = _default(dict)
    allowed_organizations: List[Organization] = ()
    """Organisations beside ``operator`` whose station certificates are taken (A00.FR.404)."""
    unknown_station: Literal[401, 404] = 401
    onboarding: Literal["refuse", "record"] = "refuse"
    """An identity that isn't registered: refused; or refused and recorded for an operator to approve."""
    no_common_subprotocol: Literal["close", "refuse"] = "close"
    """OCPP-J: upgrade and close; TC_B_58_CSMS: refuse the upgrade."""

    @model_validator(mode="before")
    @classmethod
    def _name_the_only_backend(cls, data: Any) -> Any:
        if isinstance(data, dict) and "default_backend" not in data:
            backends = data.get("backends")
            if isinstance(backends, dict) and len(backends) == 1:
                return {**data, "default_backend": next(iter(backends)) or NO_BACKEND}
        return data


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the file at ``path`` and the overrides in ``environ``. Raises :class:`ConfigError`."""
    read = source.read(path)
    environment.override(
        read,
        environ,
        defaults={"listeners": default_listeners()},
        is_text=lambda key: annotation_at(Config, key) in TEXT_KINDS,
    )
    try:
        config = Config.model_validate(read.data, context={FOLDER: path.absolute().parent})
    except ValidationError as error:
        faults = [describe(Config, detail) for detail in error.errors(include_url=False, include_input=False)]
    else:
        faults = list(broken_rules(config))
    if faults:
        raise ConfigError([f"{read.place(key)}: {spell(key)}: {text}" for key, text in faults])
    return config
