"""The sections of firmware and logs by themselves: defaults, and what isn't taken."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.firmware import Files, Firmware, Logs, Manufacturer, StationsWithoutSignature
from gateway.config.values import FOLDER

BELOW = {FOLDER: Path("/etc/voltgate")}


def test_defaults() -> None:
    firmware = Firmware.model_validate({}, context=BELOW)
    assert (firmware.directory, firmware.serve) == (Path("/etc/voltgate/firmware"), "gateway")
    assert (firmware.max_size, firmware.manufacturers, firmware.sources) == (4_294_967_296, {}, ())
    made = Manufacturer.model_validate({"roots": "acme.pem"}, context=BELOW)
    assert (made.roots, made.vendors) == (Path("/etc/voltgate/acme.pem"), ())
    assert made.algorithms == ("ecdsa-sha256", "rsa-pss-sha256")
    assert (made.ecdsa_encoding, made.pss_salt, made.validity, made.revocation) == ("der", "digest", "now", "strict")
    files = Files.model_validate({"public_url": "https://files.example.com"})
    assert (str(files.bind), files.plain, files.link_lifetime) == ("0.0.0.0:8444", False, timedelta(days=7))
    logs = Logs.model_validate({}, context=BELOW)
    assert (logs.directory, logs.keep, logs.hand_over) == (Path("/etc/voltgate/logs"), timedelta(days=30), True)


def test_stations_without_signature() -> None:
    selection = StationsWithoutSignature(identity="OLD*")
    assert (selection.matches("OLD1", None), selection.matches("NEW1", "old")) == (True, False)


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        (Firmware, {"unknown": 1}),
        (Firmware, {"serve": "elsewhere"}),
        (Firmware, {"max_size": 0}),
        (Firmware, {"manufacturers": {"acme": {}}}),
        (Firmware, {"manufacturers": {"acme": {"roots": "a.pem", "algorithms": []}}}),
        (Firmware, {"manufacturers": {"acme": {"roots": "a.pem", "algorithms": ["ecschnorr"]}}}),
        (Firmware, {"manufacturers": {"acme": {"roots": "a.pem", "validity": "never"}}}),
        (Firmware, {"without_signature": [{"identity": "["}]}),
        (Files, {}),
        (Files, {"public_url": "https://h", "rate": 0}),
        (Logs, {"max_size": 0}),
    ],
)
def test_what_is_not_taken(section: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        section.model_validate(wrong, context=BELOW)
