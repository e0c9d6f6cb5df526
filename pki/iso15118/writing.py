"""Messages written as EXI, whole, and in the parts that their signatures are over.

The order of the elements is the schemas'; what doesn't fit into them (a certificate that is too long, a time in a
header of -2) the codec refuses.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pki.iso15118.exi import Element, ExiError, QName, Value
from pki.iso15118.exi.codec import encode_document, encode_fragment
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
    Message,
    Notification,
    Reference,
    RootCertificateId,
    Signature,
    SignedInfo,
    SignedInstallationData,
    schema_of,
)

_DEF: Final = "urn:iso:15118:2:2013:MsgDef"
_HEADER: Final = "urn:iso:15118:2:2013:MsgHeader"
_BODY: Final = "urn:iso:15118:2:2013:MsgBody"
_TYPES: Final = "urn:iso:15118:2:2013:MsgDataTypes"
_MESSAGES_20: Final = "urn:iso:std:iso:15118:-20:CommonMessages"
_TYPES_20: Final = "urn:iso:std:iso:15118:-20:CommonTypes"
_DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"

_Attributes = tuple[tuple[QName, str], ...]
_Message2 = CertificateInstallationReq | CertificateInstallationRes | CertificateUpdateReq | CertificateUpdateRes


def write_message(message: Message) -> bytes:
    """Write a message as an EXI document. Raises :class:`ExiError` where the schema has no room for it."""
    match message:
        case CertificateInstallationReq20():
            document = _installation_req_20(message)
        case CertificateInstallationRes20():
            document = _installation_res_20(message)
        case _:
            document = _node(_DEF, "V2G_Message", _header_2(message.header), _node(_DEF, "Body", _body_2(message)))
    return encode_document(document, schema_of(message))


def signed_parts(message: Message) -> Mapping[str, bytes]:
    """Return what the signature of ``message`` must be over: each part's Id, and its EXI fragment.

    In -2 the body of a request, and four parts of an answer; in -20 the manufacturer's chain and
    SignedInstallationData. Raises :class:`ExiError` for a part without an Id, or with that of another.
    """
    schema = schema_of(message)
    parts: dict[str, bytes] = {}
    for element in _signed_elements(message):
        part_id = next((value for name, value in element.attributes if name.local == "Id"), "")
        if not part_id or part_id in parts:
            raise ExiError(f"{element.name.local}, which is to be signed, has no Id of its own")
        parts[part_id] = encode_fragment(element, schema)
    return parts


def signed_info_element(info: SignedInfo) -> Element:
    """Return a SignedInfo as it stands in a header, and by itself where its signature is made."""
    return _node(
        _DSIG,
        "SignedInfo",
        _method("CanonicalizationMethod", info.canonicalization_method),
        _method("SignatureMethod", info.signature_method),
        *map(_reference, info.references),
    )


def _signed_elements(message: Message) -> tuple[Element, ...]:
    match message:
        case CertificateInstallationRes() | CertificateUpdateRes():
            return _contract_data(message.contract)
        case CertificateInstallationReq20():
            return (_oem_chain(message.oem_chain),)
        case CertificateInstallationRes20():
            return (_installation_data(message.installation_data),)
        case _:
            return (_body_2(message),)


# --- -2 --------------------------------------------------------------------------------------------------------------


def _header_2(header: Header) -> Element:
    if header.timestamp is not None:
        raise ExiError("a header of ISO 15118-2 has no TimeStamp")
    children = [_leaf(_HEADER, "SessionID", header.session_id)]
    if header.notification is not None:
        children.append(_notification(header.notification))
    return _node(_DEF, "Header", *children, *_signature(header.signature))


def _notification(notification: Notification) -> Element:
    children = [_leaf(_TYPES, "FaultCode", notification.fault_code)]
    if notification.fault_message is not None:
        children.append(_leaf(_TYPES, "FaultMsg", notification.fault_message))
    return _node(_HEADER, "Notification", *children)


def _body_2(message: _Message2) -> Element:
    match message:
        case CertificateInstallationReq():
            return _node(
                _BODY,
                "CertificateInstallationReq",
                _leaf(_BODY, "OEMProvisioningCert", message.oem_provisioning_certificate),
                _root_certificate_ids(message.root_certificate_ids, _BODY, _TYPES),
                attributes=_id(_BODY, message.id),
            )
        case CertificateUpdateReq():
            return _node(
                _BODY,
                "CertificateUpdateReq",
                _chain_2("ContractSignatureCertChain", message.contract_chain),
                _leaf(_BODY, "eMAID", message.emaid),
                _root_certificate_ids(message.root_certificate_ids, _BODY, _TYPES),
                attributes=_id(_BODY, message.id),
            )
        case CertificateInstallationRes():
            return _node(_BODY, "CertificateInstallationRes", *_answer_2(message))
        case CertificateUpdateRes():
            return _node(_BODY, "CertificateUpdateRes", *_answer_2(message), *_retry_counter(message.retry_counter))


def _answer_2(message: CertificateInstallationRes | CertificateUpdateRes) -> tuple[Element, ...]:
    return (
        _leaf(_BODY, "ResponseCode", message.response_code),
        _chain_2("SAProvisioningCertificateChain", message.cps_chain),
        *_contract_data(message.contract),
    )


def _contract_data(contract: ContractData) -> tuple[Element, ...]:
    key, key_id = contract.encrypted_private_key, _id(_TYPES, contract.encrypted_private_key_id)
    return (
        _chain_2("ContractSignatureCertChain", contract.chain),
        _leaf(_BODY, "ContractSignatureEncryptedPrivateKey", key, key_id),
        _leaf(_BODY, "DHpublickey", contract.dh_public_key, _id(_TYPES, contract.dh_public_key_id)),
        _leaf(_BODY, "eMAID", contract.emaid, _id(_TYPES, contract.emaid_id)),
    )


def _retry_counter(days: int | None) -> tuple[Element, ...]:
    return () if days is None else (_leaf(_BODY, "RetryCounter", days),)


def _chain_2(name: str, chain: CertificateChain) -> Element:
    return _node(_BODY, name, *_certificates(chain, _TYPES), attributes=_id(_TYPES, chain.id))


# --- -20 -------------------------------------------------------------------------------------------------------------


def _header_20(header: Header) -> Element:
    if header.timestamp is None or header.notification is not None:
        raise ExiError("a header of ISO 15118-20 has a TimeStamp, and no Notification")
    return _node(
        _TYPES_20,
        "Header",
        _leaf(_TYPES_20, "SessionID", header.session_id),
        _leaf(_TYPES_20, "TimeStamp", header.timestamp),
        *_signature(header.signature),
    )


def _installation_req_20(message: CertificateInstallationReq20) -> Element:
    emaids = [_leaf(_MESSAGES_20, "EMAID", emaid) for emaid in message.prioritized_emaids]
    return _node(
        _MESSAGES_20,
        "CertificateInstallationReq",
        _header_20(message.header),
        _oem_chain(message.oem_chain),
        _root_certificate_ids(message.root_certificate_ids, _MESSAGES_20, _TYPES_20),
        _leaf(_MESSAGES_20, "MaximumContractCertificateChains", message.maximum_contract_certificate_chains),
        *([_node(_MESSAGES_20, "PrioritizedEMAIDs", *emaids)] if emaids else []),
    )


def _installation_res_20(message: CertificateInstallationRes20) -> Element:
    return _node(
        _MESSAGES_20,
        "CertificateInstallationRes",
        _header_20(message.header),
        _leaf(_TYPES_20, "ResponseCode", message.response_code),
        _leaf(_MESSAGES_20, "EVSEProcessing", message.evse_processing),
        _chain_20("CPSCertificateChain", message.cps_chain),
        _installation_data(message.installation_data),
        _leaf(_MESSAGES_20, "RemainingContractCertificateChains", message.remaining_contract_certificate_chains),
    )


def _oem_chain(chain: CertificateChain) -> Element:
    return _chain_20("OEMProvisioningCertificateChain", chain)


def _installation_data(data: SignedInstallationData) -> Element:
    return _node(
        _MESSAGES_20,
        "SignedInstallationData",
        _chain_20("ContractCertificateChain", data.contract_chain),
        _leaf(_MESSAGES_20, "ECDHCurve", data.ecdh_curve),
        _leaf(_MESSAGES_20, "DHPublicKey", data.dh_public_key),
        _leaf(_MESSAGES_20, data.key_wrapping.value, data.encrypted_private_key),
        attributes=_id(_MESSAGES_20, data.id),
    )


def _chain_20(name: str, chain: CertificateChain) -> Element:
    return _node(_MESSAGES_20, name, *_certificates(chain, _MESSAGES_20), attributes=_id(_MESSAGES_20, chain.id))


# --- in both ---------------------------------------------------------------------------------------------------------


def _certificates(chain: CertificateChain, namespace: str) -> Iterator[Element]:
    yield _leaf(namespace, "Certificate", chain.certificate)
    if chain.sub_certificates:
        subs = (_leaf(namespace, "Certificate", each) for each in chain.sub_certificates)
        yield _node(namespace, "SubCertificates", *subs)


def _root_certificate_ids(roots: tuple[RootCertificateId, ...], namespace: str, types: str) -> Element:
    return _node(namespace, "ListOfRootCertificateIDs", *(_root_certificate_id(root, types) for root in roots))


def _root_certificate_id(root: RootCertificateId, types: str) -> Element:
    return _node(
        types,
        "RootCertificateID",
        _leaf(_DSIG, "X509IssuerName", root.issuer_name),
        _leaf(_DSIG, "X509SerialNumber", root.serial_number),
    )


def _signature(signature: Signature | None) -> Iterator[Element]:
    if signature is None:
        return
    if signature.extras:
        raise ExiError(f"a signature with {signature.extras[0]} isn't written")
    value = _leaf(_DSIG, "SignatureValue", signature.value)
    yield _node(_DSIG, "Signature", signed_info_element(signature.signed_info), value, attributes=_id("", signature.id))


def _reference(reference: Reference) -> Element:
    transforms = [_method("Transform", each) for each in reference.transforms]
    return _node(
        _DSIG,
        "Reference",
        *([_node(_DSIG, "Transforms", *transforms)] if transforms else []),
        _method("DigestMethod", reference.digest_method),
        _leaf(_DSIG, "DigestValue", reference.digest),
        attributes=(*_id("", reference.id), (QName("", "URI"), reference.uri)),
    )


def _method(name: str, algorithm: str) -> Element:
    return _node(_DSIG, name, attributes=((QName("", "Algorithm"), algorithm),))


# --- elements --------------------------------------------------------------------------------------------------------


def _node(namespace: str, name: str, *children: Element, attributes: _Attributes = ()) -> Element:
    return Element(QName(namespace, name), children, None, attributes)


def _leaf(namespace: str, name: str, value: Value, attributes: _Attributes = ()) -> Element:
    return Element(QName(namespace, name), (), value, attributes)


def _id(namespace: str, value: str | None) -> _Attributes:
    return () if value is None else ((QName(namespace, "Id"), value),)
