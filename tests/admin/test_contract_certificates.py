"""Contract certificates and the audit by API."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.session.contracts import ProvisioningRecord
from gateway.session.provisionings import ProvisioningEntry
from pki.iso15118.provisioning import Refusal

CERTIFICATES, AUDIT = "/api/v1/contract-certificates", "/api/v1/contract-provisionings"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def issued(office: Any) -> None:
    office.inventory.issue("", "a1")
    office.inventory.issue("", "a2")


async def test_list(client: Any, office: Any) -> None:
    answer = await (await client.get(CERTIFICATES)).json()
    first = answer["contract_certificates"][0]
    assert (first["serial"], first["emaid"], first["pcid"]) == ("a1", "DE8EXC12345678", "WVWZZZ1KZAW000123")
    assert (first["station"], first["provider"], first["issuer"], first["id"]) == ("CS1", "native", "CN=MO", 1)
    assert answer["next"] is None
    assert (await (await client.get(f"{CERTIFICATES}?limit=1")).json())["next"] == 1
    asked = "pcid=P&emaid=DE8EXC12345678&station=CS1&provider=native&state=issued,revoked&after=2&limit=3"
    assert (await client.get(f"{CERTIFICATES}?{asked}")).status == 200
    assert office.contract_certificates.asked[-1] == {
        "pcid": "P",
        "emaid": "DE8EXC12345678",
        "station": "CS1",
        "provider": "native",
        "states": ["issued", "revoked"],
        "after_id": 2,
        "limit": 3,
    }


async def test_show_and_revoke(client: Any, office: Any) -> None:
    shown = await (await client.get(f"{CERTIFICATES}/A1")).json()
    assert (shown["serial"], shown["chain"]) == ("a1", "PEM")

    revoked = await (await client.delete(f"{CERTIFICATES}/a1?reason=keyCompromise")).json()
    assert (revoked["state"], revoked["reason"], revoked["emaid"]) == ("revoked", "keyCompromise", "DE8EXC12345678")
    assert revoked["authority_problem"] is None
    assert office.inventory.reasons == ["keyCompromise"]


@pytest.mark.parametrize(
    ("serial", "status", "code"),
    [("b1", 404, "unknown_certificate"), ("xyz", 400, "invalid_request"), ("77", 409, "ambiguous_serial")],
)
async def test_one_that_is_not_found(client: Any, serial: str, status: int, code: str) -> None:
    for answer in (await client.get(f"{CERTIFICATES}/{serial}"), await client.delete(f"{CERTIFICATES}/{serial}")):
        assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)


async def test_the_audit(client: Any, office: Any) -> None:
    entry = ProvisioningEntry(
        at=NOON, station="CS1", action="Install", schema="-2", digest="ab", refusal=Refusal.REPLAYED, text="again"
    )
    office.provisionings.kept = [ProvisioningRecord(7, entry)]
    assert await (await client.get(AUDIT)).json() == {
        "contract_provisionings": [
            {
                "id": 7,
                "at": "2026-03-01T12:00:00+00:00",
                "station": "CS1",
                "action": "Install",
                "schema": "-2",
                "outcome": "refused",
                "refusal": "Replayed",
                "text": "again",
                "digest": "ab",
                **dict.fromkeys(("provider", "pcid", "emaid", "vehicle_serial", "contract_serial"), None),
                **dict.fromkeys(("issuer", "cps_serial", "not_after"), None),
            }
        ]
    }
    asked = "station=CS1&pcid=P&emaid=DE8EXC12345678&outcome=refused&refusal=Replayed&before=9&limit=3"
    assert (await client.get(f"{AUDIT}?{asked}&since=2026-03-01T12:00:00Z")).status == 200
    assert office.provisionings.asked[-1] == {
        "station": "CS1",
        "pcid": "P",
        "emaid": "DE8EXC12345678",
        "outcome": "refused",
        "refusal": Refusal.REPLAYED,
        "since": NOON,
        "before_id": 9,
        "limit": 3,
    }


@pytest.mark.parametrize(
    "path",
    [
        f"{CERTIFICATES}?state=lost",
        f"{CERTIFICATES}?emaid=x",
        f"{CERTIFICATES}?limit=1001",
        f"{AUDIT}?outcome=lost",
        f"{AUDIT}?refusal=lost",
        f"{AUDIT}?since=2026-03-01T12:00:00",
        f"{AUDIT}?driver=1",
    ],
)
async def test_wrong_filters(client: Any, path: str) -> None:
    assert (await client.get(path)).status == 400
