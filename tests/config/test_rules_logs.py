"""Logs in the configuration: a sound section, and every line that a wrong one earns."""

from typing import Any

import pytest

from gateway.config import Config
from gateway.config.rules_logs import broken_by_logs
from gateway.config.source import spell
from pki.destinations import DESTINATIONS_MAX


def faults(section: Any, files: Any = None) -> dict[str, str]:
    tree = {"backends": {"legacy": {"url": "wss://h/{identity}"}}, "logs": section}
    config = Config.model_validate({**tree, "files": files or {"public_url": "https://files.example.com"}})
    return {spell(key): text for key, text in broken_by_logs(config)}


def test_without_the_section() -> None:
    assert faults(None) == {}


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"max_size": 5, "total_size": 5, "hand_over": False},
        {"destinations": ["logs.example.com", "ftps://h/in/", "ftp://h:2121/", "https://h/in"], "roots": "roots.pem"},
        {"destinations": ["*.example.com"], "trusted_networks": ["10.0.0.0/8"]},
    ],
)
def test_what_is_in_order(section: Any) -> None:
    assert faults(section) == {}


@pytest.mark.parametrize(
    ("section", "place", "complaint"),
    [
        ({"max_size": 6, "total_size": 5}, "logs.max_size", "one log must fit"),
        ({"destinations": ["sftp://h/in"]}, "logs.destinations[0]", "only http, https, ftp and ftps are spoken"),
        ({"destinations": ["h", "https://u:p@h/"]}, "logs.destinations[1]", "user or a password"),
        ({"destinations": ["h"] * (DESTINATIONS_MAX + 1)}, "logs.destinations", "1024 at most"),
        ({"trusted_networks": ["10.0.0.0/8"]}, "logs.trusted_networks", "has an effect where"),
        ({"roots": "roots.pem"}, "logs.roots", "has an effect where"),
        ({"destinations": ["h"], "hand_over": False}, "logs.destinations", "has no effect while"),
    ],
)
def test_what_is_not(section: Any, place: str, complaint: str) -> None:
    found = faults(section)
    assert list(found) == [place]
    assert complaint in found[place]


def test_stations_need_somewhere_to_upload_to() -> None:
    config = Config.model_validate({"backends": {"legacy": {"url": "wss://h/{identity}"}}, "logs": {}})
    assert [(spell(key), text.partition(",")[0]) for key, text in broken_by_logs(config)] == [("logs", "needs files")]
