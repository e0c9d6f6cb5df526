"""The policies in the metrics. Labels are what the policies' files say: names, rules, digests; nothing of a peer's."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.session.tally import Tally
from policies.engine import Policy


class PolicyInForce(Protocol):
    """One policy of the configuration."""

    @property
    def key(self) -> str:
        """The first key of the configuration that names it."""

    @property
    def policy(self) -> Policy:
        """The last that could be loaded."""

    @property
    def loaded_at(self) -> datetime:
        """When it was taken over; aware."""

    @property
    def faults(self) -> Sequence[str]:
        """What is wrong with its files as they are now, if they aren't in force."""

    @property
    def refused_at(self) -> datetime | None:
        """When its files last could not be taken over; aware."""


def policy_metrics(tally: Tally, policies: Iterable[PolicyInForce]) -> Iterable[Metric]:
    """Yield the metrics of all policies in force, and what they have decided."""
    yield from _in_force(policies)
    reloads = CounterMetricFamily(
        "voltgate_policy_reloads", "Changes of a policy's files.", labels=["policy", "outcome"]
    )
    for (policy, outcome), count in tally.policy_reloads.items():
        reloads.add_metric([policy, outcome], count)
    yield reloads
    decisions = CounterMetricFamily(
        "voltgate_policy_decisions",
        "Messages with which a rule did something, or would have (mode observe).",
        labels=["policy", "rule", "outcome", "mode"],
    )
    for labels, count in tally.policy_decisions.items():
        decisions.add_metric(labels, count)
    yield decisions
    failures = CounterMetricFamily(
        "voltgate_policy_rule_failures", "Messages on which a rule itself failed.", labels=["policy", "rule"]
    )
    for (policy, rule), count in tally.policy_rule_failures.items():
        failures.add_metric([policy, rule], count)
    yield failures


def _in_force(policies: Iterable[PolicyInForce]) -> Iterable[Metric]:
    info = GaugeMetricFamily(
        "voltgate_policy_info", "The files that a policy in force was made of.", labels=["policy", "source", "sha256"]
    )
    rules = GaugeMetricFamily("voltgate_policy_rules", "Rules of a policy in force.", labels=["policy"])
    stale = GaugeMetricFamily(
        "voltgate_policy_stale", "1 while a policy's files say something that can't be loaded.", labels=["policy"]
    )
    loaded = GaugeMetricFamily(
        "voltgate_policy_loaded_timestamp_seconds", "When a policy was taken over (Unix time).", labels=["policy"]
    )
    for each in policies:
        name = each.policy.name
        for source in each.policy.sources:
            info.add_metric([name, source.name, source.sha256], 1)
        rules.add_metric([name], len(each.policy.rules))
        stale.add_metric([name], bool(each.faults))
        loaded.add_metric([name], each.loaded_at.timestamp())
    yield from (info, rules, stale, loaded)
