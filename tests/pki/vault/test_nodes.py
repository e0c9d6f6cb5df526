"""Which node serves: the first that says so, remembered until it doesn't."""

import asyncio

import pytest

from pki.client_tls import TlsTrust
from pki.vault.failures import NoAnswer, NotSent, VaultUnavailable
from pki.vault.nodes import NOT_VAULT, Nodes
from pki.vault.transport import Transport


class Cluster:
    """Nodes a, b, c; what each says to sys/health, and which were asked."""

    def __init__(self, **states: int | Exception) -> None:
        self.states = states
        self.asked = ""
        self.now = 0.0
        self.transports = [Transport(f"https://{name}:8200", TlsTrust().context) for name in states]
        self.nodes = Nodes(self.transports, self.probe, lambda: self.now)

    async def probe(self, transport: Transport) -> int:
        name = transport.address[8]
        self.asked += name
        await asyncio.sleep(0)
        state = self.states[name]
        if isinstance(state, Exception):
            raise state
        return state

    async def current(self) -> str:
        self.now += 1
        return (await self.nodes.current()).address[8]

    def doubt(self, name: str) -> None:
        self.nodes.doubt(next(each for each in self.transports if each.address[8] == name))


@pytest.mark.parametrize("state", [429, 472, 473, 501, 503, NOT_VAULT, NotSent("x"), NoAnswer("x")], ids=repr)
async def test_the_first_that_serves(state: int | Exception) -> None:
    cluster = Cluster(a=state, b=200, c=200)

    assert [await cluster.current() for _ in range(3)] == ["b", "b", "b"]
    assert cluster.asked == "ab"


async def test_after_a_doubt_the_search_begins_behind_it() -> None:
    cluster = Cluster(a=200, b=200, c=200)
    assert await cluster.current() == "a"
    cluster.doubt("a")
    assert await cluster.current() == "b"
    cluster.doubt("a")
    assert await cluster.current() == "b"
    cluster.doubt("b")
    cluster.states["c"] = 503
    assert await cluster.current() == "a"
    assert cluster.asked == "abca"


async def test_a_standby_serves_where_no_node_is_active() -> None:
    """It passes requests on to one that we don't know of; a disaster recovery secondary doesn't."""
    cluster = Cluster(a=472, b=473, c=429)

    assert await cluster.current() == "b"
    assert cluster.asked == "abc"


async def test_none_serves() -> None:
    cluster = Cluster(a=503, b=NotSent("https://b:8200 can't be reached (refused)"), c=501)

    with pytest.raises(VaultUnavailable) as caught:
        await cluster.current()
    assert str(caught.value) == (
        "https://a:8200 is sealed; unseal it; https://b:8200 can't be reached (refused); "
        "https://c:8200 isn't initialised; run `vault operator init`"
    )
    cluster.states["a"] = 200
    assert await cluster.current() == "a"


@pytest.mark.parametrize(("state", "searches"), [(200, 1), (503, 1)])
async def test_however_many_ask_there_is_one_search(state: int, searches: int) -> None:
    cluster = Cluster(a=state)

    found = await asyncio.gather(*(cluster.nodes.current() for _ in range(50)), return_exceptions=True)
    assert len({str(each) for each in found}) == 1
    assert len(cluster.asked) == searches


async def test_a_searcher_that_is_cancelled_leaves_it_to_the_next() -> None:
    cluster = Cluster(a=200)
    first = asyncio.create_task(cluster.nodes.current())
    second = asyncio.create_task(cluster.nodes.current())
    await asyncio.sleep(0)
    first.cancel()

    assert (await second).address == "https://a:8200"


async def test_a_strange_status_is_said() -> None:
    with pytest.raises(VaultUnavailable, match="https://a:8200 answers HTTP 404 to sys/health"):
        await Cluster(a=404).current()
