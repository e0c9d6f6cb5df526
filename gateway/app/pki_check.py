"""Can each authority sign, with the gateway's own credentials, and until when? `voltgate pki check`."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.authorities import open_authority, owner
from gateway.app.cps_signers import CpsOpening, signing
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.authorities import AuthorityUse, VaultAuthority
from gateway.config.plug_and_charge import Cps, TransitKey
from pki.authority import AuthorityError, CertificateAuthority
from pki.crl import parse_crls
from pki.iso15118.exi import Schema
from pki.iso15118.provisioning import ProvisioningRefused
from pki.keys import curve_name
from pki.profiles import OF_USE, CertificateProfile, load_profile, with_lifetime


@dataclass(slots=True)
class AuthorityChecked:
    """What was found of one use's authority, or of a provisioning service."""

    use: str
    """Of a provisioning service: its key under ``plug_and_charge.providers``."""
    kind: str
    """local, vault or est; file or transit."""
    problems: list[str] = field(default_factory=list)
    valid_until: list[tuple[str, datetime]] = field(default_factory=list)
    """Each CA of the chain, the issuing one first: its subject, and its end in UTC."""

    def shown(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "use": self.use,
            "kind": self.kind,
            "ok": not self.problems,
            "problems": self.problems,
            "valid_until": [{"subject": name, "not_after": end.isoformat()} for name, end in self.valid_until],
        }


async def check_authorities(config: Config) -> list[AuthorityChecked]:
    """Ask every configured authority and provisioning service whether it could sign now; nothing is signed."""
    found = [await _checked(name, use, config) for name, use in config.authority.uses()]
    return found + [await _signer_checked(place, cps, schema) for place, cps, schema in _signers(config)]


def _signers(config: Config) -> Iterator[tuple[str, Cps, Schema]]:
    if config.plug_and_charge is not None:
        for name, provider in config.plug_and_charge.providers.items():
            if provider.native is not None:
                for key, cps, schema in signing(provider.native):
                    yield f"{name}.native.{key}", cps, schema


async def _signer_checked(place: str, cps: Cps, schema: Schema) -> AuthorityChecked:
    found = AuthorityChecked(place, "file" if cps.transit is None else "transit")
    async with AsyncExitStack() as stack:
        try:
            signer = await CpsOpening(stack).open(f"plug_and_charge.providers.{place}", cps, schema)
            found.valid_until.append((signer.cps.leaf.subject.rfc4514_string(), signer.cps.valid_until))
            await signer.health()
        except (StartFailed, ProvisioningRefused) as error:
            found.problems.append(str(error))
        else:
            if cps.transit is not None:
                await _key(found, place, cps.transit, stack)
    return found


async def _key(found: AuthorityChecked, place: str, transit: TransitKey, stack: AsyncExitStack) -> None:
    # Imported here: hvac takes 0.4 s to load, and most deployments have no Vault.
    from gateway.app.vaults import VaultConnections  # noqa: PLC0415  # see above
    from pki.vault.failures import VaultError  # noqa: PLC0415  # see above
    from pki.vault.inspection import key_faults  # noqa: PLC0415  # see above

    try:
        connection = await VaultConnections(stack).connect(f"plug_and_charge.providers.{place}.transit", transit)
        found.problems += await key_faults(connection, transit.mount, transit.key)
    except VaultError as error:
        found.problems.append(str(error))


async def _checked(name: str, use: AuthorityUse, config: Config) -> AuthorityChecked:
    kind = next(each for each in ("local", "vault", "est") if getattr(use, each) is not None)
    found = AuthorityChecked(name, kind)
    profile = with_lifetime(load_profile(OF_USE[name]), use.lifetime)
    async with AsyncExitStack() as stack:
        try:
            authority = await open_authority(name, use, config, stack)
            await authority.health()
            chain = await authority.chain()
        except (StartFailed, AuthorityError) as error:
            found.problems.append(str(error))
            return found
        _dates(found, chain, profile, datetime.now(UTC))
        _vehicles(found, chain, profile)
        if use.vault is not None:
            await _role(found, use.vault, profile, config, stack)
            await _crl(found, authority, datetime.now(UTC))
    return found


def _dates(found: AuthorityChecked, chain: list[x509.Certificate], profile: CertificateProfile, now: datetime) -> None:
    found.valid_until += [(each.subject.rfc4514_string(), each.not_valid_after_utc) for each in chain]
    ends = min((each.not_valid_after_utc for each in chain), default=now)
    if ends <= now:
        found.problems.append(f"a CA of its chain has expired on {ends.date()}")
    elif ends - now < profile.validity.lifetime:
        lifetime = profile.validity.lifetime // timedelta(days=1)
        found.problems.append(f"a CA of its chain ends on {ends.date()}, within the {lifetime} days of what it signs")


def _vehicles(found: AuthorityChecked, chain: list[x509.Certificate], profile: CertificateProfile) -> None:
    """ISO 15118 has one curve for all certificates of a generation, and a size for those below the root."""
    most = profile.certificate_size_max
    for each in chain:
        size = len(each.public_bytes(Encoding.DER))
        if most is not None and size > most and each.subject != each.issuer:
            found.problems.append(
                f"{each.subject.rfc4514_string()} has {size} bytes, vehicles take {most} (V2G2-010); make a CA with "
                "shorter names and URLs"
            )
    for each in chain if profile.ca_curves else ():
        if curve_name(each.public_key()) not in profile.ca_curves:
            wanted = " or ".join(profile.ca_curves)
            found.problems.append(f"the key of {each.subject.rfc4514_string()} isn't on {wanted}; make a CA that is")


async def _crl(found: AuthorityChecked, authority: CertificateAuthority, now: datetime) -> None:
    """A list that has run out refuses everybody where ``revocation.when_unknown`` is refuse."""
    try:
        stale = [crl for crl in parse_crls(await authority.crl()) if crl.next_update is None or crl.next_update <= now]
    except (AuthorityError, ValueError) as error:
        found.problems.append(f"its CRL: {error}")
        return
    for crl in stale:
        since = f"since {crl.next_update:%Y-%m-%d %H:%M} UTC" if crl.next_update is not None else "for it has no end"
        found.problems.append(f"{crl.label} is stale {since}; set config/crl auto_rebuild=true and rotate it")


async def _role(
    found: AuthorityChecked, vault: VaultAuthority, profile: CertificateProfile, config: Config, stack: AsyncExitStack
) -> None:
    # Imported here: hvac takes 0.4 s to load, and most deployments have no Vault.
    from gateway.app.vaults import VaultConnections  # noqa: PLC0415  # see above
    from pki.vault.failures import VaultError  # noqa: PLC0415  # see above
    from pki.vault.inspection import lacking, role_faults, surplus  # noqa: PLC0415  # see above

    try:
        connection = await VaultConnections(stack).connect(f"authority.{found.use}.vault", vault)
        faults = await role_faults(connection, vault.mount, vault.role, profile, owner(config, found.use))
        found.problems += [f"role {vault.mount}/{vault.role}: {fault}" for fault in faults]
        for path in await lacking(connection, vault.mount, vault.role, profile):
            found.problems.append(f'the token may not: add path "{path}" {{ capabilities = ["update"] }}')
        for path in await surplus(connection, vault.mount, vault.role, profile):
            found.problems.append(f"the token may do more than the gateway needs: it can write {path}")
    except VaultError as error:
        found.problems.append(str(error))
