"""Who provides, as a table; and a station's own backend as a dialogue."""

import json
from typing import Any

import pytest

from gateway.bridge.books import Json
from gateway.bridge.plug_and_charge_16 import VENDOR_ID
from gateway.bridge.ports import PeerUnavailable
from gateway.services.contract_providers import BackendProvider, Offer, Providers
from gateway.session.stages import InvalidAnswer
from gateway.wire.errors import CallError, ErrorCode
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.iso15118.provisioning import Contract, Provision, ProvisioningRefused, Refusal, VerifiedRequest
from tests.services.vehicle_desk import EMAID, Provider, Stand, certificate, installation, verified

REQUEST = verified(installation(), b"\x80\x98")
PAYLOAD = {"iso15118SchemaVersion": REQUEST.schema.value, "action": "Install", "exiRequest": "gJg="}
PROVISION = Provision(b"answer", EMAID, certificate("theirs"), certificate("cps"))


@pytest.mark.parametrize(
    ("emaid", "name"),
    [
        ("DE8EXC12345678", "b"),
        ("de8exC12345678", "b"),
        ("DE8EYC12345678", "a"),
        ("FR1ABC12345678", "a"),
        (None, "a"),
    ],
)
def test_the_emsp_says_who(emaid: str | None, name: str) -> None:
    offers = {name: Offer(lambda *_: Provider()) for name in ("a", "b")}
    chosen = Providers(offers, default="a", emsps={"DE8EX": "b"}).choose(emaid)
    assert (chosen.name, chosen.offer) == (name, offers[name])


class Checker:
    def __init__(self) -> None:
        self.seen: list[tuple[bytes, str | None]] = []
        self.says: ProvisioningRefused | None = None

    def check(self, exi: bytes, request: VerifiedRequest, *, emaid: str | None = None) -> Provision:
        self.seen.append((exi, emaid))
        if self.says is not None:
            raise self.says
        return PROVISION


class Backend:
    def __init__(self, version: Version | None, vendor_id: str = VENDOR_ID) -> None:
        self.station, self.checker = Stand(), Checker()
        self.provider = BackendProvider(self.station, version, self.checker, vendor_id=vendor_id)

    async def provides(self, says: Json | Exception) -> Provision:
        self.station.backend_says = says
        return await self.provider.provide(REQUEST, None, remaining=0)

    async def refuses(self, says: Json | Exception) -> ProvisioningRefused:
        with pytest.raises(ProvisioningRefused) as refused:
            await self.provides(says)
        return refused.value


async def test_a_backend_of_201() -> None:
    backend = Backend(Version.V201)
    assert await backend.provides({"status": "Accepted", "exiResponse": "YW5zd2Vy"}) == PROVISION
    assert backend.station.to_backend == [("Get15118EVCertificate", PAYLOAD)]
    operation(Version.V201, "Get15118EVCertificate").request.check(PAYLOAD)
    assert backend.checker.seen == [(b"answer", None)]
    await backend.provider.provide(REQUEST, Contract(EMAID, None), remaining=0)
    assert backend.checker.seen[1:] == [(b"answer", EMAID)]


@pytest.mark.parametrize("vendor_id", [VENDOR_ID, "iso15118"])
async def test_a_backend_of_16_that_knows_the_note(vendor_id: str) -> None:
    backend = Backend(Version.V16, vendor_id)
    data = json.dumps({"status": "Accepted", "exiResponse": "YW5zd2Vy"})
    assert await backend.provides({"status": "Accepted", "data": data}) == PROVISION
    [(action, payload)] = backend.station.to_backend
    assert (action, payload["vendorId"], payload["messageId"]) == ("DataTransfer", vendor_id, "Get15118EVCertificate")
    assert json.loads(payload["data"]) == PAYLOAD


async def test_a_backend_that_knows_nothing_of_it() -> None:
    backend = Backend(None)
    assert (await backend.refuses({})).refusal is Refusal.NOT_CONFIGURED
    assert backend.station.to_backend == []


FAILED = {"status": "Failed", "exiResponse": ""}


@pytest.mark.parametrize(
    ("says", "refusal", "words"),
    [
        (FAILED, Refusal.PROVIDER_REFUSED, "without a reason"),
        ({**FAILED, "statusInfo": {"reasonCode": "No\x1bSuch"}}, Refusal.PROVIDER_REFUSED, "No\\x1bSuch"),
        (PeerUnavailable("is away"), Refusal.PROVIDER_UNAVAILABLE, "is away"),
        (CallError(ErrorCode.NOT_IMPLEMENTED, "what?"), Refusal.PROVIDER_REFUSED, "what?"),
        (InvalidAnswer(ErrorCode.FORMAT_VIOLATION, "no status"), Refusal.PROVIDER_ANSWER, "no status"),
        ({"status": "Accepted", "exiResponse": "?"}, Refusal.PROVIDER_ANSWER, "base64"),
    ],
)
async def test_a_backend_that_provides_nothing(says: Any, refusal: Refusal, words: str) -> None:
    backend = Backend(Version.V201)
    refused = await backend.refuses(says)
    assert refused.refusal is refusal
    assert words in str(refused)
    assert backend.checker.seen == []


@pytest.mark.parametrize(
    ("says", "refusal"),
    [
        ({"status": "UnknownVendorId"}, Refusal.PROVIDER_REFUSED),
        ({"status": "Rejected"}, Refusal.PROVIDER_REFUSED),
        ({"status": "Accepted"}, Refusal.PROVIDER_ANSWER),
        ({"status": "Accepted", "data": '{"status":"Accepted"}'}, Refusal.PROVIDER_ANSWER),
        ({"status": "Accepted", "data": json.dumps(FAILED)}, Refusal.PROVIDER_REFUSED),
    ],
)
async def test_a_backend_of_16_that_provides_nothing(says: Json, refusal: Refusal) -> None:
    assert (await Backend(Version.V16).refuses(says)).refusal is refusal


async def test_a_backend_that_lies() -> None:
    backend = Backend(Version.V201)
    backend.checker.says = ProvisioningRefused(Refusal.PROVIDER_ANSWER, "signed by nobody")
    assert (await backend.refuses({"status": "Accepted", "exiResponse": "YQ=="})).refusal is Refusal.PROVIDER_ANSWER
    await backend.provider.close()
