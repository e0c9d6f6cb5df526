"""Get15118EVCertificate in its dialects, as tables."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bridge.plug_and_charge_16 import VENDOR_ID
from gateway.services.ev_certificate_words import (
    RESPONSE_MAX_201,
    EvAnswer,
    EvRequest,
    decode_base64,
    encode_base64,
    exi_of_request,
    reason_code,
    request_of,
    response_of,
    schema_of_request,
    told_station,
)
from gateway.wire.schemas import operation
from gateway.wire.versions import Version
from pki.iso15118.exi import Schema
from pki.iso15118.messages import Action
from pki.iso15118.provisioning import ProvisioningRefused, Refusal
from tests.services.vehicle_desk import ev_request

RESPONSE = operation(Version.V201, "Get15118EVCertificate").response


def test_a_request_of_201() -> None:
    payload = {"iso15118SchemaVersion": Schema.ISO_20.value, "action": "Update", "exiRequest": "gA=="}
    assert request_of(payload, 7500) == EvRequest(Schema.ISO_20.value, Action.UPDATE, "gA==", 7500, VENDOR_ID)
    assert request_of(payload, 5600, "iso15118").vendor_id == "iso15118"


@pytest.mark.parametrize(("version", "schema"), [(each.value, each) for each in (Schema.ISO_2, Schema.ISO_20)])
def test_generations(version: str, schema: Schema) -> None:
    assert schema_of_request(ev_request(b"", schema_version=version)) is schema


def test_a_certificate_in_the_words_of_201() -> None:
    answer = response_of(EvAnswer("A" * RESPONSE_MAX_201, remaining=3))
    RESPONSE.check(answer)
    assert answer == {"status": "Accepted", "exiResponse": "A" * RESPONSE_MAX_201}


@pytest.mark.parametrize("refusal", [*Refusal])
def test_every_refusal_in_the_words_of_201(refusal: Refusal) -> None:
    answer = response_of(EvAnswer("", refusal, "x" * 600))
    RESPONSE.check(answer)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Failed", reason_code(refusal))


def test_no_two_refusals_have_one_code() -> None:
    assert len({reason_code(each) for each in Refusal}) == len(Refusal)


def test_what_a_station_hears() -> None:
    secret = "https://vault.internal:8200 is sealed"
    for refusal in (Refusal.PROVIDER_UNAVAILABLE, Refusal.PROVIDER_ANSWER, Refusal.PROVIDER_REFUSED):
        assert "vault" not in told_station(ProvisioningRefused(refusal, secret))
    assert told_station(ProvisioningRefused(Refusal.CHAIN_UNTRUSTED, "of\x1b[2J nobody")) == "of\\x1b[2J nobody"


@given(st.binary(min_size=1))
def test_octets_there_and_back(octets: bytes) -> None:
    assert decode_base64(encode_base64(octets)) == octets
    if not octets.startswith(b"\x01\xfe\x80"):
        assert exi_of_request(ev_request(octets)) == octets


@given(st.text(st.sampled_from("AQgw=+/ \n-_"), max_size=12))
def test_one_spelling_of_each(text: str) -> None:
    octets = decode_base64(text)
    assert octets is None or base64.b64encode(octets).decode() == text


@pytest.mark.parametrize(
    "octets",
    [
        b"\x01\xfe\x80\x01\0\0\0\x04exi",  # another length
        b"\x01\xfe\x80",
        b"\x01\xfd\x80\x01\0\0\0\x03exi",  # another version
        b"\x80\x98",
    ],
)
def test_what_is_no_header_of_v2gtp(octets: bytes) -> None:
    assert exi_of_request(ev_request(octets)) == octets


def test_a_header_of_v2gtp_alone() -> None:
    assert exi_of_request(ev_request(b"\x01\xfe\x80\x01\0\0\0\0")) == b""
