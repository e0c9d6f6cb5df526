"""Who is revoked: what was revoked here, and what responders say. The CRLs: test_crl_sources."""

import asyncio
from typing import Any

from gateway.app.revocations import ASKED_TOGETHER, Revocations
from pki.revocation import CrlStore, Finding, Status


class Inventory:
    def __init__(self) -> None:
        self.revoked: frozenset[str] = frozenset()

    async def revoked_fingerprints(self) -> frozenset[str]:
        return self.revoked


async def test_what_was_revoked_here() -> None:
    inventory = Inventory()
    revocations = Revocations(inventory, {}, (), CrlStore())
    assert not await revocations.reload_inventory()
    inventory.revoked = frozenset({"aa"})
    assert await revocations.reload_inventory()
    assert not await revocations.reload_inventory()
    assert (revocations.was_revoked_here("aa"), revocations.was_revoked_here("bb")) == (True, False)


class Responders:
    """A source that counts who asks it together."""

    def __init__(self) -> None:
        self.revoked: set[Any] = set()
        self.asked: list[Any] = []
        self.here = self.most = 0

    async def status(self, path: Any) -> Finding:
        self.asked.append(path)
        self.here += 1
        self.most = max(self.most, self.here)
        await asyncio.sleep(0)
        self.here -= 1
        return Finding(Status.REVOKED if path in self.revoked else Status.GOOD)

    def known(self, path: Any) -> Finding:
        return Finding(Status.UNKNOWN)


async def test_responders_are_asked_again_a_few_at_a_time() -> None:
    responders, crls = Responders(), CrlStore()
    revocations = Revocations(Inventory(), {}, (), crls, responders)
    paths: list[Any] = [(number,) for number in range(3 * ASKED_TOGETHER)]
    assert not await revocations.ask_again(paths)
    assert (responders.asked, responders.most) == (paths, ASKED_TOGETHER)
    responders.revoked = {(5,)}
    assert await revocations.ask_again(paths)
    assert revocations.consulted == (crls, responders)


async def test_without_responders_nobody_is_asked() -> None:
    revocations = Revocations(Inventory(), {}, (), CrlStore())
    assert not await revocations.ask_again([()])
    assert revocations.consulted == (revocations.crls,)
