"""OCSP as a source of revocation for the edge: what responders say about a verified path (A00.FR.702, 705)."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from cryptography import x509

from pki.certificate_hash import certificate_hash
from pki.clock import utc_now
from pki.ocsp.client import OcspClient, OcspUnavailable
from pki.ocsp.issuers import responders_of
from pki.revocation import Finding, Status

ADMISSION_WAIT: Final = 3.0
"""Seconds for which a newcomer waits for responders; the question goes on, and the next look finds its answer."""
REFRESH: Final = timedelta(hours=1)
"""After which a responder is asked again, unless told otherwise."""

_GOOD: Final = Finding(Status.GOOD)


class OcspSource:
    """Fulfils :class:`pki.revocation.RevocationSource`.

    With ``responder`` it is asked about the leaf, whatever the certificates name. Without, each certificate but the
    root is asked about at the first responder that it names itself; an intermediate CA that names none isn't asked
    about, as with CRLs. Where a responder may be is the affair of what fetches.

    What a responder calls revoked stays revoked until a newer answer says otherwise, be that answer late: who can keep
    responders away must not win a revoked certificate back by it (attack B2).
    """

    def __init__(
        self,
        client: OcspClient,
        *,
        responder: str | None = None,
        refresh: timedelta = REFRESH,
        wait: float = ADMISSION_WAIT,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._responder = responder
        self._refresh = refresh
        self._wait = wait
        self._clock = clock

    async def status(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return what responders say about ``path``, within ``wait`` seconds; what is known already costs nothing."""
        questions = self._questions(path)
        if not questions:
            return self.known(path)
        try:
            async with asyncio.timeout(self._wait):
                reasons = await asyncio.gather(*(self._ask(*question) for question in questions))
        except TimeoutError:
            reasons = [f"no responder answered within {self._wait:g} s"]
        finding = self.known(path)
        if finding.status is Status.UNKNOWN and (said := next(filter(None, reasons), None)):
            return Finding(Status.UNKNOWN, said)
        return finding

    def known(self, path: Sequence[x509.Certificate]) -> Finding:
        """Return what is known about ``path`` already; asks nobody."""
        if len(path) < 2:
            return Finding(Status.UNKNOWN, "its path holds no issuer")
        said = [self._client.last(certificate_hash(*pair)) for pair in pairwise(path)]
        for certificate, answer in zip(path, said, strict=False):
            if answer is not None and answer.status is Status.REVOKED:
                why = f" ({answer.reason})" if answer.reason else ""
                return Finding(Status.REVOKED, f"{certificate.serial_number:x} is revoked{why} by OCSP")
        leaf = said[0]
        if leaf is None:
            return Finding(Status.UNKNOWN, "no responder has said anything about it")
        if leaf.status is Status.UNKNOWN:
            return Finding(Status.UNKNOWN, "its responder doesn't know it")
        if self._clock() > leaf.until:
            return Finding(Status.UNKNOWN, f"what its responder said is stale since {leaf.until.isoformat()}")
        return _GOOD

    def _questions(self, path: Sequence[x509.Certificate]) -> list[tuple[str, x509.Certificate, x509.Certificate]]:
        """Return who is asked about what, as far as no recent answer is held."""
        pairs = list(pairwise(path))
        if self._responder is not None:
            return [(self._responder, *pair) for pair in pairs[:1] if self._is_due(*pair)]
        pairs = [pair for pair in pairs if self._is_due(*pair)]
        named = ((responders_of(certificate), certificate, issuer) for certificate, issuer in pairs)
        return [(urls[0], certificate, issuer) for urls, certificate, issuer in named if urls]

    def _is_due(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        return not self._client.has_recent(certificate_hash(certificate, issuer), self._refresh)

    async def _ask(self, url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> str:
        """Ask, and return why there is no answer; empty when there is one. Its memory is the client's."""
        try:
            await self._client.ask(url, certificate_hash(certificate, issuer), issuer, age_max=self._refresh)
        except OcspUnavailable as unavailable:
            return str(unavailable)
        return ""
