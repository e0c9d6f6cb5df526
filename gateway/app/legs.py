"""A station's leg to its backend, and those to the mirrors of that backend."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.app.foundation import Foundation
from gateway.app.message_ids import MessageIds
from gateway.bridge.books import Json
from gateway.session.peer import Peer
from gateway.session.stages import BACKEND_16, BACKEND_201, Answered, NotSendable, Side, Stages
from gateway.session.station import Station
from gateway.transport import DialError, DialStage, MessageSink, WebSocket
from gateway.upstream.dialing import BackendDialer
from gateway.upstream.link import BackendLink
from gateway.upstream.mirror import Dial, Mirror
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from policies.words import Kind

BACKEND_LOST = 1001
"""Close code towards a station whose backend was lost, with ``when_down: close``."""

_SIDES: Final = {Version.V16: BACKEND_16, Version.V201: BACKEND_201}
"""The backend's side, by the OCPP version that it speaks."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Legs:
    """The legs of one station; mirrors come and go with the leg to the backend."""

    backend: BackendLink
    mirrors: tuple[Mirror, ...]

    def start(self) -> None:
        """Begin to dial, unless that has begun."""
        self.backend.start()
        for mirror in self.mirrors:
            mirror.start()

    async def stop(self) -> None:
        """Close all and dial no more."""
        await self.backend.stop()
        for mirror in self.mirrors:
            await mirror.stop()


def legs_for(
    station: Station,
    on: Foundation,
    name: str,
    version: Version,
    *,
    came_up: Callable[[], Awaitable[None]],
    answered: Callable[[], None],
) -> Legs:
    """Make the legs of a station whose backend is ``name`` and speaks ``version``, as its mirrors do.

    One that isn't configured is never reached. ``answered()`` is called when a CALL of the backend has been.
    """
    side = _SIDES[version]
    backend = on.config.backends.get(name)
    mirrors = tuple(_mirror(station, on, each, side) for each in (backend.mirrors if backend is not None else ()))
    sent = _to_each(mirrors)

    make_peer = functools.partial(_peer, side, station, on, sent, answered)
    closes = backend is not None and backend.when_down == "close"
    went_down = functools.partial(_went_down, station) if closes else _nothing
    return Legs(
        BackendLink(station.identity, _dial(station, on, name), make_peer, came_up=came_up, went_down=went_down),
        mirrors,
    )


def _peer(
    side: Side,
    station: Station,
    on: Foundation,
    sent: Callable[[bytes], None] | None,
    answered: Callable[[], None],
    lost: Callable[[Peer, str], None],
) -> Peer:
    """Make the peer for a WebSocket to the backend."""
    return Peer(
        side,
        station.identity,
        station.from_backend,
        guard=station.guard,
        tally=on.tally,
        timeout=on.config.limits.call_timeout,
        new_id=MessageIds(),
        lost=lost,
        sent=sent,
        answered=answered,
    )


def _went_down(station: Station) -> None:
    station.disconnect(BACKEND_LOST, "the backend is not reachable")


def _nothing() -> None:
    """Leave the station alone while its backend is away."""


def _to_each(mirrors: tuple[Mirror, ...]) -> Callable[[bytes], None] | None:
    if len(mirrors) < 2:
        return mirrors[0].saw if mirrors else None

    def sent(text: bytes) -> None:
        for mirror in mirrors:
            mirror.saw(text)

    return sent


def _mirror(station: Station, on: Foundation, name: str, side: Side) -> Mirror:
    stages = Stages(side, station.guard, log.bind(identity=station.identity, leg="mirror", backend=name))

    def first() -> Json | None:
        """What the station last booted with, as the backend heard it: checked anew, the policy may be another now."""
        payload = station.record.boot_payload
        if payload is None:
            return None
        request = station.bridge.boot_request(payload)
        try:
            known = operation(side.version, "BootNotification")
            return stages.outgoing(known, Kind.CALL, "BootNotification", request)
        except (Answered, NotSendable):
            return None

    return Mirror(
        name,
        station.identity,
        _dial(station, on, name),
        version=side.version,
        first=first,
        new_id=MessageIds(),
        timeout=on.config.limits.call_timeout,
        tally=on.tally,
    )


def _dial(station: Station, on: Foundation, name: str) -> Dial:
    address = on.addresses.get(name)
    if address is not None:
        return BackendDialer(address, station.identity, limits=on.limits, pool=on.pool)

    async def nowhere(sink: MessageSink) -> WebSocket:  # noqa: ARG001 - a Dial's form
        raise DialError(f"backend {name} is not configured any more", stage=DialStage.URL)

    return nowhere
