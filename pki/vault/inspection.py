"""Is a role what Voltgate needs, and its token no more than that? Asked with the gateway's own credentials."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from hvac.api.secrets_engines import Pki
from hvac.api.system_backend import Capabilities

from pki.profiles import CertificateProfile
from pki.vault.adapter import VaultAdapter
from pki.vault.bootstrap_findings import different, shown
from pki.vault.bootstrap_plan import BOUNDED_SETTINGS
from pki.vault.connection import VaultConnection
from pki.vault.failures import VaultRefused
from pki.vault_roles import role_settings

HELD_TO: Final = (
    "organization",
    "use_csr_common_name",
    "use_csr_sans",
    "server_flag",
    "client_flag",
    "code_signing_flag",
    "email_protection_flag",
    "ext_key_usage",
    "basic_constraints_valid_for_non_ca",
    "allowed_uri_sans",
    "allowed_other_sans",
    "allow_wildcard_certificates",
    "no_store",
    "not_after_bound",
    "not_before_bound",
    "not_after",
    "not_before",
    "ou",
    "locality",
    "province",
    "street_address",
    "postal_code",
)
"""The settings of a role that make a certificate wrong or dangerous; in others an operator may be stricter than we."""
_MORE: Final = frozenset({"create", "update", "patch", "delete", "sudo", "root"})


async def role_faults(
    connection: VaultConnection, mount: str, role: str, profile: CertificateProfile, operator: str
) -> list[str]:
    """Return what is wrong with a role, in Vault's words; one that the token may not read is told of.

    Raises :class:`pki.vault.failures.VaultError`.
    """

    def read(adapter: VaultAdapter) -> dict[str, Any]:
        return dict(Pki(adapter).read_role(role, mount)["data"])

    try:
        found = await connection.call(read)
    except VaultRefused as error:
        if error.status != 403:
            raise
        return [f'the token may not read {mount}/roles/{role}, so its settings are unknown; allow it ["read"]']
    wanted = role_settings(profile, operator) | BOUNDED_SETTINGS
    keys = different({key: wanted[key] for key in HELD_TO}, found)
    return [f"{key} is {shown(found[key])}, must be {shown(wanted[key])}" for key in keys] + _too_short(found, profile)


async def surplus(connection: VaultConnection, mount: str, role: str, profile: CertificateProfile) -> list[str]:
    """Return the paths at which the token may do what the gateway never does.

    Raises :class:`pki.vault.failures.VaultError`.
    """
    paths = [
        f"{mount}/roles/{role}",
        f"{mount}/issuer/default/sign-intermediate",
        f"{mount}/root/sign-self-issued",
        f"{mount}/keys/generate/exported",
        f"{mount}/config/issuers",
        "auth/token/create",
        "sys/policies/acl/voltgate",
        "sys/mounts/voltgate",
    ]
    if profile.subject.domain_component is None:
        paths.append(f"{mount}/sign-verbatim/{role}")

    def ask(adapter: VaultAdapter) -> Mapping[str, Any]:
        return dict(Capabilities(adapter).get_capabilities(paths)["data"])

    try:
        told = await connection.call(ask)
    except VaultRefused as error:
        if error.status != 403:
            raise
        return []
    return [path for path in paths if _MORE & set(told.get(path) or ())]


def _too_short(found: Mapping[str, Any], profile: CertificateProfile) -> list[str]:
    """Return what is wrong with the role's longest validity; 0 is the engine's own."""
    longest = timedelta(seconds=int(found.get("max_ttl") or 0))
    if not timedelta(0) < longest < profile.validity.lifetime:
        return []
    return [f"max_ttl is {longest}, which cuts certificates of {profile.validity.lifetime} short"]
