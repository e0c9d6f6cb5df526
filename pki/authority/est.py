"""The authority behind an EST server (RFC 7030): the gateway enrols on behalf of stations, as their RA.

An EST CA takes the subject from the CSR, which the station has signed. The review has seen to its CN; whatever the
profile has no place for is refused here, before it is certified, and what is missing is told by ``verify_issued``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog
from cryptography import x509

from pki.authority import (
    AuthorityUnavailable,
    IssuedCertificate,
    IssuedMismatch,
    RevocationUnsupported,
    SigningPending,
    SigningRequest,
)
from pki.clock import utc_now
from pki.est.client import EstClient
from pki.est.messages import is_root, issuers_in_order, way_up
from pki.est.own_certificate import OwnCertificate
from pki.issued import verify_issued
from pki.pem_files import certificates_pem
from pki.subject import check_copied

PENDING_MAX: Final = 10.0
"""Seconds that a request waits in place for a CA that wants to be asked again; others wait for their turn behind it."""

log = structlog.get_logger(__name__)


class EstAuthority:
    """Signs through simpleenroll. Fulfils :class:`pki.authority.CertificateAuthority`."""

    def __init__(
        self,
        client: EstClient,
        *,
        own: OwnCertificate | None = None,
        pending_max: float = PENDING_MAX,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``own``: the certificate that the gateway shows; ``pending_max``: seconds."""
        self._client = client
        self._own = own
        self._pending_max = pending_max
        self._clock = clock
        self._sleep = sleep
        self._cas: list[x509.Certificate] = []
        """As the server said last."""

    def __repr__(self) -> str:
        return f"EstAuthority({self._client.base})"

    async def sign(self, request: SigningRequest) -> IssuedCertificate:
        """Have ``request`` enrolled. Raises :class:`pki.authority.AuthorityError`.

        When the CA wants more time than is waited for in place, that is :class:`pki.authority.SigningPending`: the same
        request later picks the certificate up (RFC 7030 4.2.3).
        """
        check_copied(request)
        await self._check_own()
        certificates = await self._enrolled(request.csr)
        key = request.csr.public_key()
        leaf = next((each for each in certificates if each.public_key() == key), None)
        if leaf is None:
            raise IssuedMismatch(f"{self._client.base}: none of the certificates that came is for the key of the CSR")
        try:
            chain = await self._chain_of(leaf, certificates)
            issued = IssuedCertificate(leaf, certificates_pem(chain))
            await asyncio.to_thread(verify_issued, issued, request, now=self._clock())
        except IssuedMismatch as error:
            serial = format(leaf.serial_number, "x")
            raise IssuedMismatch(f"{error}. It isn't given out; revoke {serial} at the CA: EST can't") from None
        return issued

    async def chain(self) -> list[x509.Certificate]:
        """Return the issuing CA's certificate, and those above it (RFC 7030 4.1)."""
        return issuers_in_order(await self._ca_certificates())

    async def revoke(self, serial: str, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified) -> None:  # noqa: ARG002 - nobody to tell
        """EST has no word for it. Raises :class:`pki.authority.RevocationUnsupported`."""
        raise RevocationUnsupported(
            f"EST can't revoke (RFC 7030): revoke {serial} at the CA behind {self._client.base}; this gateway itself "
            "refuses what was revoked here"
        )

    async def crl(self) -> bytes:
        """EST has no word for it. Raises :class:`pki.authority.AuthorityUnavailable`."""
        raise AuthorityUnavailable(
            f"EST has no CRLs: name that of the CA behind {self._client.base} under revocation.crls; what was revoked "
            "here is refused without it"
        )

    async def health(self) -> None:
        """Return when the server gives its CA certificates, one is valid, and our own certificate is."""
        await self._check_own()
        now = self._clock()
        issuing = issuers_in_order(await self._ca_certificates())[0]
        if not issuing.not_valid_before_utc <= now <= issuing.not_valid_after_utc:
            raise AuthorityUnavailable(
                f"{self._client.base}: its CA {issuing.subject.rfc4514_string()} isn't valid now"
            )

    async def _check_own(self) -> None:
        """First, since a server that refuses our certificate just hangs up."""
        if self._own is not None:
            await self._own.check()

    async def _enrolled(self, csr: x509.CertificateSigningRequest) -> list[x509.Certificate]:
        """Ask, and again while the CA wants to be asked again soon enough."""
        waited = 0.0
        while True:
            try:
                return await self._client.enroll(csr)
            except SigningPending as pending:
                waited += pending.retry_after
                if waited > self._pending_max:
                    raise
                log.info("est_pending", server=self._client.base, retry_after=pending.retry_after)
                await self._sleep(pending.retry_after)

    async def _chain_of(self, leaf: x509.Certificate, came: list[x509.Certificate]) -> list[x509.Certificate]:
        """Return ``leaf`` and its issuers without the root: servers needn't send them along (RFC 7030 4.2.3)."""
        way = way_up(leaf, [*self._cas, *came])
        if way[-1] not in self._cas:
            way = way_up(leaf, [*await self._ca_certificates(), *came])
        if is_root(way[-1]) and way[-1] in self._cas:
            return way[:-1]
        raise IssuedMismatch(f"{self._client.base}: its CA certificates lead from the certificate to no root")

    async def _ca_certificates(self) -> list[x509.Certificate]:
        self._cas = await self._client.ca_certificates()
        return self._cas
