"""What a station is answered about a contract: certificateStatus and token status, in the pairs of C07.FR.13 to 17."""

from collections.abc import Mapping
from typing import Final

from gateway.bridge.books import Json
from pki.iso15118.contract_status import Fault

NO_PROOF: Final = "NoCertificateAvailable"
"""An eMAID with neither certificate nor hash data."""
CANCELLED: Final = frozenset({"Blocked", "Expired", "Invalid", "Unknown"})
"""Statuses of a token under which its contract is over (C07.FR.13)."""

_OF_FAULT: Final = {Fault.EXPIRED: "CertificateExpired", Fault.REVOKED: "CertificateRevoked"}
"""C07.FR.15, FR.16; everything else can't be verified: CertChainError (FR.17)."""
_TOKEN_STATUS: Final = {"CertificateExpired": "Expired"}
"""The token's status beside that of a certificate that isn't good; Invalid for the others."""
_GOOD: Final = frozenset({"Accepted", "ContractCancelled"})
_STATUSES_16: Final[Mapping[str, str]] = {
    "Unknown": "Invalid",
    "NoCredit": "Blocked",
    "NotAllowedTypeEVSE": "Blocked",
    "NotAtThisLocation": "Blocked",
    "NotAtThisTime": "Blocked",
}
"""What 1.6 has no word for -> the nearest that it has."""


def refused(certificate_status: str) -> Json:
    """Return the AuthorizeResponse for a certificate that isn't good."""
    status = _TOKEN_STATUS.get(certificate_status, "Invalid")
    return {"idTokenInfo": {"status": status}, "certificateStatus": certificate_status}


def refused_for(fault: Fault) -> Json:
    """Return the same for what was found (C07.FR.15 to FR.17)."""
    return refused(_OF_FAULT.get(fault, "CertChainError"))


def paired(answer: Json) -> Json:
    """Return a backend's AuthorizeResponse about a contract whose certificate is good here (C07.FR.13, FR.14).

    What the backend itself finds wrong with the certificate stands, and nothing is authorized beside it.
    """
    theirs = answer.get("certificateStatus", "Accepted")
    if theirs not in _GOOD:
        return refused(theirs)
    is_cancelled = answer["idTokenInfo"]["status"] in CANCELLED
    return {**answer, "certificateStatus": "ContractCancelled" if is_cancelled else "Accepted"}


def of_id_tag_info(info: Json) -> Json:
    """Return the AuthorizeResponse for the IdTagInfo of a 1.6 backend."""
    expiry = {"cacheExpiryDateTime": info["expiryDate"]} if "expiryDate" in info else {}
    return {"idTokenInfo": {"status": info["status"], **expiry}}


def for_the_note(answer: Json) -> Json:
    """Return an AuthorizeResponse as a 1.6 station hears it by the note: the five statuses of 1.6, and fewer fields."""
    info = answer["idTokenInfo"]
    expiry = {name: info[name] for name in ("cacheExpiryDateTime",) if name in info}
    status = _STATUSES_16.get(info["status"], info["status"])
    fields: Json = {"idTokenInfo": {"status": status, **expiry}}
    return {**fields, **{name: answer[name] for name in ("certificateStatus",) if name in answer}}
