"""Certificate profiles: the bundled ones, and what a profile can't be."""

import importlib.resources
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pki.profiles import (
    NameRule,
    Range,
    as_ip,
    charging_station,
    check_common_name,
    csms_server,
    format_duration,
    load_profile,
    parse_duration,
    parse_profile,
    secc,
    with_lifetime,
)


def test_the_profile_of_stations() -> None:
    profile = charging_station()

    assert profile.name == "charging_station"
    assert profile.subject.common_name is NameRule.SERIAL_NUMBER
    assert profile.keys.curves == ("P-256", "P-384", "P-521")
    assert profile.keys.rsa_bits == Range(minimum=2048, maximum=4096)
    assert profile.key_usage.ec == ("digital_signature", "key_agreement")
    assert profile.alternative_names == "none"
    assert (profile.validity.lifetime.days, profile.validity.backdate.total_seconds()) == (365, 3600)
    assert (profile.request_size_max, profile.chain_size_max) == (5500, 10_000)
    assert load_profile("charging_station") is profile


def test_the_profile_of_the_gateways_own_certificates() -> None:
    profile = csms_server()

    assert (profile.subject.common_name, profile.alternative_names) == (NameRule.HOST_NAME, "required")
    assert profile.key_usage.rsa == ("digital_signature", "key_encipherment")
    # A00.FR.701: what is valid for less than a day needs no revocation.
    assert profile.validity.lifetime + profile.validity.backdate < timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "rule", "component", "curves", "days", "size"),
    [
        ("secc", NameRule.SECC_ID, "CPO", ("P-256",), range(60, 93), 800),
        ("secc_20", NameRule.SECC_ID, "CPO", ("P-521",), range(60, 93), 1600),
        ("contract", NameRule.EMAID, "MO", ("P-256",), range(1, 731), 800),
        ("contract_20", NameRule.EMAID, "MO", ("P-521",), range(1, 731), 1600),
        ("oem_provisioning", NameRule.PCID, "OEM", ("P-256",), range(1, 3651), 800),
    ],
)
def test_the_profiles_of_iso_15118(
    name: str, rule: NameRule, component: str, curves: tuple[str, ...], days: range, size: int
) -> None:
    profile = load_profile(name)

    assert (profile.name, profile.subject.common_name, profile.subject.domain_component) == (name, rule, component)
    assert (profile.keys.curves, profile.keys.kinds) == (curves, ("ec",))
    assert set(profile.key_usage.required) == {"digital_signature", "key_agreement"}
    assert profile.validity.lifetime.days in days
    assert (profile.certificate_size_max, profile.alternative_names) == (size, "none")
    assert profile.chain_length_max is not None
    assert profile.short_key_identifier is (name == "contract_20")
    assert profile.ca_curves == (curves if name.startswith("contract") else ())


def test_every_bundled_profile_is_named_as_its_file() -> None:
    for file in importlib.resources.files("certs").joinpath("profiles").iterdir():
        assert load_profile(file.name.removesuffix(".yaml")).name == file.name.removesuffix(".yaml")
    assert secc().name == "secc"
    assert load_profile("firmware_signing").subject.organization == "manufacturer"


def test_another_lifetime() -> None:
    profile = charging_station()
    short = with_lifetime(profile, timedelta(hours=36))

    assert (short.validity.lifetime, short.validity.backdate) == (timedelta(hours=36), timedelta(hours=1))
    assert short.keys is profile.keys
    assert with_lifetime(profile, None) is profile
    with pytest.raises(ValueError, match="longer than nothing"):
        with_lifetime(profile, timedelta(0))


@given(st.integers(0, 999_999), st.sampled_from("mhd"))
def test_durations_are_read_as_they_are_written(count: int, unit: str) -> None:
    duration = parse_duration(f"{count}{unit}")

    assert parse_duration(format_duration(duration)) == duration
    assert parse_duration(duration) is duration


@pytest.mark.parametrize("text", ["", "1", "d", "01d", "1.5h", "-1d", "1d ", "1w", "1000000m", 3600, None])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="must be a number of minutes"):
        parse_duration(text)


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
        {"keys": {"curves": []}},
        {"validity": {"lifetime": "0d", "backdate": "1m"}},
        {"validity": {"lifetime": "365", "backdate": "1m"}},
        {"validity": {"lifetime": "365d", "backdate": "1m", "days": 3}},
        {"key_usage": {"ec": [], "rsa": ["digital_signature"], "required": []}},
        {"key_usage": {"ec": ["key_agreement"], "rsa": ["digital_signature"], "required": ["digital_signature"]}},
        {"subject": {"common_name": "serial_number", "organization": "somebody"}},
        {"subject": {"common_name": "nick_name", "organization": "operator"}},
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
        ("DE*ABC*E1234", NameRule.SECC_ID, True),
        ("10.0.0.1", NameRule.SECC_ID, False),
        ("DEABCC123ABC56", NameRule.EMAID, True),
        ("DEABCC123ABC56X", NameRule.EMAID, True),
        ("DE-ABC-C123ABC56", NameRule.EMAID, False),
        ("WVWZZZ1KZAW000123", NameRule.PCID, True),
        ("WVWZZZ1KZAW0001234X", NameRule.PCID, False),
        ("Example Maker firmware 7", NameRule.TEXT, True),
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
