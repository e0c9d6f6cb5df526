"""The gateway's own client certificate towards an EST server, renewed there before it lapses (RFC 7030 4.2.2).

It keeps its key, as RFC 7030 allows: so that one file, the chain, is replaced whole, and a crash at any moment leaves a
pair that fits; and so that the key may lie where the gateway can't write. Whoever wants another key enrols anew.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki.authority import AuthorityError, AuthorityUnavailable, IssuedMismatch
from pki.client_tls import ClientCertificate, CredentialMissing
from pki.clock import utc_now
from pki.est.client import EstClient
from pki.est.messages import is_root, way_up
from pki.pem_files import PUBLIC_MODE, certificates_pem, parse_key, write_file

FIRST_LOOK: Final = 60.0
"""Seconds until the first: whoever opens the authority only to ask how it is doesn't renew anything."""
LOOK_EVERY: Final = 3600.0
"""Seconds between two looks at it, and between two tries to renew it."""
DUE_SHARE: Final = 2 / 3
"""Of its life, after which it is renewed."""

log = structlog.get_logger(__name__)


class OwnCertificate:
    """Looks after the files of one client certificate."""

    def __init__(
        self,
        client: EstClient,
        files: ClientCertificate,
        *,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._files = files
        self._clock = clock
        self._sleep = sleep

    async def keep(self) -> None:
        """Renew it whenever that is due, for ever. What fails is logged, and tried again in an hour."""
        await self._sleep(FIRST_LOOK)
        while True:
            try:
                await self.renew_when_due()
            except (AuthorityError, CredentialMissing, OSError, ValueError) as error:
                log.error(  # noqa: TRY400 - its own words say it
                    "est_certificate_not_renewed", chain=str(self._files.chain), reason=str(error)
                )
            await self._sleep(LOOK_EVERY)

    async def check(self) -> None:
        """Return when it is valid now. Raises AuthorityUnavailable."""
        try:
            own = (await asyncio.to_thread(self._read))[0]
        except (OSError, ValueError) as error:
            raise AuthorityUnavailable(f"{self._files.chain}: {error}") from None
        if not own.not_valid_before_utc <= self._clock() <= own.not_valid_after_utc:
            raise AuthorityUnavailable(
                f"{self._files.chain}: our certificate is valid from {own.not_valid_before_utc:%Y-%m-%d} to "
                f"{own.not_valid_after_utc:%Y-%m-%d}; enrol it anew"
            )

    async def renew_when_due(self) -> bool:
        """Renew it when two thirds of its life are over; return whether it was.

        Raises AuthorityError, CredentialMissing, OSError and ValueError: the old one stays.
        """
        chain = await asyncio.to_thread(self._read)
        own, now = chain[0], self._clock()
        life = own.not_valid_after_utc - own.not_valid_before_utc
        if now < own.not_valid_before_utc + life * DUE_SHARE:
            return False
        csr = await asyncio.to_thread(self._request, own)
        came = await self._client.enroll(csr, is_renewal=True)
        newer = next((each for each in came if each.public_key() == own.public_key()), None)
        if newer is None or newer.subject != own.subject:
            raise IssuedMismatch("what came isn't a certificate for our name and key")
        if not newer.not_valid_before_utc <= now or newer.not_valid_after_utc <= own.not_valid_after_utc:
            raise IssuedMismatch("what came isn't valid now, or for no longer than the one we have")
        way = [each for each in way_up(newer, [*came, *chain[1:]]) if not is_root(each)]
        await asyncio.to_thread(write_file, self._files.chain.resolve(), certificates_pem(way).encode(), PUBLIC_MODE)
        self._client.trust.forget()
        log.info("est_certificate_renewed", chain=str(self._files.chain), until=newer.not_valid_after_utc.isoformat())
        return True

    def _read(self) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates(self._files.chain.read_bytes())

    def _request(self, own: x509.Certificate) -> x509.CertificateSigningRequest:
        """Name and alternative names as they are: a server refuses others (RFC 7030 4.2.2)."""
        with self._files.key() as path:
            key = parse_key(path.read_bytes())
        builder = x509.CertificateSigningRequestBuilder(own.subject)
        try:
            names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            builder = builder.add_extension(names.value, names.critical)
        except x509.ExtensionNotFound:
            pass
        return builder.sign(key, hashes.SHA256())
