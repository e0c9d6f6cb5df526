"""EXI read into messages (ISO 15118-2 8.4.3, ISO 15118-20 8.3.4).

The codec lets through what the schemas allow, in their order; here it gets the names of :mod:`pki.iso15118.messages`.
That a message can be read says nothing about who made it: :mod:`pki.iso15118.signature`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pki.iso15118.exi import Element, ExiError, Schema
from pki.iso15118.exi.codec import decode_document
from pki.iso15118.messages import (
    CertificateChain,
    CertificateInstallationReq,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ContractData,
    Header,
    KeyWrapping,
    Message,
    Notification,
    Reference,
    RootCertificateId,
    Signature,
    SignedInfo,
    SignedInstallationData,
)

_SIGNATURE_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Signature": ("SignedInfo", "SignatureValue"),
    "SignedInfo": ("CanonicalizationMethod", "SignatureMethod", "Reference"),
    "Reference": ("Transforms", "DigestMethod", "DigestValue"),
    "Transforms": ("Transform",),
}
_SIGNATURE_ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "Signature": ("Id",),
    "CanonicalizationMethod": ("Algorithm",),
    "SignatureMethod": ("Algorithm",),
    "Reference": ("Id", "URI"),
    "Transform": ("Algorithm",),
    "DigestMethod": ("Algorithm",),
}
_SIGNATURE_VALUES: Final = ("DigestValue", "SignatureValue")


def read_message(exi: bytes, schema: Schema) -> Message:
    """Read one of the six messages from an EXI document of ``schema``.

    Raises :class:`ExiError`: not EXI of the schema, not canonical, or another message, which the text names.
    """
    root = decode_document(exi, schema)
    if root.name.local == "V2G_Message":
        header = _header(_child(root, "Header"))
        content = next(iter(_child(root, "Body").children), None)
        if content is None:
            raise ExiError("the Body of the V2G_Message is empty")
        read_2 = _READERS_2.get(content.name.local)
        if read_2 is not None:
            return read_2(content, header)
    else:
        content = root
        read_20 = _READERS_20.get(root.name.local) if schema is Schema.ISO_20 else None
        if read_20 is not None:
            return read_20(root)
    raise ExiError(f"a {content.name.local} isn't a message about contract certificates")


def _header(element: Element) -> Header:
    notification, signature = _find(element, "Notification"), _find(element, "Signature")
    timestamp = _find(element, "TimeStamp")
    return Header(
        session_id=_octets(_child(element, "SessionID")),
        signature=None if signature is None else _signature(signature),
        notification=None if notification is None else _notification(notification),
        timestamp=None if timestamp is None else _number(timestamp),
    )


def _notification(element: Element) -> Notification:
    message = _find(element, "FaultMsg")
    return Notification(_text(_child(element, "FaultCode")), None if message is None else _text(message))


# --- -2 --------------------------------------------------------------------------------------------------------------


def _installation_req(body: Element, header: Header) -> CertificateInstallationReq:
    return CertificateInstallationReq(
        header=header,
        id=_needed_id(body),
        oem_provisioning_certificate=_octets(_child(body, "OEMProvisioningCert")),
        root_certificate_ids=_root_certificate_ids(body),
    )


def _update_req(body: Element, header: Header) -> CertificateUpdateReq:
    return CertificateUpdateReq(
        header=header,
        id=_needed_id(body),
        contract_chain=_chain(_child(body, "ContractSignatureCertChain")),
        emaid=_text(_child(body, "eMAID")),
        root_certificate_ids=_root_certificate_ids(body),
    )


def _installation_res(body: Element, header: Header) -> CertificateInstallationRes:
    return CertificateInstallationRes(
        header=header,
        response_code=_text(_child(body, "ResponseCode")),
        cps_chain=_chain(_child(body, "SAProvisioningCertificateChain")),
        contract=_contract_data(body),
    )


def _update_res(body: Element, header: Header) -> CertificateUpdateRes:
    retry_counter = _find(body, "RetryCounter")
    return CertificateUpdateRes(
        header=header,
        response_code=_text(_child(body, "ResponseCode")),
        cps_chain=_chain(_child(body, "SAProvisioningCertificateChain")),
        contract=_contract_data(body),
        retry_counter=None if retry_counter is None else _number(retry_counter),
    )


def _contract_data(body: Element) -> ContractData:
    encrypted = _child(body, "ContractSignatureEncryptedPrivateKey")
    public, emaid = _child(body, "DHpublickey"), _child(body, "eMAID")
    return ContractData(
        chain=_chain(_child(body, "ContractSignatureCertChain")),
        encrypted_private_key=_octets(encrypted),
        encrypted_private_key_id=_needed_id(encrypted),
        dh_public_key=_octets(public),
        dh_public_key_id=_needed_id(public),
        emaid=_text(emaid),
        emaid_id=_needed_id(emaid),
    )


_READERS_2: Final[Mapping[str, Callable[[Element, Header], Message]]] = {
    "CertificateInstallationReq": _installation_req,
    "CertificateInstallationRes": _installation_res,
    "CertificateUpdateReq": _update_req,
    "CertificateUpdateRes": _update_res,
}

# --- -20 -------------------------------------------------------------------------------------------------------------


def _installation_req_20(root: Element) -> CertificateInstallationReq20:
    prioritized = _find(root, "PrioritizedEMAIDs")
    return CertificateInstallationReq20(
        header=_header(_child(root, "Header")),
        oem_chain=_chain(_child(root, "OEMProvisioningCertificateChain")),
        root_certificate_ids=_root_certificate_ids(root),
        maximum_contract_certificate_chains=_number(_child(root, "MaximumContractCertificateChains")),
        prioritized_emaids=() if prioritized is None else tuple(_text(each) for each in prioritized.children),
    )


def _installation_res_20(root: Element) -> CertificateInstallationRes20:
    return CertificateInstallationRes20(
        header=_header(_child(root, "Header")),
        response_code=_text(_child(root, "ResponseCode")),
        evse_processing=_text(_child(root, "EVSEProcessing")),
        cps_chain=_chain(_child(root, "CPSCertificateChain")),
        installation_data=_installation_data(_child(root, "SignedInstallationData")),
        remaining_contract_certificate_chains=_number(_child(root, "RemainingContractCertificateChains")),
    )


def _installation_data(element: Element) -> SignedInstallationData:
    encrypted = element.children[-1]
    return SignedInstallationData(
        id=_needed_id(element),
        contract_chain=_chain(_child(element, "ContractCertificateChain")),
        ecdh_curve=_text(_child(element, "ECDHCurve")),
        dh_public_key=_octets(_child(element, "DHPublicKey")),
        key_wrapping=KeyWrapping(encrypted.name.local),
        encrypted_private_key=_octets(encrypted),
    )


_READERS_20: Final[Mapping[str, Callable[[Element], Message]]] = {
    "CertificateInstallationReq": _installation_req_20,
    "CertificateInstallationRes": _installation_res_20,
}

# --- in both ---------------------------------------------------------------------------------------------------------


def _chain(element: Element) -> CertificateChain:
    subs = _find(element, "SubCertificates")
    return CertificateChain(
        certificate=_octets(_child(element, "Certificate")),
        sub_certificates=() if subs is None else tuple(_octets(each) for each in subs.children),
        id=_attribute(element, "Id"),
    )


def _root_certificate_ids(element: Element) -> tuple[RootCertificateId, ...]:
    return tuple(
        RootCertificateId(_text(_child(each, "X509IssuerName")), _number(_child(each, "X509SerialNumber")))
        for each in _child(element, "ListOfRootCertificateIDs").children
    )


def _signature(element: Element) -> Signature:
    info = _child(element, "SignedInfo")
    return Signature(
        signed_info=SignedInfo(
            canonicalization_method=_algorithm(_child(info, "CanonicalizationMethod")),
            signature_method=_algorithm(_child(info, "SignatureMethod")),
            references=tuple(_reference(each) for each in info.children if each.name.local == "Reference"),
        ),
        value=_octets(_child(element, "SignatureValue")),
        id=_attribute(element, "Id"),
        extras=tuple(sorted(set(_extras(element)))),
    )


def _reference(element: Element) -> Reference:
    transforms = _find(element, "Transforms")
    return Reference(
        uri=_attribute(element, "URI") or "",
        digest=_octets(_child(element, "DigestValue")),
        digest_method=_algorithm(_child(element, "DigestMethod")),
        transforms=() if transforms is None else tuple(_algorithm(each) for each in transforms.children),
        id=_attribute(element, "Id"),
    )


def _extras(element: Element) -> Iterator[str]:
    """Yield what of a Signature has no place in :class:`Signature`."""
    name = element.name.local
    for attribute, _ in element.attributes:
        if attribute.local not in _SIGNATURE_ATTRIBUTES.get(name, ()):
            yield f"{attribute.local} of {name}"
    if name == "Reference" and _attribute(element, "URI") is None:
        yield "Reference without URI"
    if element.value is not None and name not in _SIGNATURE_VALUES:
        yield f"text in {name}"
    for child in element.children:
        if child.name.local in _SIGNATURE_PARTS.get(name, ()):
            yield from _extras(child)
        else:
            yield f"{child.name.local} in {name}"


def _algorithm(element: Element) -> str:
    algorithm = _attribute(element, "Algorithm")
    if algorithm is None:
        raise ExiError(f"{element.name.local} has no Algorithm")
    return algorithm


def _needed_id(element: Element) -> str:
    found = _attribute(element, "Id")
    if found is None:
        raise ExiError(f"{element.name.local} has no Id")
    return found


# --- elements --------------------------------------------------------------------------------------------------------


def _find(element: Element, name: str) -> Element | None:
    return next((child for child in element.children if child.name.local == name), None)


def _child(element: Element, name: str) -> Element:
    child = _find(element, name)
    if child is None:
        raise ExiError(f"{element.name.local} has no {name}")
    return child


def _attribute(element: Element, name: str) -> str | None:
    return next((value for attribute, value in element.attributes if attribute.local == name), None)


def _text(element: Element) -> str:
    if not isinstance(element.value, str):
        raise ExiError(f"{element.name.local} isn't text")
    return element.value


def _octets(element: Element) -> bytes:
    if not isinstance(element.value, bytes):
        raise ExiError(f"{element.name.local} isn't octets")
    return element.value


def _number(element: Element) -> int:
    if not isinstance(element.value, int):
        raise ExiError(f"{element.name.local} isn't a number")
    return element.value
