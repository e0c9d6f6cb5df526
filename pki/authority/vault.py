"""The authority of a PKI engine of HashiCorp Vault or OpenBao: its CA's key never comes into this process.

Certificates are asked for at ``sign/<role>``. Of the role it is expected that ``use_csr_common_name`` and
``use_csr_sans`` are false, that ``organization`` is the operator's (pki/sign drops the O of a CSR), that no flag asks
for an extended key usage, and that ``not_before_duration`` backdates for slow clocks: a request can't name it. Those of
profiles with a DC are asked for at ``sign-verbatim/<role>``: their subject is the CSR's own, which the review has held
against the profile. :mod:`pki.vault_roles` writes such roles.
"""

import functools
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hvac.api.auth_methods import Token
from hvac.api.secrets_engines import Pki
from hvac.api.system_backend import Capabilities

from pki.authority import (
    AuthorityError,
    AuthorityUnavailable,
    IssuedCertificate,
    IssuedMismatch,
    OutcomeUnknown,
    RevocationUnsupported,
    SigningRefused,
    SigningRequest,
)
from pki.authority.vault_role import LONGER, advice
from pki.clock import utc_now
from pki.crl import CRL_SIZE_MAX
from pki.issued import lifetime_slack, verify_issued
from pki.pem_files import certificates_pem
from pki.profiles import KeyKind, as_ip
from pki.subject import check_copied_whole
from pki.vault.adapter import VaultAdapter
from pki.vault.connection import VaultConnection, Work
from pki.vault.failures import NoAnswer, StatusError, VaultError, VaultRefused, VaultUnavailable
from pki.vault.transport import Answer
from pki.vault_roles import key_usages

CHAIN_MAX: Final = 10
"""CA certificates that are looked at."""
SERIALS_KEPT: Final = 10_000
"""Serial numbers of the certificates that came last: none comes twice."""

_SIGNING: Final = frozenset({"create", "update", "sudo", "root"})
_UNKNOWN_SERIAL: Final = "not found"
"""In the words of Vault and OpenBao for a serial number that the engine doesn't know; the status is a plain 400."""
_SERIAL: Final = re.compile(r"[0-9a-fA-F]{1,40}")

T = TypeVar("T")

log = structlog.get_logger(__name__)


