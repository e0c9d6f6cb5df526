"""Stations as they are in the field: what moves money is queued, kept in order, and repeated until it is answered.

A station comes back by itself, with back-off, and boots only where it wasn't accepted yet. Times, energies and seqNo
are its own.
"""

import asyncio
import contextlib
import json
import random
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from tests.system.charging_sessions import Phase, Session, messages_16, messages_201

MESSAGE_TIMEOUT: Final = 30.0
"""Seconds that it waits for an answer before it gives its connection up."""
MESSAGE_ATTEMPTS: Final = 3
"""CALLERRORs to one message after which it is dropped (MessageAttempts of 2.0.1, TransactionMessageAttempts of 1.6)."""
BACKOFF_FIRST: Final = 0.3
"""Seconds before it dials again, at most; every wait is drawn between half of it and all of it."""
BACKOFF_MAX: Final = 1.5
"""Longest such wait: shorter than a real one's, as the test's patience is."""
NEVER_STARTED: Final = -1
"""transactionId of a StopTransaction whose start was given up (OCPP 1.6 errata)."""

Pace = Callable[[Session, Phase], Awaitable[None]]
"""Awaited before each message of a session comes into being."""


@dataclass(slots=True)
class _Message:
    """One message that moves money."""

    action: str
    payload: dict[str, Any]
    session: Session
    phase: Phase
    attempts: int = 0


class _Gone(Exception):
    """The connection has no use any more."""


class QueueingStation:
    """What both versions have in common. :meth:`run` is its life, :meth:`charge` one session."""

    subprotocol: Subprotocol
    boot: dict[str, Any]

    def __init__(
        self, identity: str, serial: str, port: int, tls: ssl.SSLContext, *, connectors: int, seed: int
    ) -> None:
        """``port`` is where the gateway can always be found."""
        self.identity = identity
        self.serial = serial
        self.connectors = connectors
        self.is_accepted = False
        self.dropped: list[str] = []
        """Messages that it gave up after ``MESSAGE_ATTEMPTS`` CALLERRORs."""
        self.is_here = asyncio.Event()
        """Cleared while it shall not come back; :meth:`leave` clears it."""
        self.is_here.set()
        self.is_idle = False
        """True while it is connected and has nothing to say."""
        self.client_port = 0
        """Its own end of the present connection."""
        self._port = port
        self._tls = tls
        self._dice = random.Random(seed)  # noqa: S311 - jitter, not a secret
        self._queue: deque[_Message] = deque()
        self._news = asyncio.Event()
        self._answered: set[tuple[str, Phase]] = set()
        """(session, phase): the last message of it was answered."""
        self._connection: ClientConnection | None = None
        self._calls: dict[str, asyncio.Future[Any]] = {}

    # --- sessions

    async def charge(self, session: Session, pace: Pace) -> None:
        """Let a session take place, whether or not anybody hears of it, and return when all of it is answered."""
        for action, phase, payload in self._messages(session):
            await pace(session, phase)
            self._queue.append(_Message(action, payload, session, phase))
            self._news.set()
        await self.answered(session, Phase.STOP)

    async def answered(self, session: Session, phase: Phase) -> None:
        """Wait until all of this phase of the session was answered."""
        while (session.name, phase) not in self._answered:
            self._news.clear()
            await self._news.wait()

    async def accepted(self) -> None:
        """Wait until its boot was accepted."""
        while not self.is_accepted:
            self._news.clear()
            await self._news.wait()

    # --- connections

    async def leave(self) -> None:
        """Disconnect, and don't come back."""
        self.is_here.clear()
        if self._connection is not None:
            await self._connection.close()

    async def run(self) -> None:
        """Connect, again and again, for ever."""
        ceiling = BACKOFF_FIRST
        while True:
            await self.is_here.wait()
            with contextlib.suppress(OSError, TimeoutError, InvalidHandshake, ConnectionClosed, EOFError, _Gone):
                async with self._online():
                    ceiling = BACKOFF_FIRST
                    await self._speak()
            await asyncio.sleep(self._dice.uniform(ceiling / 2, ceiling))
            ceiling = min(2 * ceiling, BACKOFF_MAX)

    @contextlib.asynccontextmanager
    async def _online(self) -> AsyncIterator[None]:
        url = f"wss://localhost:{self._port}/ocpp/{self.identity}"
        async with connect(
            url, ssl=self._tls, subprotocols=[self.subprotocol], proxy=None, compression=None, ping_interval=None,
            open_timeout=MESSAGE_TIMEOUT, close_timeout=1.0,
        ) as connection:  # fmt: skip
            self._connection, self.client_port = connection, connection.local_address[1]
            reader = asyncio.create_task(self._read(connection), name=f"station {self.identity}")
            try:
                yield
            finally:
                self._connection, self.is_idle = None, False
                reader.cancel()
                await asyncio.wait([reader])

    async def _speak(self) -> None:
        while not self.is_accepted:
            answer = (await self._call("BootNotification", self.boot))[2]
            if answer["status"] == "Accepted":
                self.is_accepted = True
                self._news.set()
            else:
                await asyncio.sleep(answer["interval"])
        for connector in range(1, self.connectors + 1):
            await self._call("StatusNotification", self._status(connector))
        while True:
            while not self._queue:
                if self._connection is None:
                    raise _Gone
                self.is_idle = True
                self._news.clear()
                await self._news.wait()
            self.is_idle = False
            await self._deliver(self._queue[0])

    async def _deliver(self, message: _Message) -> None:
        frame = await self._call(message.action, self._complete(message))
        if frame[0] == 4:
            message.attempts += 1
            if message.attempts < MESSAGE_ATTEMPTS:
                await asyncio.sleep(message.attempts * BACKOFF_FIRST)
                return
            self.dropped.append(f"{message.session.name}: {message.action} of phase {message.phase.value}: {frame[2:]}")
        else:
            self._learn(message, frame[2])
        self._queue.popleft()
        if not any(each.session is message.session and each.phase is message.phase for each in self._queue):
            self._answered.add((message.session.name, message.phase))
        self._news.set()

    async def _call(self, action: str, payload: dict[str, Any]) -> Any:
        """Send a CALL and return the whole answer frame. Raises _Gone without one."""
        connection = self._connection
        message_id = f"{self._dice.getrandbits(64):x}"
        if connection is None:
            raise _Gone
        answer = self._calls[message_id] = asyncio.get_running_loop().create_future()
        try:
            await connection.send(json.dumps([2, message_id, action, payload]))
            return await asyncio.wait_for(answer, MESSAGE_TIMEOUT)
        finally:
            self._calls.pop(message_id, None)

    async def _read(self, connection: ClientConnection) -> None:
        try:
            async for text in connection:
                frame = json.loads(text)
                if frame[0] == 2:
                    await connection.send(json.dumps([4, frame[1], "NotImplemented", "", {}]))
                elif (waiting := self._calls.get(frame[1])) is not None and not waiting.done():
                    waiting.set_result(frame)
        except ConnectionClosed:
            pass
        finally:
            for waiting in self._calls.values():
                if not waiting.done():
                    waiting.set_exception(_Gone())
            self._connection = None
            self._news.set()

    # --- what the versions differ in

    def _messages(self, session: Session) -> Any:
        raise NotImplementedError

    def _status(self, connector: int) -> dict[str, Any]:
        raise NotImplementedError

    def _complete(self, message: _Message) -> dict[str, Any]:
        return message.payload

    def _learn(self, message: _Message, answer: Any) -> None:
        """A message was answered by a CALLRESULT."""


