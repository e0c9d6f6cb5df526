"""Attack A6: a station that is set up with its password in the URL is refused, and the log doesn't learn it."""

import pytest
from structlog.testing import capture_logs

from gateway.transport import Refuse
from tests.edge.street import Street

SECRET = "S3CRETPW"


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        (f"/ocpp/CS1?password={SECRET}", "/ocpp/CS1"),
        (f"/ocpp/CS1/{SECRET}", "/ocpp/CS1"),
        (f"/ocpp/CS1/{SECRET}?x", "/ocpp/CS1"),
        (f"/ocpp?id=CS1&key={SECRET}", "/ocpp"),
        ("/other/CS1", "/other/CS1"),
        ("/ocpp/" + "x" * 200, "/ocpp/" + "x" * 74),
    ],
)
async def test_the_log_shows_where_to_and_not_what_else(target: str, logged: str) -> None:
    with Street() as street, capture_logs() as lines:
        verdict = await street.knock(target)
    assert verdict == Refuse(404)
    (line,) = lines
    assert line["target"] == logged
    assert SECRET not in repr((lines, street.events, street.pending))
