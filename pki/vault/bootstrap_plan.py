"""What Voltgate wants of a Vault or OpenBao: engines, roles and policies per use, derived from certificate profiles."""

import importlib.resources
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.profiles import OF_USE, CertificateProfile, load_profile
from pki.vault_roles import role_settings

CA_KEY_BITS: Final = {"station": 384, "v2g": 256, "server": 384, "contract": 256, "contract_20": 521}
"""ISO 15118-2 knows P-256 alone, the vehicle's side of a V2G chain included; ISO 15118-20 knows P-521."""
MOUNTS: Final = {
    "station": "voltgate-stations",
    "v2g": "voltgate-v2g",
    "server": "voltgate-server",
    "contract": "voltgate-contracts",
    "contract_20": "voltgate-contracts-20",
}
"""The engines' names in ``policies/vault/*.hcl``."""
CPS_MOUNT: Final = "voltgate-cps"
CPS_KEY_TYPES: Final = {"cps": "ecdsa-p256", "cps_20": "ecdsa-p521"}
"""The transit keys of provisioning services, by the key of the configuration that names each."""
FIRMWARE_MOUNT: Final = "voltgate-firmware"
FIRMWARE_KEY: Final = "firmware"
NAME_MAX: Final = 64
"""Characters of a common name (RFC 5280, ub-common-name)."""
ROOT_MOUNT: Final = "voltgate-root"
APPROLE: Final = "voltgate"
TOKEN_POLICY: Final = "token"  # noqa: S105  # the policy's name
_MOUNT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")

CRL_SETTINGS: Final[dict[str, Any]] = {
    "disable": False,
    "expiry": "72h",
    # Without it a CRL lapses where nobody revokes; with it a revocation waits for the next one. So the next one comes
    # a quarter of an hour after the one before, and stations of a Vault that is down have three days.
    "auto_rebuild": True,
    "auto_rebuild_grace_period": "71h45m",
    "ocsp_disable": False,
    "ocsp_expiry": "12h",
}
BOUNDED_SETTINGS: Final[dict[str, Any]] = {
    # OpenBao's: without them not_after and not_before in a request pass over max_ttl and not_before_duration. Vault
    # has no such setting; there, and here too, the policy's allowed_parameters keep them out.
    "not_after_bound": "forbid",
    "not_before_bound": "forbid",
    # A role's own dates pass over its max_ttl, too; more names in the subject are refused when they come.
    "not_after": "",
    "not_before": "",
    "country": [],
    "locality": [],
    "province": [],
    "street_address": [],
    "postal_code": [],
    "allowed_user_ids": [],
    "allowed_serial_numbers": [],
    "policy_identifiers": [],
    "ou": [],
    "issuer_ref": "default",
}


@dataclass(frozen=True, slots=True)
class Use:
    """One use of certificates: its engine in Vault, its role, its profile."""

    name: str
    mount: str
    profile: CertificateProfile
    host_names: tuple[str, ...] = ()
    """The only ones that its role may sign, where the profile has host names; none: any."""

    @property
    def role(self) -> str:
        return self.profile.name

    @property
    def policy(self) -> str:
        """The name of its ACL policy."""
        return f"voltgate-{self.name}"

    @property
    def key(self) -> str:
        """The name of its CA's key, and of the root in the root engine."""
        return f"voltgate-{self.name}"


@dataclass(frozen=True, slots=True)
class CpsKey:
    """The key of a provisioning service in a transit engine. ``name``: ``cps`` or ``cps_20``, as the key is called."""

    name: str
    mount: str = CPS_MOUNT

    @property
    def kind(self) -> str:
        """Vault's name of what it is."""
        return CPS_KEY_TYPES[self.name]

    @property
    def path(self) -> str:
        return f"{self.mount}/keys/{self.name}"

    @property
    def policy(self) -> str:
        """The name of its ACL policy."""
        return f"voltgate-{self.name}"

    def subject(self, operator: str) -> dict[x509.ObjectIdentifier, str]:
        """Return the names in its CSR; who signs that may give others."""
        return {
            NameOID.DOMAIN_COMPONENT: "CPS",
            NameOID.ORGANIZATION_NAME: operator,
            NameOID.COMMON_NAME: "Voltgate CPS",
        }


