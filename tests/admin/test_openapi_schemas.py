"""The shapes that the description promises are those that are answered."""

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from gateway.admin.openapi import document

API = "/api/v1"


def check(answer: Any, name: str) -> None:
    described = document()
    schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    Draft202012Validator(schema).validate(answer)


async def test_answers(client: Any, office: Any, station: Any) -> None:
    office.inventory.issue("CS1", "a1")
    office.upgrades.begin("CS1", 3)
    for method, path, name in (
        ("GET", "stations/CS1", "Station"),
        ("GET", "stations/CS1/security-profile", "SecurityProfile"),
        ("POST", "stations/CS1/password", "PasswordRotation"),
        ("GET", "certificates/a1", "Certificate"),
        ("DELETE", "certificates/a1", "Certificate"),
    ):
        answer = await client.request(method, f"{API}/{path}")
        assert answer.status == 200
        check(await answer.json(), name)


@pytest.mark.parametrize(
    ("path", "key", "name"),
    [
        ("stations", "stations", "Station"),
        ("certificates", "certificates", "Certificate"),
        ("security-events", "security_events", "SecurityEvent"),
    ],
)
async def test_lists(client: Any, office: Any, station: Any, path: str, key: str, name: str) -> None:
    office.inventory.issue("CS1", "a1")
    found = (await (await client.get(f"{API}/{path}")).json())[key]
    assert found
    for each in found:
        check(each, name)


async def test_errors_and_what_is_new(client: Any) -> None:
    check(await (await client.get(f"{API}/stations/CS9")).json(), "Error")
    check(
        await (await client.post(f"{API}/stations", json={"identity": "CS1", "profile": 2})).json(), "NewStationAnswer"
    )
