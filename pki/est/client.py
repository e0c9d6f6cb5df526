"""The connection to an EST server: one request, one answer, and every failure in words that say what to do.

No redirect is followed, no proxy asked, no cookie kept; what comes is bounded in bytes and seconds. A request that was
sent is never repeated by itself: whoever asked for a certificate asks again, with the same CSR.
"""

import asyncio
import base64
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

import aiohttp
from cryptography import x509

from pki.authority import AuthorityUnavailable, SigningPending, SigningRefused
from pki.client_tls import CredentialMissing, TlsTrust
from pki.clock import utc_now
from pki.est.messages import Malformed, read_certificates, request_body, retry_after
from pki.fetching import TooLarge, reason_of, take_at_most

ANSWER_MAX: Final = 256 * 1024
"""Bytes of one answer."""
CONNECTIONS_MAX: Final = 8
"""Requests at once; others wait for their turn."""
WORDS_MAX: Final = 300
"""Characters of a server's own words in an error."""

_CERTIFICATES: Final = frozenset({"application/pkcs7-mime", "application/pkcs7"})
_UNPRINTABLE: Final = re.compile(r"[^ -~]+")

Password = Callable[[], tuple[str, str]]
"""Gives user and password for HTTP Basic. Blocks. Raises CredentialMissing."""


class EstClient:
    """One CA of one EST server. Close it."""

    def __init__(
        self,
        url: str,
        trust: TlsTrust,
        *,
        label: str | None = None,
        password: Password | None = None,
        timeout: float = 10.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``url``: https://host[:port]; ``label``: of the CA (RFC 7030 3.2.2); ``timeout``: s for one request."""
        self.base = "/".join((url.rstrip("/"), ".well-known/est", *([label] if label else [])))
        self.trust = trust
        self._password = password
        self._timeout = timeout
        self._clock = clock
        self._turn = asyncio.Semaphore(CONNECTIONS_MAX)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"EstClient({self.base})"

    async def close(self) -> None:
        """Close what is open."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ca_certificates(self) -> list[x509.Certificate]:
        """Return the CA certificates in the server's order (RFC 7030 4.1). Raises AuthorityUnavailable."""
        try:
            return await self._ask("cacerts", None)
        except (SigningRefused, SigningPending) as error:
            raise AuthorityUnavailable(str(error)) from None

    async def enroll(self, csr: x509.CertificateSigningRequest, *, is_renewal: bool = False) -> list[x509.Certificate]:
        """Ask for a certificate (RFC 7030 4.2.1), or for a newer one of the client's own (4.2.2).

        Raises SigningPending, SigningRefused and AuthorityUnavailable.
        """
        return await self._ask("simplereenroll" if is_renewal else "simpleenroll", request_body(csr))

    async def _ask(self, operation: str, body: bytes | None) -> list[x509.Certificate]:
        where = f"{self.base}/{operation}"
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._exchange(where, body)
            except TimeoutError:
                raise AuthorityUnavailable(f"{where}: no answer within {self._timeout:g} s") from None
            except CredentialMissing as error:
                raise AuthorityUnavailable(f"{where}: {error}") from None
            except TooLarge:
                raise AuthorityUnavailable(f"{where}: the answer has more than {ANSWER_MAX} bytes") from None
            except Malformed as error:
                raise AuthorityUnavailable(f"{where}: {error}") from None
            except aiohttp.ClientConnectorCertificateError as error:
                raise AuthorityUnavailable(
                    f"{where}: the server's certificate isn't trusted ({error.certificate_error}); see est.roots"
                ) from None
            except (aiohttp.ClientError, OSError) as error:
                # What the server made of a client certificate shows only here, as a TLS alert.
                self.trust.forget()
                raise AuthorityUnavailable(f"{where}: {reason_of(error)}") from None

    async def _exchange(self, where: str, body: bytes | None) -> list[x509.Certificate]:
        tls = await asyncio.to_thread(self.trust.context)
        headers = {"Accept": "application/pkcs7-mime", "Accept-Encoding": "identity"}
        if body is not None:
            # RFC 8951 3.1 has no use for the second; servers of RFC 7030's own days may.
            headers |= {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"}
        if self._password is not None:
            user, password = await asyncio.to_thread(self._password)
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        method = "GET" if body is None else "POST"
        async with self._opened().request(
            method, where, data=body, headers=headers, allow_redirects=False, ssl=tls
        ) as answer:
            content = await take_at_most(answer.content, ANSWER_MAX)
            if answer.status != 200:
                raise self._failure(where, answer, content)
            if answer.content_type.lower() not in _CERTIFICATES or "Content-Encoding" in answer.headers:
                raise Malformed("the answer isn't application/pkcs7-mime (RFC 7030 4.1.3)")
            return await asyncio.to_thread(read_certificates, content)

    def _failure(self, where: str, answer: aiohttp.ClientResponse, content: bytes) -> Exception:
        status, words = answer.status, _words(answer, content)
        if status == 202:
            wait = retry_after(answer.headers.get("Retry-After"), self._clock())
            return SigningPending(f"{where}: the CA has yet to decide (202); ask again in {wait:.0f} s", wait)
        if status == 401:
            self.trust.forget()
            return AuthorityUnavailable(f"{where} takes neither our certificate nor our password (401); see est.auth")
        if 300 <= status < 400:
            return AuthorityUnavailable(
                f"{where} answers with a redirect ({status}), which isn't followed; name its target"
            )
        if status in {204, 404, 405, 501}:
            return AuthorityUnavailable(f"{where} isn't served ({status}); see est.url and est.label{words}")
        if 400 <= status < 500 and status not in {408, 425, 429}:
            return SigningRefused(f"{where} refuses it ({status}){words}")
        return AuthorityUnavailable(f"{where} can't do it now ({status}){words}")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                # A connection of its own for each: one that the server has just closed would fail a request unsent.
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session


def _words(answer: aiohttp.ClientResponse, content: bytes) -> str:
    """What the server says, where it is meant for people (RFC 7030 4.2.3)."""
    if answer.content_type.lower() != "text/plain":
        return ""
    text = _UNPRINTABLE.sub(" ", content[: 4 * WORDS_MAX].decode("utf-8", "replace")).strip()[:WORDS_MAX]
    return f": {text}" if text else ""
