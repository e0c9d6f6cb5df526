"""ISO 15118's messages: our EXI codec beside the Java one of PyPI's ``iso15118``, and what a provision costs.

The same octets in both: a document of each message to values and back. The Java codec is called as the package calls it
(py4j, JSON on its other side), in a process of the package's own (``make interop-iso15118``); the codecs take turns,
round by round. Then the whole way of a provider: request verified, key, CSR, envelope, four digests or one, signature,
answer written. The call of the CA is left out, and so is the network.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from bench import handshakes, servers
from pki.authority import IssuedCertificate, SigningRequest
from pki.authority.local import LocalAuthority
from pki.iso15118.exi import Schema
from pki.iso15118.exi.codec import decode_document, encode_document
from pki.iso15118.messages import Action, RootCertificateId
from pki.iso15118.native import NativeProvider
from pki.iso15118.reading import read_message
from pki.iso15118.signature import check_signature
from pki.iso15118.verification import RequestVerifier
from pki.iso15118.writing import write_message
from tests.interop.josev import MISSING, PYTHON, Josev
from tests.iso15118_dialogue import World, sign
from tests.iso15118_pki import NOW
from tests.pki.iso15118.provisioning_parts import contract, file_cps, issuer_of, mo_hierarchy, v2g_pki
from tests.pki.iso15118.vector_files import VECTORS, vector

MESSAGES: Final = {
    "iso2_cert_install_req": "pki_iso2/oemLeaf",
    "iso2_cert_install_res": "pki_iso2/cpsLeaf",
    "iso2_cert_update_req": "pki_iso2/contractOld",
    "iso2_cert_update_res": "pki_iso2/cpsLeaf",
    "iso20_cert_install_req": "pki_iso20/oemLeaf",
    "iso20_cert_install_res": "pki_iso20/cpsLeaf",
}
"""Of the test vectors, each with its signer's certificate."""
ROUNDS: Final = 7
TIMES: Final = 100
"""Of each call in a round of ours."""
TIMES_JAVA: Final = 15
WARM_UP_JAVA: Final = 150
"""Calls before the first round: by then the JVM has compiled what is run most."""
PROVISIONS: Final = 60

Figures = dict[str, float]


def figures(rounds: list[float]) -> Figures:
    """Return milliseconds of the median round, of the least and of the most."""
    return {
        "median_ms": round(statistics.median(rounds) * 1e3, 3),
        "least_ms": round(min(rounds) * 1e3, 3),
        "most_ms": round(max(rounds) * 1e3, 3),
    }


def typical(work: Callable[[], object], times: int = TIMES) -> float:
    """Return the seconds that a call of ``work`` takes: the median of ``times``."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def ours(name: str) -> dict[str, Callable[[], object]]:
    """Return what is measured of a message."""
    octets, schema, _, _ = vector(name)
    element, message = decode_document(octets, schema), read_message(octets, schema)
    key = x509.load_pem_x509_certificate((VECTORS / f"{MESSAGES[name]}.cert.pem").read_bytes()).public_key()
    return {
        "decode": lambda: decode_document(octets, schema),
        "encode": lambda: encode_document(element, schema),
        "read": lambda: read_message(octets, schema),
        "write": lambda: write_message(message),
        "check": lambda: check_signature(message, key),
    }


def codecs(josev: Josev) -> dict[str, Any]:
    """Return each message's figures, of both codecs."""
    works = {name: ours(name) for name in MESSAGES}
    rounds: dict[str, dict[str, list[float]]] = {name: {} for name in MESSAGES}

    def java(name: str, warm_up: int) -> dict[str, float]:
        octets, schema, _, _ = vector(name)
        told = {"exi": octets.hex(), "namespace": schema.value, "warm_up": warm_up, "times": TIMES_JAVA}
        found = josev.do("measure", **told)
        if not found["identical"]:
            raise SystemExit(f"the Java codec writes {name} in another way than it reads it")
        return {f"java_{what}": statistics.median(found[what]) for what in ("decode", "encode")}

    for name in MESSAGES:
        java(name, WARM_UP_JAVA // len(MESSAGES))
    for _ in range(ROUNDS):
        for name in MESSAGES:
            round_ = {what: typical(work) for what, work in works[name].items()} | java(name, warm_up=0)
            for what, seconds in round_.items():
                rounds[name].setdefault(what, []).append(seconds)
    return {
        name: {"octets": len(vector(name)[0])} | {what: figures(found) for what, found in rounds[name].items()}
        for name in MESSAGES
    }


class _Weighed:
    """An authority whose CPU is counted, to be left out."""

    def __init__(self, inner: LocalAuthority) -> None:
        self._inner = inner
        self.spent = 0.0

    async def sign(self, request: SigningRequest) -> IssuedCertificate:
        before = time.process_time()
        try:
            return await self._inner.sign(request)
        finally:
            self.spent += time.process_time() - before


def way_of(schema: Schema, folder: Path) -> tuple[Callable[[], Awaitable[object]], _Weighed]:
    """Return what goes the native provider's way once, from a request's octets to the answer's, and its authority."""
    v2g = v2g_pki(schema, NOW)
    trusted = RootCertificateId(v2g.root.subject.rfc4514_string(), v2g.root.serial_number)
    world = replace(World.made(schema), roots=(trusted,))
    exi = write_message(sign(world.asks(), world.oem.leaf.key))
    verifier = RequestVerifier(world.trusting_oem(), world.trusting_mo(), profiles="enforce", clock=lambda: NOW)
    authority = _Weighed(LocalAuthority(folder, mo_hierarchy(schema, NOW), lambda: NOW))
    signer = file_cps(schema, v2g, NOW)
    provider = NativeProvider({schema: issuer_of(schema, authority, NOW)}, {schema: signer}, clock=lambda: NOW)

    async def once() -> object:
        request = verifier.verify(exi, schema, Action.INSTALL)
        return await provider.provide(request, contract(), remaining=0)

    return once, authority


async def native(schema: Schema) -> Figures:
    """Return milliseconds of CPU of the native way without its CA."""
    with tempfile.TemporaryDirectory() as folder:
        once, authority = way_of(schema, Path(folder))
        for _ in range(10):
            await once()
        rounds = []
        for _ in range(ROUNDS):
            found = []
            for _ in range(PROVISIONS):
                authority.spent, began = 0.0, time.process_time()
                await once()
                found.append(time.process_time() - began - authority.spent)
            rounds.append(statistics.median(found))
    return figures(rounds)


def main() -> None:
    """Print the comparison and write ``bench/results/exi.json``."""
    if not PYTHON.exists():
        print(f"EXI beside the Java codec: {MISSING}")
        return
    josev = Josev()
    try:
        found = codecs(josev)
    finally:
        josev.stop()
    ways = {schema.name: asyncio.run(native(schema)) for schema in (Schema.ISO_2, Schema.ISO_20)}
    for name, message in found.items():
        both = ", ".join(
            f"{what} {message[what]['median_ms']} ms (Java {message[f'java_{what}']['median_ms']})"
            for what in ("decode", "encode")
        )
        print(f"{name}, {message['octets']} octets: {both}")
    print(", ".join(f"provision of {name} without the CA: {way['median_ms']} ms CPU" for name, way in ways.items()))
    handshakes.RESULTS.mkdir(exist_ok=True)
    result = {"machine": servers.machine(), "rounds": ROUNDS, "messages": found, "provision": ways}
    (handshakes.RESULTS / "exi.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
