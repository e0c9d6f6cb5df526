"""What pkilint (RFC 5280, RFC 6960 and the algorithms' own RFCs) says of certificates, CRLs and OCSP responses."""

import functools
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import loader, pkix
from pkilint.pkix import certificate, crl, extension, name, ocsp
from pkilint.validation import ValidationFindingSeverity

LIFTED: Final = {
    "ERROR pkix.name_domain_components_invalid_domain_name": "ISO 15118-2 [V2G2-925] wants DC=CPO, OEM or MO, alone",
}
"""Finding -> why it stands."""
DECODERS: Final = (name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS)


def of_certificate(found: x509.Certificate) -> list[str]:
    """Return its findings, worst first: ``ERROR pkix.some_code``."""
    document = loader.load_certificate(found.public_bytes(Encoding.DER), "certificate")
    return _findings(_certificates().validate(document.root))


def of_crl(found: x509.CertificateRevocationList) -> list[str]:
    """As above."""
    document = loader.load_crl(found.public_bytes(Encoding.DER), "CRL")
    return _findings(_crls().validate(document.root))


def of_ocsp_response(der: bytes) -> list[str]:
    """As above. We issue none ourselves: what a responder gave."""
    document = loader.load_ocsp_response(der, "OCSP response")
    return _findings(_ocsp_responses().validate(document.root))


def errors(findings: list[str]) -> list[str]:
    """Return those that break a rule which nobody has lifted."""
    return [each for each in findings if each.startswith(("ERROR", "FATAL")) and each not in LIFTED]


def _findings(results: Any) -> list[str]:
    found = [described.finding for result in results for described in result.finding_descriptions]
    found.sort(key=lambda finding: (finding.severity, finding.code))
    return [f"{ValidationFindingSeverity(finding.severity).name} {finding.code}" for finding in found]


@functools.cache
def _certificates() -> Any:
    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(*DECODERS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )


@functools.cache
def _crls() -> Any:
    return crl.create_pkix_crl_validator_container(
        [pkix.create_attribute_decoder(DECODERS[0]), pkix.create_extension_decoder(DECODERS[1])],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )


@functools.cache
def _ocsp_responses() -> Any:
    return ocsp.create_pkix_ocsp_response_validator_container(
        [
            ocsp.create_response_decoder(),
            pkix.create_attribute_decoder(DECODERS[0]),
            pkix.create_extension_decoder(DECODERS[1]),
        ],
        [],
    )
