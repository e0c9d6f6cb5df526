"""One HTTP request and its answer: no redirect, proxy, cookie or compression; bounded in bytes. Who asks bounds time.

Every request has a connection of its own: one that is kept might have been closed by the server just now, and then a
vehicle's only try fails unsent.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import jiter

from pki.client_tls import CredentialMissing, TlsTrust
from pki.fetching import TooLarge, reason_of, take_at_most
from pki.iso15118.provisioning import ProvisioningRefused, Refusal

ANSWER_MAX: Final = 256 * 1024
"""Bytes of one answer: some thirty contracts of ISO 15118-20."""
CONNECTIONS_MAX: Final = 8
"""At once to the provider; others wait for their turn. One more is for its token."""


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """What a server answered. Its content may be a token: it isn't in ``repr``."""

    status: int
    is_json: bool
    content: bytes

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.content)} bytes)"

    def read_object(self) -> dict[str, Any]:
        """Return the JSON object: doubled keys, NaN, invalid UTF-8 and what is deep are refused. Raises ValueError."""
        if not self.is_json:
            raise ValueError("isn't application/json")
        try:
            value = jiter.from_json(self.content, allow_inf_nan=False, catch_duplicate_keys=True)
        except ValueError:
            # The parser quotes what it doesn't like.
            raise ValueError("isn't valid JSON") from None
        if not isinstance(value, dict):
            raise ValueError("isn't a JSON object")  # noqa: TRY004 - it is the server's value, no caller's
        return value


class Exchange:
    """The connections to a provider and its token endpoint. Close it."""

    def __init__(self, trust: TlsTrust) -> None:
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what is open."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """Return the answer, whatever its status. Raises ProvisioningRefused when there is none, with ``url`` in it."""
        try:
            tls = await asyncio.to_thread(self._trust.context)
            async with self._opened().request(
                method,
                url,
                data=body,
                headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
                allow_redirects=False,
                ssl=tls,
            ) as answer:
                content = await take_at_most(answer.content, ANSWER_MAX)
                is_json = answer.content_type.lower() == "application/json" and "Content-Encoding" not in answer.headers
                return Reply(answer.status, is_json, content)
        except TooLarge:
            raise ProvisioningRefused(
                Refusal.PROVIDER_ANSWER, f"{url}: the answer has more than {ANSWER_MAX} bytes"
            ) from None
        except CredentialMissing as error:
            raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, f"{url}: {error}") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise ProvisioningRefused(
                Refusal.PROVIDER_UNAVAILABLE,
                f"{url}: the server's certificate isn't trusted ({error.certificate_error}); see opcp.roots",
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: a header that HTTP can't carry; aiohttp quotes it, and it may be a secret.
            reason = reason_of(error) if isinstance(error, aiohttp.ClientConnectorError) else type(error).__name__
            raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, f"{url}: {reason}") from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX + 1, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session
