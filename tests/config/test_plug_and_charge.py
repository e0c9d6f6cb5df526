"""The section's own shape: defaults, and what isn't taken."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.plug_and_charge import NOBODY, PlugAndCharge

NATIVE: dict[str, Any] = {"native": {}}


def test_defaults() -> None:
    section = PlugAndCharge.model_validate({"providers": {"a": NATIVE}})
    assert section.provider == "a"
    assert (section.timeout, section.requests_per_hour) == (4.0, 60)
    assert (section.certificate_profiles, section.revocation) == ("enforce", "strict")


def test_of_several_none_is_the_only_one() -> None:
    section = PlugAndCharge.model_validate({"providers": {"a": NATIVE, "b": NATIVE}})
    assert (section.provider, "provider" in section.model_fields_set) == (NOBODY, False)


def test_emsps_in_any_case() -> None:
    """A variable of the environment names them in small letters."""
    assert PlugAndCharge.model_validate({"emsps": {"DE8EX": "a", "de8ex": "b"}}).emsps == {"DE8EX": "b"}


@pytest.mark.parametrize(
    "more",
    [
        {"requests_per_hour": 0},
        {"timeout": 0},
        {"certificate_profiles": "ignore"},
        {"revocation": "never"},
        {"emsps": {"DE8EX": 5}},
        {"unknown": True},
        {"providers": {"a": {"natif": {}}}},
    ],
)
def test_what_is_not_taken(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PlugAndCharge.model_validate({"providers": {"a": NATIVE}, **more})


def test_no_providers_at_all() -> None:
    assert PlugAndCharge.model_validate({}).providers == {}
    with pytest.raises(ValidationError):
        PlugAndCharge.model_validate({"providers": []})
