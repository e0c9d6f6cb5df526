"""The shapes of policies and of what they keep; test_policies.py and test_quarantine.py show that answers have them."""

import jsonschema_rs
import pytest

from gateway.admin.openapi_policies import EXPLAINED, NUMBERS, POLICY, QUARANTINED


@pytest.mark.parametrize("shape", [EXPLAINED, NUMBERS, POLICY, QUARANTINED])
def test_each_is_a_json_schema(shape: dict[str, object]) -> None:
    assert jsonschema_rs.meta.is_valid(shape)


def test_payload_and_answer_are_only_there_when_one_message_is_asked_for() -> None:
    required = QUARANTINED["required"]

    assert "identity" in required
    assert not {"payload", "answer"} & set(required)
