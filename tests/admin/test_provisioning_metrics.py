"""What became of vehicles' requests, as Prometheus reads it."""

from gateway.admin.metrics import Levels, Metrics
from gateway.session.tally import Tally


def test_requests_and_how_long_they_took() -> None:
    tally = Tally()
    tally.provisioned("Install", "native", "Issued", 0.3)
    tally.provisioned("Install", "native", "Issued", 9.0)
    tally.provisioned("Update", "-", "RateLimitExceeded", None)
    lines = Metrics(tally, lambda: Levels(0, 0, 0, 0)).expose().decode().splitlines()
    assert 'voltgate_contract_requests_total{action="Install",outcome="Issued",provider="native"} 2.0' in lines
    assert 'voltgate_contract_requests_total{action="Update",outcome="RateLimitExceeded",provider="-"} 1.0' in lines
    buckets = [
        line.partition("{le=")[2] for line in lines if line.startswith("voltgate_contract_request_seconds_bucket")
    ]
    assert buckets[5:7] == ['"0.25"} 0.0', '"0.5"} 1.0']
    assert buckets[-2:] == ['"5.0"} 1.0', '"+Inf"} 2.0']
    assert "voltgate_contract_request_seconds_sum 9.3" in lines
    assert "voltgate_contract_request_seconds_count 2.0" in lines
