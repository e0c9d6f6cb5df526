"""Certificates from an OpenBao: through our authority, beside a bare HTTP client that checks nothing.

Both have 32 requests in flight, on one real OpenBao on the same machine, in turns; the medians of the rounds are
compared. Ours goes the whole way: hvac's API in threads, TLS, the certificate held against the request. Then 1,000
stations renew at once through either, while the event loop's lag is watched: the machine's own share shows in both.
"""

import asyncio
import json
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bench import handshakes, servers
from gateway.app.interpreter import SWITCH_INTERVAL
from pki.authority.vault import VaultAuthority
from pki.client_tls import TlsTrust
from pki.csr import review
from pki.vault.connection import VaultConnection
from pki.vault.logins import TokenLogin
from tests.bao import Bao, running_bao
from tests.bao_pki import make_pki, new_token

IN_FLIGHT: Final = 32
SIGNS: Final = 2_000
"""Of one round."""
ROUNDS: Final = 5
STATIONS: Final = 1_000
"""That renew at once."""
TICK: Final = 0.002
"""Seconds between two looks at the event loop's lag."""
OPERATOR: Final = "Example CPO"

One = Callable[[], Awaitable[Any]]


def csr() -> str:
    """Return the CSR that is signed again and again."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SN-1")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


async def measured(one: One) -> dict[str, float]:
    """Return the rate of one round, and what it cost this process."""
    left = iter(range(SIGNS))

    async def some() -> None:
        for _ in left:
            await one()

    began, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
    return {
        "per_second": round(SIGNS / (time.perf_counter() - began)),
        "cpu_us": round((time.process_time() - spent) / SIGNS * 1e6),
    }


async def all_at_once(one: One) -> dict[str, float]:
    """Let STATIONS certificates be signed at once; return how long it takes, and the event loop's lag."""

    async def renew() -> None:
        await one()

    lags: list[float] = []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            lags.append(time.perf_counter() - before - TICK)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    renewals = []
    for _ in range(STATIONS):
        renewals.append(asyncio.create_task(renew()))
        await asyncio.sleep(0)  # each comes through a socket of its own
    await asyncio.gather(*renewals)
    seconds = time.perf_counter() - began
    watching.cancel()
    lags.sort()
    return {
        "seconds": round(seconds, 2),
        "lag_ms_p99": round(lags[int(len(lags) * 0.99)] * 1e3, 1),
        "lag_ms_worst": round(lags[-1] * 1e3, 1),
    }


async def compare(bao: Bao) -> dict[str, Any]:
    """Return the medians of both, and the storm."""
    token, pem = new_token(bao), csr()
    body = {"csr": pem, "common_name": "SN-1", "ttl": "8760h", "exclude_cn_from_sans": True}
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=bao.cacert), limit=IN_FLIGHT)
    connection = VaultConnection([bao.address], TokenLogin(lambda: token), trust=TlsTrust(bao.cacert))
    authority = VaultAuthority(connection, mount="pki", role="station")
    request = review(pem, common_name="SN-1", organization=OPERATOR).request_for(OPERATOR)
    rounds: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    async with aiohttp.ClientSession(connector=connector, headers={"X-Vault-Token": token}) as session:

        async def bare() -> None:
            async with session.post(f"{bao.address}/v1/pki/sign/station", json=body) as answer:
                answer.raise_for_status()
                x509.load_pem_x509_certificate((await answer.json())["data"]["certificate"].encode())

        each: dict[str, One] = {"bare": bare, "ours": lambda: authority.sign(request)}
        for one in each.values():
            await measured(one)
        for _ in range(ROUNDS):
            for name, one in each.items():
                rounds[name].append(await measured(one))
        storms = {name: await all_at_once(one) for name, one in each.items()}
    await connection.close()
    medians = {
        name: {key: statistics.median(found[key] for found in those) for key in those[0]}
        for name, those in rounds.items()
    }
    ratio = medians["ours"]["per_second"] / medians["bare"]["per_second"]
    return {"in_flight": IN_FLIGHT, **medians, "ratio": round(ratio, 2), "storm": {"stations": STATIONS, **storms}}


def main() -> None:
    """Print the comparison and write ``bench/results/signing.json``."""
    sys.setswitchinterval(SWITCH_INTERVAL)  # as `voltgate serve` does
    with tempfile.TemporaryDirectory() as folder, running_bao(Path(folder)) as bao:
        make_pki(bao)
        found = asyncio.run(compare(bao))
    ours, bare, storm = found["ours"], found["bare"], found["storm"]["ours"]
    print(
        f"certificates from OpenBao, {IN_FLIGHT} in flight: {ours['per_second']:.0f} a second, {ours['cpu_us']:.0f} us "
        f"CPU each; a bare client {bare['per_second']:.0f}, {bare['cpu_us']:.0f} us: ratio {found['ratio']}; "
        f"{STATIONS} stations at once: {storm['seconds']} s, loop lag p99 {storm['lag_ms_p99']} ms, "
        f"worst {storm['lag_ms_worst']} ms"
    )
    handshakes.RESULTS.mkdir(exist_ok=True)
    result = {"machine": servers.machine(), **found}
    (handshakes.RESULTS / "signing.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
