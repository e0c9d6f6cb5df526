"""The file endpoint in the metrics. Labels are our own words."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.session.tally import Tally


def file_metrics(tally: Tally, connections: int | None) -> Iterable[Metric]:
    """Yield what stations have loaded and uploaded; nothing where there is no endpoint (``connections`` is None)."""
    if connections is None:
        return
    yield GaugeMetricFamily("voltgate_file_connections", "Open connections of the file endpoint.", connections)
    requests = CounterMetricFamily(
        "voltgate_file_requests",
        "Requests to the file endpoint that are over: downloads of images, uploads of logs, and what is no link.",
        labels=["what", "outcome"],
    )
    for labels, count in tally.files.items():
        requests.add_metric(labels, count)
    yield requests
    octets = CounterMetricFamily(
        "voltgate_file_bytes", "Bytes of images that were sent, and of logs that were taken.", labels=["what"]
    )
    for what, count in tally.file_octets.items():
        octets.add_metric([what], count)
    yield octets
