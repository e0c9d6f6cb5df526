"""The ways to log in. Each reads its credential anew for each login, and gives what it got: a token and its lease."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from hvac.api.auth_methods import JWT, AppRole, Kubernetes, Token

from pki.client_tls import CredentialMissing
from pki.vault.adapter import VaultAdapter
from pki.vault.failures import NoAnswer

CREDENTIAL_MAX: Final = 64 * 1024
"""Bytes of a token file."""

Secret = Callable[[], str]
"""Reads a credential. May block. Raises CredentialMissing."""


@dataclass(frozen=True, slots=True, repr=False)
class Grant:
    """What a login gives."""

    token: str
    lease: float
    """Seconds until the token ends; 0: never."""
    is_renewable: bool

    def __repr__(self) -> str:
        return f"Grant(lease={self.lease:g}, is_renewable={self.is_renewable})"

    @classmethod
    def of_login(cls, answer: Any) -> "Grant":
        """Read the ``auth`` of a login's or a renewal's answer. Raises NoAnswer when it isn't one."""
        try:
            auth = answer["auth"]
            return cls(str(auth["client_token"]), max(0.0, float(auth["lease_duration"])), bool(auth["renewable"]))
        except (KeyError, TypeError, ValueError):
            raise NoAnswer("the login is answered without a token") from None


class Login(Protocol):
    """One way to log in."""

    @property
    def kind(self) -> str:
        """Its name, as the configuration has it."""

    def check(self) -> None:
        """Return when its credential can be read; whether it is good only Vault knows. Raises CredentialMissing."""

    def log_in(self, adapter: VaultAdapter) -> Grant:
        """Log in. Blocks. Raises CredentialMissing, StatusError, NotSent, NoAnswer."""


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """No login at all: a token that somebody has made."""

    token: Secret
    kind: str = "token"

    def check(self) -> None:
        self.token()

    def log_in(self, adapter: VaultAdapter) -> Grant:
        """Look the token up: that says whether it is one, and how long it lasts."""
        adapter.token = self.token()
        try:
            found = Token(adapter).lookup_self()["data"]
            return Grant(adapter.token, max(0.0, float(found["ttl"])), bool(found.get("renewable")))
        except (KeyError, TypeError, ValueError):
            raise NoAnswer("auth/token/lookup-self is answered without a token's data") from None


@dataclass(frozen=True, slots=True)
class AppRoleLogin:
    """With a role's id and a secret id."""

    role_id: str
    secret_id: Secret
    mount: str = "approle"
    kind: str = "approle"

    def check(self) -> None:
        self.secret_id()

    def log_in(self, adapter: VaultAdapter) -> Grant:
        api = AppRole(adapter)
        return Grant.of_login(api.login(self.role_id, self.secret_id(), use_token=False, mount_point=self.mount))


@dataclass(frozen=True, slots=True)
class KubernetesLogin:
    """With the token of the pod's service account, which Kubernetes replaces every hour."""

    role: str
    token_file: Path
    mount: str = "kubernetes"
    kind: str = "kubernetes"

    def check(self) -> None:
        self._read()

    def log_in(self, adapter: VaultAdapter) -> Grant:
        api = Kubernetes(adapter)
        return Grant.of_login(api.login(self.role, self._read(), use_token=False, mount_point=self.mount))

    def _read(self) -> str:
        try:
            with self.token_file.open("rb") as file:
                return file.read(CREDENTIAL_MAX).decode("ascii").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it isn't text"
            raise CredentialMissing(f"{self.token_file} can't be read: {reason}") from None


@dataclass(frozen=True, slots=True)
class JwtLogin:
    """With a JWT."""

    role: str
    token: Secret
    mount: str = "jwt"
    kind: str = "jwt"

    def check(self) -> None:
        self.token()

    def log_in(self, adapter: VaultAdapter) -> Grant:
        return Grant.of_login(JWT(adapter).jwt_login(self.role, self.token(), use_token=False, path=self.mount))


@dataclass(frozen=True, slots=True)
class CertificateLogin:
    """With the TLS client certificate that every connection shows."""

    role: str | None = None
    mount: str = "cert"
    kind: str = "tls"

    def check(self) -> None:
        """It is in the connections' TLS context."""

    def log_in(self, adapter: VaultAdapter) -> Grant:
        # hvac's Cert.login takes files and a CA bundle for requests; the certificate is in our connections already.
        body = {} if self.role is None else {"name": self.role}
        return Grant.of_login(adapter.login(f"/v1/auth/{self.mount}/login", use_token=False, json=body))
