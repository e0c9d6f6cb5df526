"""Trust anchors by API."""

from typing import Any

from gateway.admin.ports import Refused

ANCHORS, ROTATION = "/api/v1/trust-anchors", "/api/v1/root-rotation"


async def test_list_show_and_reconcile(client: Any, office: Any) -> None:
    assert await (await client.get(ANCHORS)).json() == {"trust_anchors": [{"subject": "CN=a"}]}
    assert await (await client.get(f"{ANCHORS}/CS1")).json() == {"identity": "CS1", "settled": False}
    assert await (await client.post(f"{ANCHORS}/CS1")).json() == {"identity": "CS1", "settled": True}
    assert await (await client.get(ROTATION)).json() == {"state": "open"}


async def test_what_cannot_be(client: Any, office: Any) -> None:
    office.trust.problem = LookupError("station 'CS9' is not registered")
    for answer in (await client.get(f"{ANCHORS}/CS9"), await client.post(f"{ANCHORS}/CS9")):
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_registered")
    answer = await client.get(ROTATION)
    assert (answer.status, (await answer.json())["error"]["code"]) == (404, "no_rotation")
    office.trust.problem = Refused("the station is not connected")
    answer = await client.post(f"{ANCHORS}/CS1")
    assert (answer.status, (await answer.json())["error"]["message"]) == (409, "the station is not connected")
