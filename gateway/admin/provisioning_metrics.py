"""Contract certificates in the metrics. Labels are our own words and the configuration's."""

from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from gateway.session.tally import Tally


def provisioning_metrics(tally: Tally) -> Iterable[Metric]:
    """Yield what became of vehicles' requests, and how long they took."""
    requests = CounterMetricFamily(
        "voltgate_contract_requests",
        "Requests of vehicles for contract certificates: Issued, or why not.",
        labels=["action", "provider", "outcome"],
    )
    for labels, count in tally.provisionings.items():
        requests.add_metric(labels, count)
    yield requests
    took = tally.provisioning_seconds
    names = [*(repr(bound) for bound in took.bounds), "+Inf"]
    yield HistogramMetricFamily(
        "voltgate_contract_request_seconds",
        "From such a request to its answer; a vehicle gives up after 5 s.",
        buckets=[*zip(names, accumulate(took.counts), strict=True)],
        sum_value=took.total,
    )