class QueueingStation201(QueueingStation):
    """A 2.0.1 station; it says of each event whether it was offline then."""

    subprotocol = Subprotocol("ocpp2.0.1")

    @property
    def boot(self) -> dict[str, Any]:  # type: ignore[override]  # it depends on the serial number
        """Its BootNotification."""
        station = {"model": "M", "vendorName": "V", "serialNumber": self.serial}
        return {"reason": "PowerUp", "chargingStation": station}

    def _messages(self, session: Session) -> Any:
        for phase, payload in messages_201(session):
            yield "TransactionEvent", phase, payload | {"offline": self._connection is None}

    def _status(self, connector: int) -> dict[str, Any]:
        place = {"evseId": connector, "connectorId": 1}
        return {"timestamp": "2026-01-01T00:00:00.000Z", "connectorStatus": "Available", **place}


class QueueingStation16(QueueingStation):
    """A 1.6 charge point; the transactionId is put in when it is known."""

    subprotocol = Subprotocol("ocpp1.6")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._numbers: dict[str, int] = {}

    @property
    def boot(self) -> dict[str, Any]:  # type: ignore[override]  # it depends on the serial number
        """Its BootNotification."""
        return {
            "chargePointVendor": "V",
            "chargePointModel": "M",
            "chargePointSerialNumber": self.serial,
        }

    def _messages(self, session: Session) -> Any:
        for phase, action, payload in messages_16(session):
            yield action, phase, payload

    def _status(self, connector: int) -> dict[str, Any]:
        return {"connectorId": connector, "errorCode": "NoError", "status": "Available"}

    def _complete(self, message: _Message) -> dict[str, Any]:
        if message.phase is Phase.START:
            return message.payload
        return message.payload | {"transactionId": self._numbers.get(message.session.name, NEVER_STARTED)}

    def _learn(self, message: _Message, answer: Any) -> None:
        if message.phase is Phase.START:
            self._numbers[message.session.name] = answer["transactionId"]
