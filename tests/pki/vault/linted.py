"""pkilint's findings (RFC 5280), those that are errors."""

from typing import Any

from pkilint import loader, pkix
from pkilint.pkix import certificate, crl, extension, name
from pkilint.validation import ValidationFindingSeverity

_CERTIFICATE = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)
_CRL = crl.create_pkix_crl_validator_container(
    [
        pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
        pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
    ],
    [
        crl.create_issuer_validator_container([]),
        crl.create_validity_validator_container([]),
        crl.create_extensions_validator_container([]),
    ],
)


def certificate_errors(pem: str) -> list[str]:
    return _errors(_CERTIFICATE, loader.RFC5280CertificateDocumentLoader().load_pem_document(pem, "it"))


def crl_errors(pem: str) -> list[str]:
    return _errors(_CRL, loader.RFC5280CertificateListDocumentLoader().load_pem_document(pem, "it"))


def _errors(validator: Any, document: Any) -> list[str]:
    findings = [each for result in validator.validate(document.root) for each in result.finding_descriptions]
    return [
        f"{each.finding.code}: {each.message}"
        for each in findings
        if each.finding.severity <= ValidationFindingSeverity.ERROR
    ]
