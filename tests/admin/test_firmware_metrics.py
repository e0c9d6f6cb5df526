"""Images as Prometheus reads them."""

from gateway.admin.metrics import Levels, Metrics
from gateway.session.firmware import ImageState
from gateway.session.tally import Tally


def test_images_by_state() -> None:
    levels = Levels(0, 0, 0, 0, firmware={ImageState.VERIFIED: 3, ImageState.REFUSED: 0})
    lines = Metrics(Tally(), lambda: levels).expose().decode().splitlines()
    assert 'voltgate_firmware_images{state="verified"} 3.0' in lines
    assert 'voltgate_firmware_images{state="refused"} 0.0' in lines
