"""Is this request a vehicle's own? From octets to :class:`VerifiedRequest`, each check before the dearer one.

Size, EXI and message; algorithms, references and digests; path, dates, role and profile; the signature's value last.
Whether it was seen before, and what the vehicle is entitled to, is for the caller.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from pki.clock import utc_now
from pki.iso15118.certificate_profiles import CONTRACT, OEM, Role, check_profile, check_role, common_name
from pki.iso15118.exi import ExiError, Schema
from pki.iso15118.identifiers import Emaid
from pki.iso15118.messages import (
    Action,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateUpdateReq,
    Request,
)
from pki.iso15118.provisioning import ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.signature import check_digests, check_value, suite_of
from pki.iso15118.trust import LIMITS, Path, TrustedPaths

REQUEST_SIZE_MAX: Final = 8250
"""Octets of EXI: the 11,000 characters that OCPP 2.1 has for them. 2.0.1 and 1.6 stop at 5600 characters."""

Profiles = Literal["enforce", "warn"]
"""What becomes of a certificate that breaks its profile though its path is sound."""


class RequestVerifier:
    """Verifies requests. Immutable; for any thread. Takes 1 ms (ISO 15118-2) to 3 ms (-20, P-521) of CPU."""

    def __init__(
        self,
        oem: TrustedPaths,
        contracts: TrustedPaths,
        *,
        profiles: Profiles,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``oem``: to whom OEM provisioning certificates lead; ``contracts``: the contract certificates of updates."""
        self._oem = oem
        self._contracts = contracts
        self._profiles = profiles
        self._clock = clock

    def verify(self, exi: bytes, schema: Schema, action: Action) -> VerifiedRequest:
        """Return the request that ``exi`` is. ``schema`` and ``action`` are what the station says that it is.

        Raises :class:`ProvisioningRefused`: TOO_LARGE, MALFORMED, SIGNATURE_PROFILE, DIGEST_MISMATCH, CHAIN_UNTRUSTED,
        CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID, CERTIFICATE_PROFILE, SIGNATURE_INVALID; NO_CONTRACT where the
        eMAID of an update isn't that of the certificate.
        """
        message = _read(exi, schema, action)
        signature = check_digests(message)
        role = CONTRACT if isinstance(message, CertificateUpdateReq) else OEM
        path = self._path(message, schema)
        key = check_role(path, role, schema)
        warnings = findings(path, role, schema, self._profiles)
        pcid, emaid = _names(message, path)
        check_value(signature, key, suite_of(message))
        return VerifiedRequest(message, schema, action, exi, path, key, pcid, emaid, warnings)

    def _path(self, message: Request, schema: Schema) -> Path:
        at, limits = self._clock(), LIMITS[schema]
        match message:
            case CertificateInstallationReq():
                return self._oem.path(message.oem_provisioning_certificate, at=at, limits=limits)
            case CertificateInstallationReq20():
                chain, trusted = message.oem_chain, self._oem
            case CertificateUpdateReq():
                chain, trusted = message.contract_chain, self._contracts
        return trusted.path(chain.certificate, chain.sub_certificates, at=at, limits=limits)


def findings(path: Path, role: Role, schema: Schema, profiles: Profiles) -> tuple[str, ...]:
    """Return what breaks the profile of ``role`` and is let pass. Raises CERTIFICATE_PROFILE where it is enforced."""
    found = tuple(check_profile(path, role, schema))
    if found and profiles == "enforce":
        text = f"{'; '.join(found)} (plug_and_charge.certificate_profiles: warn lets it pass)"
        raise ProvisioningRefused(Refusal.CERTIFICATE_PROFILE, text)
    return found


def emaid_of(path: Path) -> Emaid:
    """Return the eMAID that is a contract certificate's CN. Raises CERTIFICATE_PROFILE."""
    try:
        return Emaid.of_peer(common_name(path[0]))
    except ValueError as error:
        text = f"a contract certificate whose CN names no contract: {error}"
        raise ProvisioningRefused(Refusal.CERTIFICATE_PROFILE, text) from None


def _read(exi: bytes, schema: Schema, action: Action) -> Request:
    if len(exi) > REQUEST_SIZE_MAX:
        text = f"the request has {len(exi)} octets, at most {REQUEST_SIZE_MAX} are looked at"
        raise ProvisioningRefused(Refusal.TOO_LARGE, text)
    try:
        message = read_message(exi, schema)
    except ExiError as error:
        raise ProvisioningRefused(Refusal.MALFORMED, f"the request isn't EXI of {schema.value}: {error}") from None
    wanted = Action.UPDATE if isinstance(message, CertificateUpdateReq) else Action.INSTALL
    if not isinstance(message, Request) or action is not wanted:
        text = f"the request is a {type(message).__name__}, which isn't one to {action.value}"
        raise ProvisioningRefused(Refusal.MALFORMED, text)
    return message


def _names(message: Request, path: Path) -> tuple[str | None, str | None]:
    """Return PCID and eMAID, of which each request has one."""
    if not isinstance(message, CertificateUpdateReq):
        return common_name(path[0]).upper(), None
    emaid = emaid_of(path)
    try:
        said = Emaid.of_peer(message.emaid)
    except ValueError as error:
        raise ProvisioningRefused(Refusal.NO_CONTRACT, f"the update is for no contract: {error}") from None
    if said.key != emaid.key:
        text = f"the update is for the eMAID {said}, and the certificate that asks for it is of {emaid}"
        raise ProvisioningRefused(Refusal.NO_CONTRACT, text)
    return None, emaid.wire
