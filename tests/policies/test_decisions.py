"""What is told of decisions."""

from policies.decisions import Decision, nobody
from policies.words import Effect, Kind, Outcome, Reason, Stage, Target


def test_where_nobody_wants_to_hear_nothing_happens() -> None:
    target = Target(Stage.FROM_STATION, Kind.CALL, "ocpp1.6", "Heartbeat")

    nobody(Decision(target, "a", Effect.DENY, Outcome.DENIED, Reason.MATCHED, is_observed=False))
