"""Certificate profiles: the bundled ones, and what a profile can't be."""

import pytest
import yaml
from pydantic import ValidationError

from pki.profiles import (
    NameRule,
    as_ip,
    charging_station,
    check_common_name,
    csms_server,
    load_profile,
    parse_profile,
)


def test_the_profile_of_stations() -> None:
    profile = charging_station()

    assert profile.name == "charging_station"
    assert profile.subject.common_name is NameRule.SERIAL_NUMBER
    assert profile.keys.curves == ("P-256", "P-384", "P-521")
    assert (profile.keys.rsa_bits.minimum, profile.keys.rsa_bits.maximum) == (2048, 4096)
    assert profile.key_usage.ec == ("digital_signature", "key_agreement")
    assert profile.alternative_names == "none"
    assert (profile.validity.lifetime.days, profile.validity.backdate.total_seconds()) == (365, 3600)
    assert (profile.request_size_max, profile.chain_size_max) == (5500, 10_000)
    assert load_profile("charging_station") is profile


def test_the_profile_of_the_gateways_own_certificates() -> None:
    profile = csms_server()

    assert (profile.subject.common_name, profile.alternative_names) == (NameRule.HOST_NAME, "required")
    assert profile.key_usage.rsa == ("digital_signature", "key_encipherment")


@pytest.mark.parametrize("name", ["nothing", "../charging_station", "", "charging_station.yaml"])
def test_a_profile_that_is_not_bundled(name: str) -> None:
    with pytest.raises(KeyError):
        load_profile(name)


@pytest.mark.parametrize(
    "change",
    [
        {"nam": "x"},
        {"name": "A b"},
        {"keys": {"curves": ["P-192"], "rsa_bits": {"minimum": 2048, "maximum": 4096}}},
        {"keys": {"curves": [], "rsa_bits": {"minimum": "2048", "maximum": 4096}}},
        {"validity": {"days": 0, "backdate_minutes": 1}},
        {"request_hashes": ["SHA-1"]},
        {"alternative_names": "some"},
    ],
)
def test_a_profile_that_is_refused(change: dict[str, object]) -> None:
    good = charging_station().model_dump(mode="json")
    assert parse_profile(yaml.safe_dump(good)) == charging_station()

    with pytest.raises(ValidationError):
        parse_profile(yaml.safe_dump({**good, **change}))


@pytest.mark.parametrize(
    ("name", "rule", "is_fit"),
    [
        ("SN-1", NameRule.SERIAL_NUMBER, True),
        ("x" * 64, NameRule.SERIAL_NUMBER, True),
        ("x" * 65, NameRule.SERIAL_NUMBER, False),
        ("", NameRule.SERIAL_NUMBER, False),
        ("a\0b", NameRule.SERIAL_NUMBER, False),
        ("10.0.0.1", NameRule.SERIAL_NUMBER, False),
        ("::1", NameRule.SERIAL_NUMBER, False),
        ("https://cp.example.com", NameRule.SERIAL_NUMBER, False),
        ("csms.example.com", NameRule.HOST_NAME, True),
        ("127.0.0.1", NameRule.HOST_NAME, True),
        ("*.example.com", NameRule.HOST_NAME, False),
        ("a_b.example.com", NameRule.HOST_NAME, False),
    ],
)
def test_which_names_are_fit(name: str, rule: NameRule, is_fit: bool) -> None:
    if is_fit:
        check_common_name(name, rule)
        return
    with pytest.raises(ValueError, match="certificate name"):
        check_common_name(name, rule)


def test_what_is_an_ip_address() -> None:
    assert str(as_ip("::1")) == "::1"
    assert as_ip("SN-1") is None