@dataclass(frozen=True, slots=True)
class FirmwareKey:
    """The key that signs firmware, where the operator is the signer. ``kind``: Vault's name of what it is.

    The gateway's own login may not use it: whoever takes the gateway over must not sign what stations install.
    """

    kind: str = "ecdsa-p256"
    mount: str = FIRMWARE_MOUNT
    name: str = FIRMWARE_KEY

    @property
    def path(self) -> str:
        return f"{self.mount}/keys/{self.name}"

    @property
    def policy(self) -> str:
        """The name of its ACL policy."""
        return f"voltgate-{self.name}"

    def subject(self, operator: str) -> dict[x509.ObjectIdentifier, str]:
        """Return the names in its CSR; who signs that may give others."""
        return {NameOID.ORGANIZATION_NAME: operator, NameOID.COMMON_NAME: f"{operator} firmware"[:NAME_MAX]}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted. ``uses`` in the order in which they are set up."""

    operator: str
    uses: tuple[Use, ...]
    root_mount: str | None = ROOT_MOUNT
    """None: the roots are offline; the intermediates' CSRs are signed elsewhere."""
    signed: Mapping[str, str] = field(default_factory=dict)
    """By use: the chain in PEM that an offline root has signed, the intermediate first."""
    public_url: str | None = None
    """Under which relying parties reach Vault's public paths: what AIA and CRL distribution points name."""
    approle: "AppRolePlan | None" = None
    cps: tuple[CpsKey, ...] = ()
    mobility_operator: str | None = None
    """The O of contract certificates; None: ``operator``."""
    firmware: FirmwareKey | None = None

    @property
    def keys(self) -> tuple[CpsKey | FirmwareKey, ...]:
        """All transit keys."""
        return (*self.cps, *(() if self.firmware is None else (self.firmware,)))

    @property
    def granted(self) -> tuple[Use | CpsKey, ...]:
        """What the gateway's login may use, each by a policy of its own."""
        return (*self.uses, *self.cps)

    def owner(self, use: Use) -> str:
        """Return whose certificates those of a use are: their O."""
        is_contract = use.profile.subject.organization == "mobility_operator"
        return (self.mobility_operator if is_contract else None) or self.operator


@dataclass(frozen=True, slots=True)
class AppRolePlan:
    """The gateway's login."""

    mount: str = "approle"
    token_ttl: timedelta = timedelta(hours=1)
    token_max_ttl: timedelta = timedelta(days=1)
    secret_id_ttl: timedelta = timedelta(0)
    """Zero: it doesn't expire; rotate it."""
    networks: tuple[str, ...] = ()
    """From where the login and its tokens are taken; none: from anywhere."""

    @property
    def path(self) -> str:
        return f"auth/{self.mount}/role/{APPROLE}"

    def settings(self, policies: list[str]) -> dict[str, Any]:
        """Return the body of ``POST auth/approle/role/voltgate``."""
        return {
            "bind_secret_id": True,
            "secret_id_num_uses": 0,
            "secret_id_ttl": _text(self.secret_id_ttl),
            "secret_id_bound_cidrs": list(self.networks),
            "token_policies": policies,
            "token_no_default_policy": True,
            "token_type": "service",
            "token_ttl": _text(self.token_ttl),
            "token_max_ttl": _text(self.token_max_ttl),
            "token_num_uses": 0,
            "token_period": "0s",
            "token_bound_cidrs": list(self.networks),
        }


def use_named(name: str, mount: str | None = None) -> Use:
    """Return the use ``name`` (one of MOUNTS). Raises ValueError for a mount's name that Vault doesn't take."""
    return Use(name, checked_mount(mount or MOUNTS[name]), load_profile(OF_USE[name]))


def checked_mount(name: str) -> str:
    """Return the name of an engine. Raises ValueError: it would stand in paths and policies."""
    if len(name) > 200 or not _MOUNT.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a secrets engine: letters, digits, - _ . and / between them")
    return name


def role_body(use: Use, operator: str) -> dict[str, Any]:
    """Return the body of ``POST <mount>/roles/<role>``."""
    return role_settings(use.profile, operator, domains=use.host_names) | BOUNDED_SETTINGS


def url_settings(mount: str, public_url: str, *, is_issuer_named: bool = True) -> dict[str, Any]:
    """Return the body of ``POST <mount>/config/urls``: by issuer, so that a certificate's own CA stays named.

    ``mount`` begins with the namespace, where there is one. ``is_issuer_named``: whether certificates say where their
    issuer's is.
    """
    base = f"{public_url.rstrip('/')}/v1/{mount}"
    return {
        "enable_templating": True,
        "issuing_certificates": [f"{base}/issuer/{{{{issuer_id}}}}/der"] if is_issuer_named else [],
        "crl_distribution_points": [f"{base}/issuer/{{{{issuer_id}}}}/crl/der"],
        "ocsp_servers": [f"{base}/ocsp"],
    }


def policy_text(use: Use | CpsKey | FirmwareKey | None) -> str:
    """Return the ACL policy of a use, for its mount; None: that of the gateway's own token."""
    name = TOKEN_POLICY if use is None else use.name
    text = (importlib.resources.files("policies") / "vault" / f"{name}.hcl").read_text(encoding="utf-8")
    if use is None:
        return text
    own = MOUNTS.get(name, FIRMWARE_MOUNT if isinstance(use, FirmwareKey) else CPS_MOUNT)
    return text.replace(f'path "{own}/', f'path "{use.mount}/')


def policy_names(plan: Plan, had: Collection[str] = ()) -> list[str]:
    """Return the names of all ACL policies that the gateway's token has.

    Of those that it ``had``, the ones of uses that were set up before stay; a policy that isn't Voltgate's does not.
    """
    known = [f"voltgate-{name}" for name in (*OF_USE, *CPS_KEY_TYPES)]
    wanted = {each.policy for each in plan.granted} | set(known).intersection(had)
    return [f"voltgate-{TOKEN_POLICY}", *(each for each in known if each in wanted)]


def _text(duration: timedelta) -> str:
    return f"{int(duration.total_seconds())}s"
