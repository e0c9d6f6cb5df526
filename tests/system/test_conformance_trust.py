"""The certification's cases on trust anchors, TC_M_01 to 05 and 12 to 21, against the real process.

What a station should have is declared for its group; a person has it visited at once, so that nothing is waited for.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import pytest_asyncio

from gateway.wire.versions import Version
from pki.certificate_hash import HashAlgorithm
from tests.roots import Authority, RootStation
from tests.system.stations import VERSIONS, register

pytestmark = pytest.mark.asyncio(loop_scope="module")

WANTED: Final = Authority("wanted", since=datetime.now(UTC) - timedelta(days=1))
GONE: Final = Authority("gone", since=datetime.now(UTC) - timedelta(days=1))
TYPES: Final = {
    "csms": "CSMSRootCertificate",
    "manufacturer": "ManufacturerRootCertificate",
    "v2g": "V2GRootCertificate",
    "mo": "MORootCertificate",
}
both_versions = pytest.mark.parametrize("version", VERSIONS)
all_algorithms = pytest.mark.parametrize("algorithm", HashAlgorithm)


def declare(tree: dict[str, Any]) -> None:
    """A group for each type, and others that should have several, or lose what they have."""
    groups = {**{group: [type_] for group, type_ in TYPES.items()}, "all": list(TYPES.values())}
    groups["two"] = ["CSMSRootCertificate", "ManufacturerRootCertificate"]
    entries = [
        {"type": type_, "file": "wanted.pem", "group": group} for group, types in groups.items() for type_ in types
    ]
    removed = [{"type": type_, "file": "gone.pem", "group": "gone", "remove": True} for type_ in TYPES.values()]
    tree["trust_anchors"] = entries + removed


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(new_deployment: Callable[[], AbstractAsyncContextManager[Any]]) -> AsyncIterator[Any]:
    async with new_deployment() as deployed:
        (deployed.folder / "wanted.pem").write_text(WANTED.pem)
        (deployed.folder / "gone.pem").write_text(GONE.pem)
        deployed.configure(declare)
        await deployed.start()
        yield deployed


class Visited:
    """A station of a group that answers by itself, and what came of its visit."""

    def __init__(self, gateway: Any, roots: RootStation) -> None:
        self._gateway = gateway
        self.roots = roots

    async def visited(self) -> Any:
        status, shown = await self._gateway.api("POST", f"trust-anchors/{self.roots.identity}")
        assert status == 200, shown
        assert (await self._gateway.api("GET", f"trust-anchors/{self.roots.identity}"))[1] == shown
        return shown

    async def asked(self, payload: Any) -> Any:
        """Have it asked by hand which certificates it has."""
        call = {"action": "GetInstalledCertificateIds", "payload": payload}
        status, answer = await self._gateway.api("POST", f"stations/{self.roots.identity}/calls", call)
        assert status == 200, answer
        return answer["payload"]


@contextlib.asynccontextmanager
async def station(gateway: Any, case: str, version: str, group: str, **how: Any) -> AsyncIterator[Visited]:
    made = await register(gateway, f"{case}-{version}-{how.get('algorithm', HashAlgorithm.SHA256).value}", version)
    assert (await gateway.api("PATCH", f"stations/{made.identity}", {"group": group}))[0] == 200
    roots = RootStation(made.identity, Version(version), **how)
    async with made.comes() as connection:
        assert await made.boots(connection) == "Accepted"
        answering = asyncio.create_task(_answers(connection, roots), name="station")
        yield Visited(gateway, roots)
        answering.cancel()
        await asyncio.wait([answering])


async def _answers(connection: Any, roots: RootStation) -> None:
    async for text in connection.connection:
        _, message_id, action, payload = json.loads(text)
        if action in {"GetBaseReport", "GetConfiguration"} and not payload.get("key"):
            answer = [4, message_id, "NotSupported", "", {}]
        else:
            answer = [3, message_id, await roots.call_station(action, payload)]
        await connection.send(json.dumps(answer))


async def is_installed(gateway: Any, case: str, version: str, group: str) -> None:
    async with station(gateway, case, version, group) as made:
        shown = await made.visited()
        assert made.roots.held(TYPES[group]) == [WANTED.certificate]
        assert shown["settled"]
        assert [(each["type"], each["subject"]) for each in shown["installed"]] == [(TYPES[group], "CN=wanted")]


@both_versions
async def test_tc_m_01_a_csms_root_is_installed(gateway: Any, version: str) -> None:
    await is_installed(gateway, "M01", version, "csms")


@both_versions
async def test_tc_m_02_a_manufacturer_root_is_installed(gateway: Any, version: str) -> None:
    await is_installed(gateway, "M02", version, "manufacturer")


@both_versions
async def test_tc_m_03_a_v2g_root_is_installed(gateway: Any, version: str) -> None:
    await is_installed(gateway, "M03", version, "v2g")


@both_versions
async def test_tc_m_04_an_mo_root_is_installed(gateway: Any, version: str) -> None:
    await is_installed(gateway, "M04", version, "mo")


@both_versions
async def test_tc_m_05_a_root_that_the_station_fails_to_install_is_kept_in_mind(gateway: Any, version: str) -> None:
    async with station(gateway, "M05", version, "csms") as made:
        made.roots.says["InstallCertificate"] = {"status": "Failed"}
        shown = await made.visited()
        assert not shown["settled"]
        assert [(each["action"], each["words"]) for each in shown["refused"]] == [
            ("install", "InstallCertificate: Failed")
        ]
        assert [each["subject"] for each in shown["missing"]] == ["CN=wanted"]
        del made.roots.says["InstallCertificate"]
        assert (await made.visited())["settled"]


async def is_understood(gateway: Any, case: str, version: str, group: str, algorithm: HashAlgorithm) -> None:
    async with station(gateway, case, version, group, algorithm=algorithm, writes="odd") as made:
        made.roots.has(WANTED.certificate, of=TYPES[group])
        shown = await made.visited()
        assert set(made.roots.actions) == {"GetInstalledCertificateIds"}, "it has what it should have"
        (root,) = shown["installed"]
        assert (root["type"], root["hashAlgorithm"], root["subject"]) == (TYPES[group], algorithm.value, "CN=wanted")


@all_algorithms
@both_versions
async def test_tc_m_12_installed_csms_roots_are_understood(
    gateway: Any, version: str, algorithm: HashAlgorithm
) -> None:
    await is_understood(gateway, "M12", version, "csms", algorithm)


@all_algorithms
@both_versions
async def test_tc_m_13_installed_manufacturer_roots_are_understood(
    gateway: Any, version: str, algorithm: HashAlgorithm
) -> None:
    await is_understood(gateway, "M13", version, "manufacturer", algorithm)


@all_algorithms
@both_versions
async def test_tc_m_14_installed_v2g_roots_are_understood(gateway: Any, version: str, algorithm: HashAlgorithm) -> None:
    await is_understood(gateway, "M14", version, "v2g", algorithm)


@all_algorithms
async def test_tc_m_15_an_installed_v2g_chain_is_told(gateway: Any, algorithm: HashAlgorithm) -> None:
    async with station(gateway, "M15", "ocpp2.0.1", "none", algorithm=algorithm) as made:
        made.roots.has(WANTED.certificate, of="V2GCertificateChain")
        answer = await made.asked({"certificateType": ["V2GCertificateChain"]})
        (chain,) = answer["certificateHashDataChain"]
        assert chain["certificateHashData"]["hashAlgorithm"] == algorithm.value


@all_algorithms
@both_versions
async def test_tc_m_16_installed_mo_roots_are_understood(gateway: Any, version: str, algorithm: HashAlgorithm) -> None:
    await is_understood(gateway, "M16", version, "mo", algorithm)


async def are_asked_at_once(gateway: Any, case: str, group: str, types: list[str]) -> None:
    async with station(gateway, case, "ocpp2.0.1", group) as made:
        for type_ in types:
            made.roots.has(WANTED.certificate, of=type_)
        shown = await made.visited()
        assert made.roots.calls == [("GetInstalledCertificateIds", {"certificateType": types})]
        assert (shown["settled"], [each["type"] for each in shown["installed"]]) == (True, types)


async def test_tc_m_17_two_types_are_asked_for_at_once(gateway: Any) -> None:
    await are_asked_at_once(gateway, "M17", "two", ["CSMSRootCertificate", "ManufacturerRootCertificate"])


async def test_tc_m_18_all_types_are_asked_for_at_once(gateway: Any) -> None:
    await are_asked_at_once(gateway, "M18", "all", sorted(TYPES.values()))


@both_versions
async def test_tc_m_19_a_station_that_has_none(gateway: Any, version: str) -> None:
    async with station(gateway, "M19", version, "gone") as made:
        shown = await made.visited()
        assert set(made.roots.actions) == {"GetInstalledCertificateIds"}
        assert (shown["settled"], shown["installed"]) == (True, [])


@all_algorithms
@both_versions
async def test_tc_m_20_a_root_is_deleted_as_the_station_names_it(
    gateway: Any, version: str, algorithm: HashAlgorithm
) -> None:
    async with station(gateway, "M20", version, "gone", algorithm=algorithm, writes="odd") as made:
        made.roots.has(GONE.certificate, WANTED.certificate, of="ManufacturerRootCertificate")
        made.roots.has(GONE.certificate, of="V2GRootCertificate")
        assert (await made.visited())["settled"]
        assert made.roots.roots == [("ManufacturerRootCertificate", WANTED.certificate)]
        deleted = [each["certificateHashData"] for action, each in made.roots.calls if action == "DeleteCertificate"]
        assert {each["hashAlgorithm"] for each in deleted} == {algorithm.value}


@both_versions
async def test_tc_m_21_a_root_that_the_station_fails_to_delete_is_kept_in_mind(gateway: Any, version: str) -> None:
    async with station(gateway, "M21", version, "gone") as made:
        made.roots.has(GONE.certificate, of="ManufacturerRootCertificate")
        made.roots.says["DeleteCertificate"] = {"status": "Failed"}
        shown = await made.visited()
        assert [(each["action"], each["words"]) for each in shown["refused"]] == [
            ("delete", "DeleteCertificate: Failed")
        ]
        assert not shown["settled"]
        listed = await gateway.run("trust", "status", made.roots.identity, "--config", str(gateway.config))
        assert "DeleteCertificate: Failed" in listed[1]
