"""The plan of a renewal as it begins."""

from datetime import UTC, datetime, timedelta

from gateway.session.renewals import HeldCertificate, RenewalRecord, RenewalState

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_plan_begins_with_nothing_tried_and_nothing_said() -> None:
    held = HeldCertificate("CS1", "v2g", "a1", NOON, NOON + timedelta(days=90))
    plan = RenewalRecord.planned(held, NOON + timedelta(days=60))
    assert (plan.identity, plan.usage, plan.serial) == ("CS1", "v2g", "a1")
    assert (plan.not_before, plan.not_after) == (held.not_before, held.not_after)
    assert plan.due_at == NOON + timedelta(days=60)
    assert (plan.state, plan.attempts, plan.problem, plan.alerts) == (RenewalState.PLANNED, 0, "", 0)
