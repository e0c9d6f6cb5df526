"""The description of logs names what the answers have, and what the endpoints take."""

from gateway.admin.logs import log_shown
from gateway.admin.openapi_logs import LOG_SCHEMAS, logs
from tests.admin.test_logs import LOG


def test_every_member_is_described() -> None:
    schema = LOG_SCHEMAS["StationLog"]
    assert set(schema["properties"]) == set(schema["required"]) == set(log_shown(LOG))


def test_every_endpoint_is_described() -> None:
    described = {path: set(item) - {"parameters"} for path, item in logs().items()}
    assert described == {
        "logs": {"get"},
        "logs/{id}": {"get", "delete"},
        "logs/{id}/content": {"get"},
        "stations/{identity}/logs": {"post"},
    }
