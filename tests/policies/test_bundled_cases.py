"""`voltgate policy test` on every bundled policy: all cases hold, and every rule is exercised by one."""

import pytest

from gateway.app import policy_tools
from policies import rehearsal
from policies.engine import BUNDLED, Guard
from policies.words import Kind, Payload, Stage, Verdict


@pytest.mark.parametrize("name", BUNDLED)
def test_every_case_holds_and_every_rule_is_exercised(name: str) -> None:
    came = policy_tools.play(name)

    assert [(str(each.place), each.case, each.differences) for each in came.failures] == []
    assert [str(rule.place) for rule in came.coverage.missing] == []
    assert [str(rule.place) for rule in came.coverage.unspared] == []


@pytest.mark.parametrize("name", BUNDLED)
def test_nothing_is_found_in_it(name: str) -> None:
    assert list(map(str, policy_tools.check(name).problems)) == []


class Honest(Guard):
    """Says of each message beforehand what becomes of it."""

    def inspect(self, stage: Stage, kind: Kind, protocol: str, action: str, payload: Payload) -> Verdict:
        foretold = self.explain(stage, kind, protocol, action, payload).verdict
        assert foretold == super().inspect(stage, kind, protocol, action, payload)
        return foretold


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_explained_is_what_happens(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "Guard", Honest)

    assert policy_tools.play(name).failures == ()
