"""The exposition."""

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from gateway.admin.metrics import Levels, Metrics
from gateway.session.tally import Leg, Outcome, Tally
from gateway.store.certificate_census import Census


def test_levels_and_counts() -> None:
    tally = Tally()
    tally.call(Leg.STATION, "in", "Heartbeat", Outcome.ANSWERED)
    tally.call(Leg.STATION, "in", "Heartbeat", Outcome.ANSWERED)
    tally.refused_entries["password"] += 1
    tally.mirror_dropped["eye", "away"] += 5
    tally.contracts["CertChainError", "hashes"] += 3
    tally.security_events["FailedToAuthenticateAtCsms", "gateway"] += 4
    tally.kept("no-big-ids", "StopTransaction")
    tally.quarantine_left["put_back"] += 2
    expiry = datetime(2027, 3, 1, tzinfo=UTC)
    census = Census({("station", "in_use"): 8, ("seen", "expired"): 9}, {"station": expiry}, 6)
    levels = Levels(3, 1, 2, 7, census, {"station": 2, "server": 0}, {"settled": 8}, {"held": 5})
    text = Metrics(tally, lambda: levels).expose().decode()
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples[("voltgate_stations_connected", ())] == 3
    assert samples[("voltgate_stations_provisional", ())] == 1
    assert samples[("voltgate_backend_links_up", ())] == 2
    assert samples[("voltgate_journal_entries", ())] == 7
    assert samples[("voltgate_certificates", (("state", "in_use"), ("usage", "station")))] == 8
    assert samples[("voltgate_certificates", (("state", "expired"), ("usage", "seen")))] == 9
    assert samples[("voltgate_certificate_earliest_expiry_seconds", (("usage", "station"),))] == expiry.timestamp()
    assert samples[("voltgate_revocations_untold", ())] == 6
    assert samples[("voltgate_certificates_expiring", (("usage", "station"),))] == 2
    assert samples[("voltgate_certificates_expiring", (("usage", "server"),))] == 0
    assert samples[("voltgate_station_trust", (("state", "settled"),))] == 8
    labels = (("action", "Heartbeat"), ("direction", "in"), ("leg", "station"), ("outcome", "answered"))
    assert samples[("voltgate_calls_total", labels)] == 2
    assert samples[("voltgate_entries_refused_total", (("reason", "password"),))] == 1
    assert samples[("voltgate_mirror_dropped_total", (("backend", "eye"), ("reason", "away")))] == 5
    contracts = (("certificate_status", "CertChainError"), ("proof", "hashes"))
    assert samples[("voltgate_contract_authorizations_total", contracts)] == 3
    assert samples[("voltgate_quarantined_messages", (("state", "held"),))] == 5
    kept = (("action", "StopTransaction"), ("rule", "no-big-ids"))
    assert samples[("voltgate_messages_quarantined_total", kept)] == 1
    assert samples[("voltgate_messages_set_aside_total", (("action", "StopTransaction"),))] == 1
    assert samples[("voltgate_quarantine_deliveries_total", (("outcome", "put_back"),))] == 2
    event = (("source", "gateway"), ("type", "FailedToAuthenticateAtCsms"))
    assert samples[("voltgate_security_events_total", event)] == 4
