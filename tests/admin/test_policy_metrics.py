"""The policies in the metrics."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from gateway.admin.metrics import Levels, Metrics
from gateway.session.tally import Tally
from policies.rules import Source

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def in_force(name: str, *sources: Source, rules: int, faults: list[str]) -> Any:
    policy = SimpleNamespace(name=name, sources=sources, rules=[None] * rules)
    return SimpleNamespace(key="policy", policy=policy, loaded_at=NOON, faults=faults, refused_at=None)


def exposed(tally: Tally, *policies: Any) -> list[str]:
    levels = Levels(0, 0, 0, 0, policies=policies)
    lines = Metrics(tally, lambda: levels).expose().decode().splitlines()
    return [line for line in lines if line.startswith("voltgate_policy") and "_created" not in line]


def test_what_is_in_force_and_of_which_files() -> None:
    site = in_force("site", Source("/etc/site.yaml", "ab12"), Source("legacy-1.6", "cd34"), rules=7, faults=["x"])
    bundled = in_force("legacy-1.6", Source("legacy-1.6", "cd34"), rules=3, faults=[])

    assert exposed(Tally(), site, bundled) == [
        'voltgate_policy_info{policy="site",sha256="ab12",source="/etc/site.yaml"} 1.0',
        'voltgate_policy_info{policy="site",sha256="cd34",source="legacy-1.6"} 1.0',
        'voltgate_policy_info{policy="legacy-1.6",sha256="cd34",source="legacy-1.6"} 1.0',
        'voltgate_policy_rules{policy="site"} 7.0',
        'voltgate_policy_rules{policy="legacy-1.6"} 3.0',
        'voltgate_policy_stale{policy="site"} 1.0',
        'voltgate_policy_stale{policy="legacy-1.6"} 0.0',
        'voltgate_policy_loaded_timestamp_seconds{policy="site"} 1.7723664e+09',
        'voltgate_policy_loaded_timestamp_seconds{policy="legacy-1.6"} 1.7723664e+09',
    ]


def test_what_they_decided() -> None:
    tally = Tally()
    tally.policy_reloads["site", "refused"] += 2
    tally.policy_decisions["site", "no-reset", "denied", "observe"] += 3
    tally.policy_rule_failures["site", "no-reset"] += 1

    assert exposed(tally) == [
        'voltgate_policy_reloads_total{outcome="refused",policy="site"} 2.0',
        'voltgate_policy_decisions_total{mode="observe",outcome="denied",policy="site",rule="no-reset"} 3.0',
        'voltgate_policy_rule_failures_total{policy="site",rule="no-reset"} 1.0',
    ]
