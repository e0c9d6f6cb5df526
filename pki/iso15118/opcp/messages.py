"""What OPCP says, with no I/O: requests written, answers read, each bounded and strict (OPCP 1.0.0 ccp.v1, cps.v1).

The texts of what is raised say which member of the JSON is wrong; they hold nothing of the peer's.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pki.iso15118.exi import Schema
from pki.iso15118.identifiers import Emaid
from pki.iso15118.messages import CertificateInstallationRes, CertificateInstallationRes20
from pki.iso15118.provisioning import ProvisioningRefused, Refusal

OFFERS_MAX: Final = 32
"""Contracts of one vehicle in one answer."""
EXI_MAX: Final = 12_750
"""Octets of one message: what 17 000 characters of base64 hold, OCPP 2.1's longest exiResponse."""
SIGNED_MAX: Final = 48 * 1024
"""Octets of what a CPS gives, which is XML."""

_NO_CONTRACT: Final = ("NoCertificateAvailable", "NoContractMatchingPCIDFound", "ContractCanceled")
"""What response codes say of it, in -2 and -20."""

Json = Mapping[str, Any]


class Malformed(ValueError):
    """An answer that isn't what OPCP says."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One message for the vehicle (``messageDef``)."""

    exi: bytes
    """A response, as the provider keeps it: under any SessionID, and it may be a refusal."""
    emaid: Emaid | None
    """As the provider says, who needn't."""


def contract_request(exi: bytes, schema: Schema) -> dict[str, str]:
    """Return the body of POST /v1/ccp/signedContractData."""
    return {"certificateInstallationReq": to_base64(exi), "xsdMsgDefNamespace": schema.value}


def read_offers(answer: Json) -> tuple[Offer, ...]:
    """Read the answer to it; OPCP 1.0.0 gives one for ISO 15118-2, the default contract. Raises Malformed."""
    content = _member(_member(answer, "CCPResponse", dict), "emaidContent", list)
    if not 0 < len(content) <= OFFERS_MAX:
        raise Malformed(f"emaidContent has {len(content)} messages, 1 to {OFFERS_MAX} are taken")
    return tuple(_offer(each) for each in content)


def signing_request(
    chain: Sequence[bytes], encrypted_private_key: bytes, dh_public_key: bytes, *, v2g_root: str | None
) -> dict[str, Any]:
    """Return the body of PUT /v1/cps/contractData/signed for ISO 15118-2.

    ``chain`` is DER, leaf first, one or two CAs behind it and no root; raises ValueError for another length. There is
    no ``pcid`` in it: with one, the provider would keep what it signed in its pool for anybody's CSMS.
    """
    leaf, *issuers = chain
    if not 1 <= len(issuers) <= 2:
        raise ValueError(f"a contract's chain has one or two CAs below its root, and not {len(issuers)} (OPCP cps.v1)")
    names = ["contractSubCa2Certificate", "contractSubCa1Certificate"][-len(issuers) :]
    data = {
        "contractCertificate": to_base64(leaf),
        **{name: to_base64(der) for name, der in zip(names, issuers, strict=True)},
        "contractSignatureEncryptedPrivateKey": to_base64(encrypted_private_key),
        "dHpublickey": to_base64(dh_public_key),
    }
    body: dict[str, Any] = {"contractData": data, "xsdMsgDefNamespace": Schema.ISO_2.value}
    return body if v2g_root is None else body | {"cpsV2GRootCertificateFingerprint": v2g_root}


def read_signed(answer: Json) -> bytes:
    """Read the answer to it: a CertificateInstallationRes in XML. Raises Malformed."""
    namespace = answer.get("xsdMsgDefNamespace", Schema.ISO_2.value)
    if namespace != Schema.ISO_2.value:
        raise Malformed("xsdMsgDefNamespace is another than was asked for")
    return _octets(answer, "signedData", SIGNED_MAX)


def check_success(message: CertificateInstallationRes | CertificateInstallationRes20) -> None:
    """Return when the response code is one of success. Raises ProvisioningRefused."""
    code = message.response_code
    if code.startswith("OK"):
        return
    refusal = Refusal.NO_CONTRACT if any(each in code for each in _NO_CONTRACT) else Refusal.PROVIDER_REFUSED
    raise ProvisioningRefused(refusal, f"the provider answers the vehicle with {code}")


def to_base64(octets: bytes) -> str:
    """Return them as OPCP has them in JSON."""
    return base64.b64encode(octets).decode()


def _offer(item: Any) -> Offer:
    message = _member(item if isinstance(item, dict) else {}, "messageDef", dict)
    emaid = None
    if message.get("emaid") is not None:
        try:
            emaid = Emaid.of_peer(_member(message, "emaid", str))
        except ValueError:
            raise Malformed("emaid isn't an eMAID") from None
    return Offer(_octets(message, "certificateInstallationRes", EXI_MAX), emaid)


def _member(holder: Json, name: str, kind: type) -> Any:
    value = holder.get(name)
    if not isinstance(value, kind):
        raise Malformed(f"{name} is missing, or isn't of its type")
    return value


def _octets(holder: Json, name: str, size_max: int) -> bytes:
    text = _member(holder, name, str)
    if len(text) > 4 * ((size_max + 2) // 3):
        raise Malformed(f"{name} has more than {size_max} octets")
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{name} isn't base64") from None
    if not octets:
        raise Malformed(f"{name} is empty")
    return octets
