"""Who signs certificates, per use: the embedded CA, HashiCorp Vault or OpenBao, or an EST server."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, model_validator

from gateway.config.secrets import IDENTITY
from gateway.config.source import Fault, KeyPath
from gateway.config.values import FilePath, List, Network, Secret, Section, Text, ip_address, url_parts
from pki.profiles import parse_duration

LIFETIME_MIN: Final = timedelta(minutes=10)
LIFETIME_MAX: Final = timedelta(days=3650)
KUBERNETES_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where a pod finds the token of its service account."""

_KINDS: Final = ("local", "vault", "est")


def _lifetime(value: Any) -> timedelta:
    try:
        lifetime = parse_duration(value)
    except ValueError:
        lifetime = None
    if lifetime is None or not LIFETIME_MIN <= lifetime <= LIFETIME_MAX:
        raise ValueError("must be 10m to 3650d: a number of minutes (m), hours (h) or days (d), such as 90d")
    return lifetime


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Lifetime = Annotated[timedelta, PlainValidator(_lifetime), PlainSerializer(str)]
Timeout = Annotated[float, Field(ge=0.1, le=300, allow_inf_nan=False)]


class LocalAuthority(Section):
    """The embedded CA."""

    dir: FilePath


class AppRole(Section):
    """Vault's AppRole login."""

    role_id: Text
    secret_id: Secret
    mount: Text = "approle"


class KubernetesLogin(Section):
    """Vault's Kubernetes login, with the token of the pod's service account."""

    role: Text
    mount: Text = "kubernetes"
    token_file: FilePath = KUBERNETES_TOKEN


class CertificateLogin(Section):
    """Vault's login with a TLS client certificate."""

    chain: FilePath
    key: Secret
    role: Text | None = None
    mount: Text = "cert"


class JwtLogin(Section):
    """Vault's JWT login."""

    role: Text
    token: Secret
    """Read anew for each login."""
    mount: Text = "jwt"


class VaultAuth(Section):
    """How the gateway logs in to Vault: exactly one of these."""

    token: Secret | None = None
    approle: AppRole | None = None
    kubernetes: KubernetesLogin | None = None
    tls: CertificateLogin | None = None
    jwt: JwtLogin | None = None


class VaultServer(Section):
    """A HashiCorp Vault or OpenBao, and how the gateway comes in."""

    address: Annotated[List[Text], BeforeValidator(_one_or_more)]
    """https://host:8200; several nodes of one cluster: the one that can serve is used."""
    auth: VaultAuth
    namespace: Text | None = None
    roots: FilePath | None = None
    """The only roots that may have signed Vault's own certificate; without it, the machine's trust store."""
    timeout: Timeout = 10.0
    """Seconds for one request."""
    trusted_networks: List[Network] = ()
    """Where a node of plain http:// may be; loopback always may."""


class VaultAuthority(VaultServer):
    """A role of a PKI engine."""

    mount: Text = "pki"
    role: Text


class EstClient(Section):
    """How the gateway proves itself to an EST server: by a certificate, by a password, or by both (RFC 7030 3.2.3)."""

    chain: FilePath | None = None
    key: Secret | None = None
    user: Text | None = None
    password: Secret | None = None


class EstAuthority(Section):
    """A CA behind EST (RFC 7030)."""

    url: Text
    """https://host[:port]; /.well-known/est follows by itself."""
    label: Text | None = None
    """The CA's label in the path (RFC 7030 3.2.2)."""
    auth: EstClient
    roots: FilePath | None = None
    """The only roots that may have signed the server's own certificate."""
    timeout: Timeout = 10.0


class AuthorityUse(Section):
    """Who signs the certificates of one use: exactly one of ``local``, ``vault`` and ``est``."""

    local: LocalAuthority | None = None
    vault: VaultAuthority | None = None
    est: EstAuthority | None = None
    lifetime: Lifetime | None = None
    """How long its certificates are valid; None: as the certificate profile says."""
    approval: Literal["automatic", "operator"] = "automatic"
    """operator: a person decides about each CSR that has passed the review."""


class StationAuthority(AuthorityUse):
    """Who signs station certificates: without a word, the embedded CA."""

    @model_validator(mode="before")
    @classmethod
    def _embedded_by_default(cls, data: Any) -> Any:
        if isinstance(data, dict) and all(data.get(kind) is None for kind in _KINDS):
            return {**data, "local": {"dir": "certs/dev/ca"}}
        return data


