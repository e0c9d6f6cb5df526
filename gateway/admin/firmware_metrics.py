"""Firmware in the metrics. Labels are our own words."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.session.firmware import ImageState


def firmware_metrics(images: Mapping[ImageState, int]) -> Iterable[Metric]:
    """Yield how many images there are of each state; nothing where there is no catalogue."""
    family = GaugeMetricFamily("voltgate_firmware_images", "Firmware images of the catalogue.", labels=["state"])
    for state, count in images.items():
        family.add_metric([state.value], count)
    yield family
