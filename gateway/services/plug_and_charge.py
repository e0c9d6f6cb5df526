"""Get15118EVCertificate of stations, for the vehicles that stand there (OCPP 2.0.1 M01, M02; the note for 1.6)."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import structlog

from gateway.bridge.books import Json
from gateway.services.contract_providers import VehiclesStation
from gateway.services.ev_certificate_words import (
    RESPONSE_MAX_16,
    RESPONSE_MAX_201,
    EvAnswer,
    EvRequest,
    request_of,
    response_of,
)
from gateway.session.strikes import StrikesByIdentity
from pki.iso15118.provisioning import ProvisioningRefused, Refusal

HOUR: Final = 3600.0
"""Seconds over which a station's requests are counted."""
SAME_ANSWER: Final = 60.0
"""Seconds in which a station that repeats a request to the letter gets the same certificate again."""
ANSWERS_MAX: Final = 2000
"""Answers that are kept for it; of more, the oldest is forgotten."""
STORE_TIME: Final = 0.5
"""Seconds that a request may take beside its provider's: for the store, before and after."""
QUIET: Final = 60.0
"""Seconds without any after which a station that asks too often is on the audit anew; the metrics count all."""

log = structlog.get_logger(__name__)

Spawn = Callable[[Coroutine[Any, Any, None], str], object]
"""``spawn(work, name)`` runs ``work`` as a task with an owner."""


class Provisioning(Protocol):
    """Who answers: :class:`gateway.services.contract_provisioning.ContractProvisioning`."""

    async def answer(self, station: VehiclesStation, asked: EvRequest) -> EvAnswer:
        """Return the answer to a request, whatever happens; it is on the audit."""

    async def refuse(
        self, station: VehiclesStation, asked: EvRequest, refused: ProvisioningRefused, *, is_kept: bool
    ) -> EvAnswer:
        """Return the answer to a request that isn't looked at; ``is_kept``: audit and security log hear of it."""


class PlugAndCharge:
    """Lets a station ask so often, and each of its requests have effect once."""

    def __init__(
        self,
        provisioning: Provisioning,
        *,
        spawn: Spawn,
        requests_per_hour: int,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``timeout``: seconds that the provider has for one request."""
        self._provisioning = provisioning
        self._spawn = spawn
        self._most = requests_per_hour
        self._patience = timeout + STORE_TIME
        self._clock = clock
        self._requests = StrikesByIdentity(requests_per_hour, HOUR)
        self._told = StrikesByIdentity(1, QUIET)
        self._making: dict[bytes, asyncio.Future[EvAnswer]] = {}
        """By station and request: the answer that is being made."""
        self._given: dict[bytes, tuple[EvAnswer, float]] = {}
        """The answer with a certificate that was given, and until when it is given again."""

    async def get_15118_ev_certificate(self, station: VehiclesStation, payload: Json) -> Json:
        """Answer Get15118EVCertificateRequest of a 2.0.1 station."""
        return response_of(await self.answer(station, request_of(payload, RESPONSE_MAX_201)))

    async def wrapped(self, station: VehiclesStation, payload: Json, vendor_id: str) -> Json:
        """Answer the same of a 1.6 station, in DataTransfer."""
        return response_of(await self.answer(station, request_of(payload, RESPONSE_MAX_16, vendor_id)))

    async def answer(self, station: VehiclesStation, asked: EvRequest) -> EvAnswer:
        """Answer in the words of no OCPP version."""
        now = self._clock()
        if self._requests.one_more(station.identity, now):
            text = f"more than {self._most} requests of one station in an hour (plug_and_charge.requests_per_hour)"
            refused = ProvisioningRefused(Refusal.RATE_LIMIT, text)
            is_kept = not self._told.one_more(station.identity, now)
            return await self._provisioning.refuse(station, asked, refused, is_kept=is_kept)
        name = _name_of(station.identity, asked)
        given = self._given.get(name)
        if given is not None and now < given[1]:
            log.info("ev_certificate_given_again", identity=station.identity)
            return given[0]
        making = self._making.get(name)
        if making is None:
            # A task of its own: what an authority has signed is kept and audited though nobody should wait any more.
            making = self._making[name] = asyncio.get_running_loop().create_future()
            self._spawn(self._make(name, making, station, asked), f"contract certificate {station.identity}")
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(making)
        except TimeoutError:
            log.warning("ev_certificate_late", identity=station.identity, seconds=self._patience)
            text = "the gateway's store takes too long; the same request may bring the certificate later"
            return EvAnswer("", Refusal.PROVIDER_TIMEOUT, text)

    async def _make(
        self, name: bytes, making: asyncio.Future[EvAnswer], station: VehiclesStation, asked: EvRequest
    ) -> None:
        answer = EvAnswer("", Refusal.PROVIDER_UNAVAILABLE, "the gateway stops")
        try:
            answer = await self._provisioning.answer(station, asked)
        finally:
            del self._making[name]
            if answer.refusal is None:
                self._keep(name, answer)
            making.set_result(answer)

    def _keep(self, name: bytes, answer: EvAnswer) -> None:
        now = self._clock()
        while self._given and (oldest := next(iter(self._given.items())))[1][1] <= now:
            del self._given[oldest[0]]
        if len(self._given) >= ANSWERS_MAX:
            del self._given[next(iter(self._given))]
        self._given.pop(name, None)
        self._given[name] = answer, now + SAME_ANSWER


def _name_of(identity: str, asked: EvRequest) -> bytes:
    """Return what tells the requests of all stations apart; what one leaves out is no other one's."""
    parts = (identity, asked.schema_version, asked.action.value, asked.exi_request)
    return hashlib.sha256("\0".join(parts).encode()).digest()
