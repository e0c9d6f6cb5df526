"""The metrics, read from the parts when they are scraped. No label comes from a peer's text (attack C7)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from gateway.admin.campaign_metrics import campaign_metrics
from gateway.admin.file_metrics import file_metrics
from gateway.admin.firmware_metrics import firmware_metrics
from gateway.admin.policy_metrics import PolicyInForce, policy_metrics
from gateway.admin.provisioning_metrics import provisioning_metrics
from gateway.session.firmware import CampaignState, ImageState
from gateway.session.firmware_campaigns import CampaignStationState
from gateway.session.tally import Tally


class CertificateCounts(Protocol):
    """The inventory in numbers. Usages and states are our own words."""

    @property
    def by_usage_and_state(self) -> Mapping[tuple[str, str], int]:
        """How many there are."""

    @property
    def earliest_expiry(self) -> Mapping[str, datetime]:
        """By usage: when the first one that is installed or in use expires."""

    @property
    def authority_untold(self) -> int:
        """Revocations that an authority must still hear of."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What is the case at this moment."""

    stations_connected: int
    stations_provisional: int
    """Of these: let in only to get a new certificate."""
    backends_up: int
    journal_entries: int
    certificates: CertificateCounts | None = None
    expiring: Mapping[str, int] = field(default_factory=dict)
    """By usage (station, v2g, server): how many certificates an alert was given for, since they end soon."""
    trust: Mapping[str, int] = field(default_factory=dict)
    """Stations by how far they are from the roots that they should trust: settled, unsettled, locked_out."""
    quarantined: Mapping[str, int] = field(default_factory=dict)
    """By state (held, released): messages in the quarantine."""
    policies: Iterable[PolicyInForce] = ()
    firmware: Mapping[ImageState, int] = field(default_factory=dict)
    """Images of the catalogue, by state."""
    file_connections: int | None = None
    """Of the file endpoint; None where there is none."""
    campaigns: Mapping[CampaignState, int] = field(default_factory=dict)
    """Firmware campaigns that go on, by state."""
    campaign_stations: Mapping[CampaignStationState, int] = field(default_factory=dict)
    """Stations of these campaigns, by where they stand."""


class _GatewayCollector(Collector):
    def __init__(self, tally: Tally, levels: Callable[[], Levels]) -> None:
        self._tally = tally
        self._levels = levels

    def collect(self) -> Iterable[Metric]:
        levels = self._levels()
        yield from self._gauges(levels)
        if levels.certificates is not None:
            yield from self._certificates(levels.certificates)
        yield from self._counters()
        yield from policy_metrics(self._tally, levels.policies)
        yield from provisioning_metrics(self._tally)
        yield from firmware_metrics(levels.firmware)
        yield from file_metrics(self._tally, levels.file_connections)
        yield from campaign_metrics(levels.campaigns, levels.campaign_stations)

    def _gauges(self, levels: Levels) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "voltgate_stations_connected", "Stations with an open WebSocket.", levels.stations_connected
        )
        yield GaugeMetricFamily(
            "voltgate_stations_provisional",
            "Stations that were let in only to get a new certificate.",
            levels.stations_provisional,
        )
        yield GaugeMetricFamily("voltgate_backend_links_up", "Open WebSockets to backends.", levels.backends_up)
        yield GaugeMetricFamily(
            "voltgate_journal_entries",
            "Money-moving messages that a backend must still answer.",
            levels.journal_entries,
        )
        quarantined = GaugeMetricFamily(
            "voltgate_quarantined_messages",
            "Messages that wait in the quarantine for a person, or to be delivered.",
            labels=["state"],
        )
        for state, count in levels.quarantined.items():
            quarantined.add_metric([state], count)
        yield quarantined
        expiring = GaugeMetricFamily(
            "voltgate_certificates_expiring",
            "Certificates in use that an alert was given for: they end soon and are not renewed.",
            labels=["usage"],
        )
        for usage, count in levels.expiring.items():
            expiring.add_metric([usage], count)
        yield expiring
        trust = GaugeMetricFamily(
            "voltgate_station_trust", "Stations by the roots that they have and should have.", labels=["state"]
        )
        for state, count in levels.trust.items():
            trust.add_metric([state], count)
        yield trust

    def _certificates(self, counts: CertificateCounts) -> Iterable[Metric]:
        held = GaugeMetricFamily("voltgate_certificates", "Certificates on record.", labels=["usage", "state"])
        for (usage, state), count in counts.by_usage_and_state.items():
            held.add_metric([usage, state], count)
        yield held
        expiry = GaugeMetricFamily(
            "voltgate_certificate_earliest_expiry_seconds",
            "When the first of the certificates that are installed or in use expires (Unix time).",
            labels=["usage"],
        )
        for usage, moment in counts.earliest_expiry.items():
            expiry.add_metric([usage], moment.timestamp())
        yield expiry
        yield GaugeMetricFamily(
            "voltgate_revocations_untold", "Revocations that an authority must still hear of.", counts.authority_untold
        )

    def _counters(self) -> Iterable[Metric]:
        calls = CounterMetricFamily(
            "voltgate_calls", "CALLs that have ended.", labels=["leg", "direction", "action", "outcome"]
        )
        for (leg, direction, action, outcome), count in self._tally.calls.items():
            calls.add_metric([leg.value, direction, action, outcome.value], count)
        yield calls
        refused = CounterMetricFamily("voltgate_entries_refused", "Connections refused at the door.", labels=["reason"])
        for reason, count in self._tally.refused_entries.items():
            refused.add_metric([reason], count)
        yield refused
        aside = CounterMetricFamily(
            "voltgate_messages_set_aside",
            "Messages that a backend refused for good, or must not hear.",
            labels=["action"],
        )
        for action, count in self._tally.set_aside.items():
            aside.add_metric([action], count)
        yield aside
        yield from self._quarantine()
        dropped = CounterMetricFamily(
            "voltgate_mirror_dropped", "CALLs that a mirror of a backend did not get.", labels=["backend", "reason"]
        )
        for (backend, why), count in self._tally.mirror_dropped.items():
            dropped.add_metric([backend, why], count)
        yield dropped
        contracts = CounterMetricFamily(
            "voltgate_contract_authorizations",
            "Authorize with a charging contract (ISO 15118), by what was found and by what proved it.",
            labels=["certificate_status", "proof"],
        )
        for (certificate_status, proof), count in self._tally.contracts.items():
            contracts.add_metric([certificate_status, proof], count)
        yield contracts
        events = CounterMetricFamily(
            "voltgate_security_events", "Security events, those that stations reported too.", labels=["type", "source"]
        )
        for (kind, source), count in self._tally.security_events.items():
            events.add_metric([kind, source], count)
        yield events

    def _quarantine(self) -> Iterable[Metric]:
        kept = CounterMetricFamily(
            "voltgate_messages_quarantined",
            "Messages that went into the quarantine, by the policy's rule.",
            labels=["rule", "action"],
        )
        for (rule, action), count in self._tally.quarantined.items():
            kept.add_metric([rule, action], count)
        yield kept
        left = CounterMetricFamily(
            "voltgate_quarantine_deliveries", "Released messages that were offered to a backend.", labels=["outcome"]
        )
        for outcome, count in self._tally.quarantine_left.items():
            left.add_metric([outcome], count)
        yield left


class Metrics:
    """The exposition for ``/metrics``."""

    def __init__(self, tally: Tally, levels: Callable[[], Levels]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_GatewayCollector(tally, levels))

    def expose(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
