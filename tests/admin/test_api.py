"""Each aggregate's endpoints are there, behind one token."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    "path",
    [
        "stations",
        "stations/CS1/security-profile",
        "certificates",
        "certificates/a1",
        "security-events",
        "pending-stations",
        "contracts",
        "contract-certificates",
        "contract-provisionings",
    ],
)
async def test_every_aggregate_wants_the_token(client: Any, station: Any, office: Any, path: str) -> None:
    office.inventory.issue("CS1", "a1")
    assert (await client.get(f"/api/v1/{path}")).status == 200
    assert (await client.get(f"/api/v1/{path}", headers={"Authorization": "Bearer wrong"})).status == 401
