"""Asks OCSP responders, remembers what they said, and lets all who ask the same wait for one question."""

import asyncio
import enum
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography import x509

from pki.certificate_hash import CertificateHash
from pki.clock import utc_now
from pki.destinations import DestinationRefused
from pki.fetching import FetchFailed, TooManyFetches, UselessAnswer
from pki.ocsp.request import ocsp_request
from pki.ocsp.response import RESPONSE_SIZE_MAX, Answer, OcspRejected, read_answer
from pki.revocation import RevocationSource, Status

AGE_MAX: Final = timedelta(days=7)
"""After which a responder is asked again, however long its answer holds (OCPP 2.0.1 M06.FR.10)."""
ANSWERS_MAX: Final = 65_536
ANSWERS_SIZE_MAX: Final = 64 * 1024 * 1024
"""Answers that are remembered, and their bytes; those that nobody asked about for the longest time go first."""
SEEN_MAX: Final = 131_072
"""Certificates of which it is remembered how new the newest answer was, so that an older one is known as a replay."""
FAILURE_HOLDS: Final = 10.0
"""Seconds in which the same isn't asked again after it has failed. A failure is never remembered for longer."""
FAILURES_MAX: Final = 1024
NONCE_SIZE: Final = 32
"""Bytes (RFC 9654 2.1)."""

_REQUEST: Final = "application/ocsp-request"
_RESPONSE: Final = "application/ocsp-response"


class Cause(enum.Enum):
    """Why there is no answer; the value is fit for OCPP's reasonCode."""

    NOT_ALLOWED = "ResponderNotAllowed"
    AWAY = "ResponderAway"
    REJECTED = "InvalidResponse"


