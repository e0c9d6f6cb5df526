"""The versions and the subprotocol names that IANA has registered for them."""

import pytest

from gateway.wire.versions import Version


@pytest.mark.parametrize(("version", "subprotocol"), [(Version.V16, "ocpp1.6"), (Version.V201, "ocpp2.0.1")])
def test_the_subprotocol_of_a_version(version: Version, subprotocol: str) -> None:
    assert version.subprotocol == subprotocol
    assert Version(subprotocol) is version


@pytest.mark.parametrize("name", ["OCPP1.6", "ocpp1.6 ", "ocpp2.0", "ocpp2.1", "ocpp1.6,ocpp2.0.1", ""])
def test_no_other_name_is_a_version(name: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Version"):
        Version(name)
