"""The door of the admin port: what answers to whom."""

from typing import Any

import pytest

from gateway.session.ports import StoreAway


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_health_and_metrics_need_no_token(office: Any, path: str) -> None:
    async with office.client(token=None) as client:
        assert (await client.get(path, headers={"Authorization": ""})).status == 200


async def test_readiness_tells_what_is_missing(office: Any, client: Any) -> None:
    office.checks["store"] = False
    answer = await client.get("/readyz")
    assert answer.status == 503
    assert await answer.json() == {"ready": False, "checks": {"store": False, "listeners": True}}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", "bearer a-token-for-tests", "Basic YTpi", "Bearer a-token-for-tests "]
)
async def test_the_api_wants_the_token(client: Any, header: str) -> None:
    answer = await client.get("/api/v1/stations", headers={"Authorization": header})
    if header.strip() == "Bearer a-token-for-tests":
        assert answer.status == 200  # HTTP strips white space around a value
        return
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_without_a_configured_token_there_is_no_api(office: Any) -> None:
    async with office.client(token=None) as client:
        for header in ("Bearer None", "Bearer "):
            assert (await client.get("/api/v1/stations", headers={"Authorization": header})).status == 404


async def test_unknown_paths_and_methods_are_json(client: Any) -> None:
    for method, path, status in (("GET", "/nope", 404), ("PUT", "/api/v1/stations", 405)):
        answer = await client.request(method, path)
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == "http_error"


async def test_a_store_that_is_away_is_said(office: Any, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> Any:
        raise StoreAway("store voltgate.db: it is locked")

    monkeypatch.setattr(office.registry, "list", away)
    answer = await client.get("/api/v1/stations")
    assert answer.status == 503
    assert (await answer.json())["error"] == {"code": "store_unavailable", "message": "store voltgate.db: it is locked"}


async def test_what_nobody_foresaw_is_bland(office: Any, client: Any) -> None:
    office.registry.records = None
    answer = await client.get("/api/v1/stations")
    assert answer.status == 500
    assert (await answer.json())["error"]["message"] == "internal error; see the gateway's log"
