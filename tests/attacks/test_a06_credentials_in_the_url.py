"""Attack A6: a station that is set up with its password in the URL is refused, and the log doesn't learn it."""

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.edge.door import Door, EntryRules
from gateway.session.tally import Tally
from gateway.transport import Headers, Refuse, UpgradeRequest

RULES = EntryRules(name="0.0.0.0:8443", path="/ocpp/{identity}", profiles=frozenset({2, 3}))
SECRET = "S3CRETPW"
NOBODY: Any = SimpleNamespace()


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
    door = Door(registry=NOBODY, directory=NOBODY, passwords=NOBODY, make_sink=NOBODY, tally=Tally())
    with capture_logs() as lines:
        verdict = await door.admit(RULES, UpgradeRequest(target, Headers(), ("10.1.2.3", 4711), None))
    assert verdict == Refuse(404)
    (line,) = lines
    assert line["target"] == logged
    assert SECRET not in repr(lines)
