"""Is a role what Voltgate needs, and its token no more than that? Asked with the gateway's own credentials."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from hvac.api.secrets_engines import Pki, Transit
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
KEY_SWITCHES: Final = {
    "exportable": "make a new key: this can't be taken back",
    "allow_plaintext_backup": "make a new key: this can't be taken back",
    "deletion_allowed": "set it to false",
}
"""Of a transit key: what lets it out, or lets it be lost, and what to do about it."""
_WRITING: Final = frozenset({"create", "update", "sudo", "root"})
_READING: Final = frozenset({"read", "sudo", "root"})
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
    paths.append(f"{mount}/sign-verbatim")

    told = await _capabilities(connection, paths)
    return [path for path in paths if _MORE & told.get(path, frozenset())]


async def lacking(connection: VaultConnection, mount: str, role: str, profile: CertificateProfile) -> list[str]:
    """Return the paths that the gateway writes to sign and revoke, and its token may not.

    Raises :class:`pki.vault.failures.VaultError`.
    """
    how = "sign" if profile.subject.domain_component is None else "sign-verbatim"
    paths = [f"{mount}/{how}/{role}", f"{mount}/revoke"]
    told = await _capabilities(connection, paths)
    return [path for path in paths if path in told and not _WRITING & told[path]]


async def key_faults(connection: VaultConnection, mount: str, key: str) -> list[str]:
    """Return what is wrong with a transit key, and with what the token may do with it.

    Raises :class:`pki.vault.failures.VaultError`.
    """
    found = await connection.call(
        lambda adapter: dict(Transit(adapter).read_key(key, mount_point=mount).get("data") or {})
    )
    faults = [f"{mount}/keys/{key}: {name} is true; {mend}" for name, mend in KEY_SWITCHES.items() if found.get(name)]
    sign, written = f"{mount}/sign/{key}", [f"{mount}/keys/{key}{rest}" for rest in ("", "/config", "/rotate", "/trim")]
    read = [f"{mount}/export/signing-key/{key}", f"{mount}/backup/{key}"]
    told = await _capabilities(connection, [sign, *written, *read])
    if sign in told and not _WRITING & told[sign]:
        faults.append(f'the token may not sign: add path "{sign}" {{ capabilities = ["update"] }}')
    more = [path for path in written if _MORE & told.get(path, frozenset())]
    more += [path for path in read if _READING & told.get(path, frozenset())]
    return faults + [f"the token may do more than the gateway needs: {path}" for path in more]


async def _capabilities(connection: VaultConnection, paths: list[str]) -> Mapping[str, frozenset[str]]:
    """Return what the token may do, by path; nothing where it may not ask."""

    def ask(adapter: VaultAdapter) -> Mapping[str, Any]:
        return dict(Capabilities(adapter).get_capabilities(paths)["data"])

    try:
        told = await connection.call(ask)
    except VaultRefused as error:
        if error.status != 403:
            raise
        return {}
    return {path: frozenset(told.get(path) or ()) for path in paths}


def _too_short(found: Mapping[str, Any], profile: CertificateProfile) -> list[str]:
    """Return what is wrong with the role's longest validity; 0 is the engine's own."""
    longest = timedelta(seconds=int(found.get("max_ttl") or 0))
    if not timedelta(0) < longest < profile.validity.lifetime:
        return []
    return [f"max_ttl is {longest}, which cuts certificates of {profile.validity.lifetime} short"]
