"""The counters: what is counted, and that their keys stay few."""

from gateway.session.tally import DECISIONS_MAX, RULES_MAX, Durations, Leg, Outcome, Tally


def test_calls_are_counted_by_leg_direction_action_and_outcome() -> None:
    tally = Tally()
    tally.call(Leg.STATION, "in", "Heartbeat", Outcome.ANSWERED)
    tally.call(Leg.STATION, "in", "Heartbeat", Outcome.ANSWERED)
    tally.call(Leg.STATION, "in", "Heartbeat", Outcome.REFUSED)
    tally.call(Leg.BACKEND, "out", "Heartbeat", Outcome.UNANSWERED)

    assert tally.calls == {
        (Leg.STATION, "in", "Heartbeat", Outcome.ANSWERED): 2,
        (Leg.STATION, "in", "Heartbeat", Outcome.REFUSED): 1,
        (Leg.BACKEND, "out", "Heartbeat", Outcome.UNANSWERED): 1,
    }


def test_what_never_happened_counts_as_zero() -> None:
    tally = Tally()

    assert tally.calls[Leg.STATION, "in", "Reset", Outcome.ANSWERED] == 0
    assert tally.refused_entries["password"] == 0


def test_two_tallies_do_not_share_their_counts() -> None:
    Tally().refused_entries["password"] += 1
    Tally().call(Leg.STATION, "in", "other", Outcome.MALFORMED)

    assert Tally() == Tally()
    assert not Tally().calls


def test_the_labels_of_the_metrics() -> None:
    assert [leg.value for leg in Leg] == ["station", "backend"]
    assert [outcome.value for outcome in Outcome] == ["answered", "refused", "unanswered", "malformed"]


def test_rules_are_counted_apart_up_to_a_bound() -> None:
    tally = Tally()
    for number in range(RULES_MAX + 2):
        tally.kept(f"rule-{number}", "TransactionEvent")
    tally.kept("rule-0", "TransactionEvent")

    assert len(tally.quarantined) == RULES_MAX + 1
    assert tally.quarantined["other", "TransactionEvent"] == 2
    assert tally.quarantined["rule-0", "TransactionEvent"] == 2
    assert tally.set_aside == {"TransactionEvent": RULES_MAX + 3}


def test_decisions_of_policies_are_counted_apart_up_to_a_bound() -> None:
    tally = Tally()
    for number in range(DECISIONS_MAX + 2):
        tally.decided("site", f"rule-{number}", "denied", "enforce")
    tally.decided("site", "rule-0", "denied", "enforce")

    assert len(tally.policy_decisions) == DECISIONS_MAX + 1
    assert tally.policy_decisions["site", "other", "denied", "enforce"] == 2
    assert tally.policy_decisions["site", "rule-0", "denied", "enforce"] == 2


def test_durations_at_their_bounds() -> None:
    durations = Durations((0.1, 1.0))
    for seconds in (0.0, 0.1, 0.2, 1.0, 1.1):
        durations.add(seconds)
    assert durations.counts == [2, 2, 1]
    assert round(durations.total, 1) == 2.4


def test_requests_that_were_not_looked_at_take_no_time() -> None:
    tally = Tally()
    tally.provisioned("Install", "-", "RateLimitExceeded", None)
    tally.provisioned("Install", "native", "Issued", 0.2)
    assert sum(tally.provisionings.values()) == 2
    assert sum(tally.provisioning_seconds.counts) == 1


def test_files_are_counted_with_what_they_moved() -> None:
    tally = Tally()
    tally.file_moved("download", "done", 5)
    tally.file_moved("download", "broken_off", 2)
    tally.file_moved("unknown", "not_found", 0)
    assert tally.files == {("download", "done"): 1, ("download", "broken_off"): 1, ("unknown", "not_found"): 1}
    assert tally.file_octets == {"download": 7}
