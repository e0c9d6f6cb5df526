"""Firmware: the verification of an image beside ``openssl dgst -sha256`` on the same file, and what memory it takes.

By the processor's time, since others may be at work on the machine, and the disk's is the same for both; in turns, the
medians of the rounds. Ours is the whole: the digest of the file, the path of the signing certificate with its CRL, the
signature. Then an image of 2 GiB (sparse) in a process of its own, which says by how much its memory has grown at most.
"""

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench import handshakes, servers
from pki.clock import utc_now
from pki.crl import parse_crls
from pki.firmware import Signed
from pki.firmware.digest import digest_file
from pki.firmware.signature import Scheme
from pki.firmware.signers import SignerTrust
from pki.firmware.verification import FirmwareVerifier
from pki.revocation import CrlStore
from tests.firmware_pki import FirmwarePki, manufacturer

MIB: Final = 1 << 20
SIZE: Final = 512 * MIB
SPARSE_SIZE: Final = 2048 * MIB
ROUNDS: Final = 7
_PEAK_FROM_NOW_ON: Final = "5"
"""What resets VmHWM, written to ``/proc/self/clear_refs``."""
One = Callable[[], Any]
OPENSSL: Final = shutil.which("openssl") or "openssl"


def verifier_of(pki: FirmwarePki) -> FirmwareVerifier:
    """Return what one manufacturer's images are verified with, revocation included."""
    crls = CrlStore(parse_crls(pki.crl))
    roots, subs = [pki.root.certificate], [pki.sub.certificate]
    return FirmwareVerifier(SignerTrust(roots, subs, sources=[crls], clock=utc_now), Scheme())


async def verify(verifier: FirmwareVerifier, image: Path, signed: Signed) -> None:
    """Verify a file."""
    digest = await asyncio.to_thread(digest_file, image, md5=False)
    await verifier.verify(digest, signed)


def compare(folder: Path, pki: FirmwarePki) -> dict[str, Any]:
    """Return the medians of all, in MiB a second of CPU."""
    image = folder / "image.bin"
    with image.open("wb") as file:
        for _ in range(SIZE // MIB):
            file.write(os.urandom(MIB))
    signed, verifier = pki.rsa.sign(image), verifier_of(pki)
    each: dict[str, One] = {
        "openssl": lambda: subprocess.run([OPENSSL, "dgst", "-sha256", image], check=True, capture_output=True),  # noqa: S603 - openssl
        "verify": lambda: asyncio.run(verify(verifier, image, signed)),
        "digest_with_md5": lambda: digest_file(image),
        "openssl_md5": lambda: subprocess.run([OPENSSL, "dgst", "-md5", image], check=True, capture_output=True),  # noqa: S603 - openssl
    }
    seconds: dict[str, list[float]] = {name: [] for name in each}
    for _ in range(ROUNDS):
        for name, one in each.items():
            began = spent()
            one()
            seconds[name].append(spent() - began)
    rates = {f"{name}_mib_s": round(SIZE / MIB / statistics.median(took)) for name, took in seconds.items()}
    ratio = statistics.median(ours / theirs for theirs, ours in zip(seconds["openssl"], seconds["verify"], strict=True))
    return {**rates, "ratio": round(1 / ratio, 2)}


def spent() -> float:
    """Return the seconds of CPU that this process has had, and those whom it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def memory(what: str) -> int:
    """Return the KiB of VmRSS or VmHWM."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) if found else 0


def grown(image: Path) -> int:
    """Verify a file, and return by how many KiB this process was larger at most."""
    pki = manufacturer()
    verifier, small = verifier_of(pki), image.with_name("small.bin")
    small.write_bytes(b"firmware")
    asyncio.run(verify(verifier, small, pki.ec.sign(small)))
    signed = Signed(sign_elsewhere(pki, image), pki.ec.pem)
    Path("/proc/self/clear_refs").write_text(_PEAK_FROM_NOW_ON, encoding="ascii")
    before = memory("VmRSS")
    asyncio.run(verify(verifier, image, signed))
    return memory("VmHWM") - before


def sign_elsewhere(pki: FirmwarePki, image: Path) -> str:
    """Sign with openssl: a second opinion, and none of its memory is ours."""
    key = image.with_name("key.pem")
    key.write_bytes(pki.ec.key_pem)
    program = f"{OPENSSL} dgst -sha256 -sign {key} {image} | {OPENSSL} base64 -A"
    return subprocess.run(["/bin/sh", "-c", program], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - openssl


def main() -> None:
    """Print the comparison and write ``bench/results/firmware.json``."""
    with tempfile.TemporaryDirectory() as folder:
        found = compare(Path(folder), manufacturer())
        sparse = Path(folder, "sparse.bin")
        with sparse.open("wb") as file:
            file.truncate(SPARSE_SIZE)
        child = [sys.executable, "-m", "bench.firmware", str(sparse)]
        kib = int(subprocess.run(child, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - this file
    print(
        f"firmware, {SIZE // MIB} MiB verified: {found['verify_mib_s']} MiB a second of CPU, openssl dgst -sha256 "
        f"{found['openssl_mib_s']}: ratio {found['ratio']}; with MD5 {found['digest_with_md5_mib_s']}; "
        f"memory for {SPARSE_SIZE // MIB} MiB: {kib / 1024:.1f} MiB more"
    )
    handshakes.RESULTS.mkdir(exist_ok=True)
    result = {"machine": servers.machine(), "size_mib": SIZE // MIB, **found, "sparse_mib": SPARSE_SIZE // MIB}
    result["grown_kib"] = kib
    (handshakes.RESULTS / "firmware.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(grown(Path(sys.argv[1])))
    else:
        main()