class VaultAuthority:
    """Signs through one role. Fulfils :class:`pki.authority.CertificateAuthority`."""

    def __init__(
        self, connection: VaultConnection, *, mount: str, role: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._connection = connection
        self._mount = mount
        self._role = role
        self._clock = clock
        self._given: dict[str, None] = {}
        """Serial numbers, the oldest first."""

    def __repr__(self) -> str:
        return f"VaultAuthority({self._connection!r}, {self._mount}/{self._role})"

    async def sign(self, request: SigningRequest) -> IssuedCertificate:
        """Have ``request`` signed, once: when it isn't known whether that was done, it isn't asked again.

        What comes is held against the request; what doesn't fit is revoked at once, as far as that can be done, and the
        error says which setting of the role to mend. Raises :class:`pki.authority.AuthorityError`.
        """
        csr = request.csr.public_bytes(Encoding.PEM).decode()
        wanted = _wanted(request)
        if _is_verbatim(request):
            check_copied_whole(request)

        def ask(adapter: VaultAdapter) -> tuple[IssuedCertificate, IssuedMismatch | None]:
            api = Pki(adapter)
            if _is_verbatim(request):
                answer = api.sign_verbatim(csr, self._role, dict(wanted), self._mount)
            else:
                answer = api.sign_certificate(self._role, csr, request.common_name, dict(wanted), self._mount)
            issued = _issued(answer)
            try:
                # Here, in the thread: it costs as much as the request.
                verify_issued(issued, request, now=self._clock())
            except IssuedMismatch as error:
                return issued, error
            return issued, None

        issued, mismatch = await self._call(ask, is_repeatable=False)
        self._note_serial(issued.serial)
        if mismatch is not None:
            raise await self._disowned(issued, request, mismatch)
        lifetime = request.profile.validity.lifetime
        if issued.not_after < self._clock() + lifetime - lifetime_slack(lifetime):
            log.warning("lifetime_cut_short", ends=issued.not_after.isoformat(), reason=LONGER)
        return issued

    async def chain(self) -> list[x509.Certificate]:
        """Return the issuing CA's certificate and those above it, as far as the engine has them."""

        def ask(adapter: VaultAdapter) -> list[x509.Certificate]:
            answer = adapter.get(f"/v1/{self._mount}/issuer/{self._issuer(adapter)}/json")
            return _certificates(_data(answer).get("ca_chain"))

        return await self._call(ask)

    async def revoke(self, serial: str, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified) -> None:  # noqa: ARG002 - see below
        """Revoke what this engine issued under ``serial`` (hex); one that is revoked already stays so.

        Vault's API takes no reason: its CRL will have none. Raises :class:`pki.authority.AuthorityError`;
        RevocationUnsupported for one that the engine doesn't have (any more).
        """
        if not _SERIAL.fullmatch(serial):
            raise SigningRefused("a serial number has 1 to 40 hex digits")
        octets = bytes.fromhex(serial.zfill(len(serial) + len(serial) % 2))
        try:
            await self._call(lambda adapter: Pki(adapter).revoke_certificate(octets.hex(":"), self._mount))
        except SigningRefused as error:
            if _UNKNOWN_SERIAL not in str(error):
                raise
            raise RevocationUnsupported(
                f"{self._mount} has no certificate {serial}: another engine issued it, or it was tidied away"
            ) from None

    async def crl(self) -> bytes:
        """Return the issuing CA's CRL in PEM, and behind it those of the engine's other CAs.

        After the issuing CA was rotated, the stations of the former one come for as long as their certificates last.
        An engine that has no CRL yet makes it now.
        """
        found = await self._call(self._crl)
        if not found:
            await self._call(lambda adapter: Pki(adapter).rotate_crl(self._mount))
            found = await self._call(self._crl)
        if not found:
            raise AuthorityUnavailable(f"{self._mount} has no CRL; set {self._mount}/config/crl disable=false")
        return found

    async def health(self) -> None:
        """Return when the token is good, the role is there, and the token's policies let it sign."""
        path, verbatim = (f"{self._mount}/{how}/{self._role}" for how in ("sign", "sign-verbatim"))

        def ask(adapter: VaultAdapter) -> frozenset[str]:
            Token(adapter).lookup_self()
            answer = _data(Capabilities(adapter).get_capabilities([path, verbatim]))
            return frozenset(answer.get(path, ())) | frozenset(answer.get(verbatim, ()))

        if not await self._call(ask) & _SIGNING:
            raise AuthorityUnavailable(f'the token may not sign: add path "{path}" {{ capabilities = ["update"] }}')
        try:
            await self._connection.call(lambda adapter: Pki(adapter).read_role(self._role, self._mount))
        except VaultRefused as error:
            if error.status == 404:
                raise AuthorityUnavailable(f"there is no role {self._mount}/roles/{self._role}; make it") from None
        except VaultError as error:
            raise AuthorityUnavailable(str(error)) from None

    async def _call(self, work: Work[T], *, is_repeatable: bool = True) -> T:
        """Ask, with every failure as an AuthorityError."""
        try:
            return await self._connection.call(work, is_repeatable=is_repeatable)
        except VaultRefused as error:
            if error.status == 400 and error.words.startswith("unknown role"):
                raise AuthorityUnavailable(f"there is no role {self._mount}/roles/{self._role}; make it") from None
            kind = SigningRefused if error.status in {400, 422} else AuthorityUnavailable
            raise kind(str(error)) from None
        except VaultUnavailable as error:
            kind_of_failure = OutcomeUnknown if error.is_outcome_unknown else AuthorityUnavailable
            raise kind_of_failure(str(error)) from None
        except VaultError as error:
            raise AuthorityUnavailable(str(error)) from None

    async def _disowned(
        self, issued: IssuedCertificate, request: SigningRequest, mismatch: IssuedMismatch
    ) -> IssuedMismatch:
        """Revoke what nobody asked for, and say what to mend."""
        mend = advice(issued.certificate, request, self._clock())
        text = f"{mismatch}; {mend}" if mend else str(mismatch)
        try:
            await self.revoke(issued.serial)
        except AuthorityError as error:
            log.error("mismatch_not_revoked", serial=issued.serial, reason=str(error))  # noqa: TRY400 - its words say it
            return IssuedMismatch(f"{text} (and {issued.serial} could not be revoked: {error})")
        return IssuedMismatch(f"{text} ({issued.serial} was revoked)")

    def _note_serial(self, serial: str) -> None:
        """Return when this serial number is new. Another station may use the certificate: it must not be revoked."""
        if serial in self._given:
            raise IssuedMismatch(
                f"the answer is the certificate {serial}, given before; is there a cache before Vault?"
            )
        self._given[serial] = None
        if len(self._given) > SERIALS_KEPT:
            del self._given[next(iter(self._given))]

    def _issuer(self, adapter: VaultAdapter) -> str:
        """Return which of the engine's issuers signs for the role; the default one where the role can't be read."""
        try:
            return str(_data(Pki(adapter).read_role(self._role, self._mount)).get("issuer_ref") or "default")
        except StatusError as error:
            if error.status in {403, 404}:
                return "default"
            raise

    def _crl(self, adapter: VaultAdapter) -> bytes:
        crl = self._crl_of(adapter, self._issuer(adapter))
        if not crl:
            return b""
        crls = {crl.strip(): None}
        for issuer in self._other_issuers(adapter):
            crls[self._crl_of(adapter, issuer).strip()] = None
        joined = b"\n".join(crls)
        # All of them are read as one file is; together they may be too long for it.
        return joined if len(joined) <= CRL_SIZE_MAX else crl

    def _crl_of(self, adapter: VaultAdapter, issuer: str) -> bytes:
        answer = adapter.get(f"/v1/{self._mount}/issuer/{issuer}/crl/pem", answer_max=CRL_SIZE_MAX)
        return bytes(answer.content) if isinstance(answer, Answer) else b""

    def _other_issuers(self, adapter: VaultAdapter) -> list[str]:
        """Return the engine's CAs that have their key there; those above them sign their lists elsewhere."""
        try:
            info = _data(Pki(adapter).list_issuers(self._mount)).get("key_info")
        except StatusError as error:
            if error.status in {403, 404}:
                return []
            raise
        known = info if isinstance(info, dict) else {}
        own = [str(each) for each, about in known.items() if isinstance(about, dict) and about.get("key_id")]
        return own[:CHAIN_MAX]


def _is_verbatim(request: SigningRequest) -> bool:
    """Return whether the subject is the CSR's own: a role can't give the DC that ISO 15118 asks for ([V2G2-925])."""
    return request.profile.subject.domain_component is not None


def _wanted(request: SigningRequest) -> dict[str, Any]:
    """Return what can be asked for beside the CSR and the CN. What a role can't be told stays the role's."""
    ttl = f"{round(request.profile.validity.lifetime.total_seconds())}s"
    if _is_verbatim(request):
        kind: KeyKind = "rsa" if isinstance(request.csr.public_key(), rsa.RSAPublicKey) else "ec"
        return {"ttl": ttl, "format": "pem", "key_usage": key_usages(request.profile, [kind]), "ext_key_usage": []}
    addresses = [name for name in request.names if as_ip(name) is not None]
    hosts = [name for name in request.names if as_ip(name) is None]
    return {
        "ttl": ttl,
        "format": "pem",
        "alt_names": ",".join(hosts),
        "ip_sans": ",".join(addresses),
        # Without this the CN becomes an alternative name, which a station's certificate hasn't (A00.FR.511).
        "exclude_cn_from_sans": True,
    }


def _issued(answer: Any) -> IssuedCertificate:
    """Read the answer to a sign. Raises NoAnswer: a certificate may have been issued."""
    data = _data(answer)
    leaf = _certificates([data.get("certificate")], _read)[0]
    above = _certificates(data.get("ca_chain") or [data.get("issuing_ca")])
    chain = [leaf, *(ca for ca in above if ca.subject != ca.issuer)]
    return IssuedCertificate(leaf, certificates_pem(chain))


def _data(answer: Any) -> dict[str, Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise NoAnswer("the answer has no data; is the mount a PKI engine?")
    return data


def _read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


_read_again: Final = functools.lru_cache(maxsize=8 * CHAIN_MAX)(_read)
"""For CAs: they come with each certificate."""


def _certificates(pems: Any, read: Callable[[str], x509.Certificate] = _read_again) -> list[x509.Certificate]:
    if not isinstance(pems, list) or not 0 < len(pems) <= CHAIN_MAX:
        raise NoAnswer(f"the answer holds no chain of 1 to {CHAIN_MAX} certificates")
    try:
        return [read(pem) for pem in pems]
    except (AttributeError, TypeError, ValueError):
        raise NoAnswer("the answer holds a certificate that can't be decoded") from None
