"""The description says what the server does."""

import re
from typing import Any

from gateway.admin.openapi import document


async def test_it_is_served(client: Any) -> None:
    answer = await client.get("/api/openapi.json")
    assert answer.status == 200
    assert (await answer.json())["openapi"] == "3.1.0"


async def test_every_endpoint_is_described_and_nothing_else(client: Any) -> None:
    served = {
        (route.method.lower(), re.sub(r"\{(\w+)[^}]*\}", r"{\1}", route.resource.canonical))
        for route in client.server.app.router.routes()
        if route.resource.canonical.startswith("/api/v1") and route.method != "HEAD"
    }
    described = {
        (method, path)
        for path, item in document()["paths"].items()
        for method in item
        if method in {"get", "post", "delete", "put", "patch"}
    }
    assert served == described


def test_every_reference_leads_somewhere() -> None:
    text = document()
    schemas = text["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/(\w+)", str(text)):
        assert name in schemas
