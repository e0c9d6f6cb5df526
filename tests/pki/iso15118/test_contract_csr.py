"""The CSR of a contract: whole, since sign-verbatim copies it."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from pki.csr import review
from pki.iso15118.contract_csr import contract_request
from pki.iso15118.exi import Schema
from pki.issuing import new_ec_key
from pki.subject import check_copied_whole
from tests.pki.iso15118.provisioning_parts import CURVES, EMAID, MO, profile_of


@pytest.mark.parametrize("schema", [Schema.ISO_2, Schema.ISO_20])
def test_it_says_all_that_is_certified(schema: Schema) -> None:
    key, profile = new_ec_key(CURVES[schema]), profile_of(schema)

    asked = contract_request(key, emaid=EMAID, organization=MO, profile=profile)

    assert asked.csr.subject.rfc4514_string() == f"CN={EMAID},O={MO},DC=MO"
    usage = asked.csr.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.content_commitment, usage.value.key_agreement) == (True,) * 3
    assert not usage.value.key_encipherment
    wanted = hashes.SHA256 if schema is Schema.ISO_2 else hashes.SHA512
    assert isinstance(asked.csr.signature_hash_algorithm, wanted)
    check_copied_whole(asked)
    pem = asked.csr.public_bytes(Encoding.PEM).decode()
    review(pem, common_name=EMAID, organization=MO, profile=profile)


def test_a_subject_key_identifier_of_8_octets_for_20_alone() -> None:
    """RFC 5280 4.2.1.2, method 2: 0100, then the last 60 bits of the SHA-1."""
    key = new_ec_key("P-521")
    asked = contract_request(key, emaid=EMAID, organization=MO, profile=profile_of(Schema.ISO_20))

    short = asked.csr.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    whole = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    assert len(short) == 8
    assert short.hex() == "4" + whole.hex()[-15:]
    asked = contract_request(new_ec_key("P-256"), emaid=EMAID, organization=MO, profile=profile_of(Schema.ISO_2))
    with pytest.raises(x509.ExtensionNotFound):
        asked.csr.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)


@pytest.mark.parametrize("emaid", ["", "DE-8EX-C12345678-A", "DE8EXC1234567", "DE8EXC12345678AB", "DE8EXC1234567 "])
def test_what_is_no_emaid(emaid: str) -> None:
    with pytest.raises(ValueError, match="certificate name"):
        contract_request(new_ec_key("P-256"), emaid=emaid, organization=MO, profile=profile_of(Schema.ISO_2))