class OcspUnavailable(Exception):
    """Nobody who may say so says anything about the certificate now; the text says why."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


class Fetch(Protocol):
    """What carries the question: :class:`pki.fetching.GuardedHttp`."""

    async def fetch(self, url: str, *, expect: str, size_max: int, body: bytes | None = None, sends: str = "") -> bytes:
        """Return the answer. Raises DestinationRefused and FetchFailed."""


@dataclass(frozen=True, slots=True)
class _Held:
    answer: Answer
    at: float
    """When it came, by the monotonic clock."""


@dataclass(frozen=True, slots=True)
class _Failure:
    cause: Cause
    reason: str
    until: float


class OcspClient:
    """One for the whole gateway. Everything on it is called from the event loop.

    ``delegates`` says whether a responder's certificate is revoked that doesn't exempt itself (RFC 6960 4.2.2.2.1).
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        delegates: RevocationSource | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._delegates = delegates
        self._clock = clock
        self._monotonic = monotonic
        self._held: OrderedDict[CertificateHash, _Held] = OrderedDict()
        self._size = 0
        self._seen: OrderedDict[CertificateHash, datetime] = OrderedDict()
        self._failures: OrderedDict[tuple[str, CertificateHash | None], _Failure] = OrderedDict()
        self._asking: dict[tuple[str, CertificateHash], asyncio.Task[Answer | _Failure]] = {}

    async def ask(
        self, url: str, certificate: CertificateHash, issuer: x509.Certificate, *, age_max: timedelta = AGE_MAX
    ) -> Answer:
        """Return a verified answer about ``certificate``, which ``issuer`` issued: one that holds now.

        From memory when it isn't older than ``age_max``, or when it holds still and the responder gives no newer one.
        Raises :class:`OcspUnavailable`. Whoever stops waiting ends nobody else's question.
        """
        held = self._held.get(certificate)
        if held is not None and self._is_recent(held, age_max):
            self._held.move_to_end(certificate)
            return held.answer
        outcome: Answer | _Failure | None = self._recent_failure(url, certificate)
        if outcome is None:
            outcome = await asyncio.shield(self._question(url, certificate, issuer))
        if isinstance(outcome, Answer):
            return outcome
        if held is not None and self._is_recent(held, AGE_MAX):
            return held.answer
        raise OcspUnavailable(outcome.cause, outcome.reason)

    def has_recent(self, certificate: CertificateHash, age_max: timedelta) -> bool:
        """Return whether :meth:`ask` would ask nobody: a recent answer is held."""
        held = self._held.get(certificate)
        return held is not None and self._is_recent(held, age_max)

    def last(self, certificate: CertificateHash) -> Answer | None:
        """Return what was last said of a certificate, be it over by now; asks nobody."""
        held = self._held.get(certificate)
        return None if held is None else held.answer

    async def close(self) -> None:
        """End the questions that are under way."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        if asking:
            await asyncio.wait(asking)

    def _is_recent(self, held: _Held, age_max: timedelta) -> bool:
        return self._monotonic() - held.at <= age_max.total_seconds() and self._clock() <= held.answer.until

    def _recent_failure(self, url: str, certificate: CertificateHash) -> _Failure | None:
        """A responder that is away is away for all questions; what it answered badly concerns that question."""
        for key in ((url, None), (url, certificate)):
            failure = self._failures.get(key)
            if failure is not None and self._monotonic() < failure.until:
                return failure
        return None

    def _question(
        self, url: str, certificate: CertificateHash, issuer: x509.Certificate
    ) -> asyncio.Task[Answer | _Failure]:
        key = url, certificate
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(url, certificate, issuer), name="OCSP")
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return task

    async def _ask(self, url: str, certificate: CertificateHash, issuer: x509.Certificate) -> Answer | _Failure:
        nonce = secrets.token_bytes(NONCE_SIZE)
        try:
            der = await self._fetch.fetch(
                url, expect=_RESPONSE, size_max=RESPONSE_SIZE_MAX, body=ocsp_request(certificate, nonce), sends=_REQUEST
            )
            answer = read_answer(der, certificate, issuer, now=self._clock(), nonce=nonce)
            await self._check_delegate(answer, issuer)
            self._check_newest(certificate, answer)
        except DestinationRefused as refused:
            return self._failed((url, None), Cause.NOT_ALLOWED, str(refused))
        except TooManyFetches as failed:
            return _Failure(Cause.AWAY, str(failed), until=self._monotonic())
        except UselessAnswer as useless:
            # Any station may put a question that makes a responder stumble; the door's questions aren't to suffer.
            return self._failed((url, certificate), Cause.AWAY, str(useless))
        except FetchFailed as failed:
            return self._failed((url, None), Cause.AWAY, str(failed))
        except OcspRejected as rejected:
            return self._failed((url, certificate), Cause.REJECTED, str(rejected))
        self._hold(certificate, answer)
        return answer

    async def _check_delegate(self, answer: Answer, issuer: x509.Certificate) -> None:
        """RFC 6960 4.2.2.2.1: a delegate that is revoked says nothing; without nocheck it must be known to be good."""
        if answer.delegate is None:
            return
        status = Status.UNKNOWN
        if self._delegates is not None:
            status = (await self._delegates.status((answer.delegate, issuer))).status
        if status is Status.REVOKED:
            raise OcspRejected("the certificate of the responder is revoked")
        if status is Status.UNKNOWN and not answer.is_vouched_for:
            raise OcspRejected(
                "nobody says whether the certificate of the responder is revoked: it has no ocsp-nocheck"
            )

    def _check_newest(self, certificate: CertificateHash, answer: Answer) -> None:
        """Attack B2: what a responder said before it revoked a certificate is a replay, though it is in date still."""
        newest = self._seen.get(certificate)
        if newest is not None and answer.this_update < newest:
            raise OcspRejected(f"the response is older than one of {newest.isoformat()} that was seen: a replay")
        self._seen[certificate] = answer.this_update
        self._seen.move_to_end(certificate)
        while len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)

    def _hold(self, certificate: CertificateHash, answer: Answer) -> None:
        before = self._held.pop(certificate, None)
        self._size += len(answer.der) - (0 if before is None else len(before.answer.der))
        self._held[certificate] = _Held(answer, self._monotonic())
        while len(self._held) > ANSWERS_MAX or self._size > ANSWERS_SIZE_MAX:
            _, oldest = self._held.popitem(last=False)
            self._size -= len(oldest.answer.der)

    def _failed(self, key: tuple[str, CertificateHash | None], cause: Cause, reason: str) -> _Failure:
        failure = _Failure(cause, reason, self._monotonic() + FAILURE_HOLDS)
        self._failures[key] = failure
        self._failures.move_to_end(key)
        while len(self._failures) > FAILURES_MAX:
            self._failures.popitem(last=False)
        return failure