class Authority(Section):
    """Who signs, per certificate use."""

    station: StationAuthority = Field(default_factory=dict, validate_default=True)
    v2g: AuthorityUse | None = None
    """ISO 15118 SECC certificates (SignCertificate with V2GCertificate); None: such requests are refused."""
    server: AuthorityUse | None = None
    """The gateway's own server certificates; None: they are replaced by others."""
    contract: AuthorityUse | None = None
    """ISO 15118-2 contract certificates (P-256): the CA of the mobility operator."""
    contract_20: AuthorityUse | None = None
    """Those of ISO 15118-20 (P-521)."""

    def uses(self) -> Iterator[tuple[str, AuthorityUse]]:
        """Yield each use that somebody signs for, with its name."""
        for name in type(self).model_fields:
            use = getattr(self, name)
            if use is not None:
                yield name, use


def broken_by_authority(authority: Authority) -> Iterator[Fault]:
    """Yield every rule that the section breaks; the keys begin at it."""
    for name, use in authority.uses():
        chosen = [kind for kind in _KINDS if getattr(use, kind) is not None]
        if len(chosen) != 1:
            yield (name,), f"must name exactly one of {', '.join(_KINDS)}, and names {', '.join(chosen) or 'none'}"
        if use.vault is not None:
            for key, text in broken_by_vault(use.vault):
                yield (name, "vault", *key), text
        if use.est is not None:
            for key, text in _broken_by_est(use.est):
                yield (name, "est", *key), text
    local = [(name, use.local.dir) for name, use in authority.uses() if use.local is not None]
    for index, (name, folder) in enumerate(local):
        # A certificate of one class must not serve in place of another (attack A9).
        if folder in [other for _, other in local[:index]]:
            yield (name, "local", "dir"), "is another use's folder; each use has a CA of its own"


def broken_by_vault(vault: VaultServer) -> Iterator[Fault]:
    """Yield every rule that a Vault's section breaks; the keys begin at it."""
    if not vault.address:
        yield ("address",), "must name one node at least"
    for index, address in enumerate(vault.address):
        key: KeyPath = ("address", index) if len(vault.address) > 1 else ("address",)
        parts = url_parts(address)
        if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            yield key, "must be a URL such as https://vault.example.com:8200, without a path"
        elif parts.username is not None or parts.query or parts.fragment:
            yield key, "must not hold a user, a ? or a # part; name credentials under auth"
        elif parts.scheme == "http" and not _is_near(parts.hostname, vault):
            yield key, f"is plain http: the token would travel in clear; use https, or add {parts.hostname}'s network"
    auth = vault.auth
    chosen = [name for name in type(auth).model_fields if getattr(auth, name) is not None]
    if len(chosen) != 1:
        known = ", ".join(type(auth).model_fields)
        yield ("auth",), f"must name exactly one of {known}, and names {', '.join(chosen) or 'none'}"
    for place, secret in (
        (("auth", "token"), auth.token),
        (("auth", "approle", "secret_id"), auth.approle.secret_id if auth.approle else None),
        (("auth", "tls", "key"), auth.tls.key if auth.tls else None),
        (("auth", "jwt", "token"), auth.jwt.token if auth.jwt else None),
    ):
        if secret is not None and secret.is_template:
            yield place, f"can't differ per station; remove {IDENTITY}"


def _is_near(host: str, vault: VaultServer) -> bool:
    address = ip_address(host)
    if address is None:
        return host == "localhost"
    return address.is_loopback or any(address in network for network in vault.trusted_networks)


def _broken_by_est(est: EstAuthority) -> Iterator[Fault]:
    parts = url_parts(est.url)
    if parts is None or parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        yield ("url",), "must be a URL such as https://est.example.com, without a path (RFC 7030 3.2.2)"
    elif parts.username is not None or parts.query or parts.fragment:
        yield ("url",), "must not hold a user, a ? or a # part; name credentials under auth"
    if est.label is not None and not re.fullmatch(r"[A-Za-z0-9._~-]{1,100}", est.label):
        yield ("label",), "must be one segment of a path"
    auth = est.auth
    for first, second in (("chain", "key"), ("user", "password")):
        given, other = getattr(auth, first), getattr(auth, second)
        if (given is None) != (other is None):
            yield ("auth", first if given is None else second), f"is missing; {first} and {second} go together"
    if auth.user is not None and ":" in auth.user:
        yield ("auth", "user"), "must not hold a colon (RFC 7617 2)"
    if auth.chain is None and auth.user is None:
        yield ("auth",), "must name chain and key, or user and password"
    for name in ("key", "password"):
        secret = getattr(auth, name)
        if secret is not None and secret.is_template:
            yield ("auth", name), f"can't differ per station; remove {IDENTITY}"
