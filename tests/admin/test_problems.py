"""One shape for every error."""

import json

from gateway.admin.problems import ApiRefusal, problem


def test_shape() -> None:
    body = problem(409, "refused", "no", {"hint": "yes"}).body
    assert isinstance(body, bytes)
    assert json.loads(body) == {"error": {"code": "refused", "message": "no", "hint": "yes"}}


def test_refusal_without_details() -> None:
    refusal = ApiRefusal(400, "bad", "text")
    assert (refusal.status, refusal.code, str(refusal), refusal.details) == (400, "bad", "text", {})
