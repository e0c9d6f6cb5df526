"""Answers that say no: what a vehicle is told, in its own words, when it gets no certificate.

They aren't signed, and hold nothing: elements that the schemas want are there, with zeros in them.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from pki.clock import utc_now
from pki.iso15118.exi import ExiError, Schema
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
    Request,
    Response,
    SignedInstallationData,
)
from pki.iso15118.provisioning import Refusal
from pki.iso15118.reading import read_message
from pki.iso15118.writing import write_message

_NO_CERTIFICATE: Final = "FAILED_NoCertificateAvailable"
_NOBODYS_EMAID: Final = "XX000000000000"
"""Of a country that there isn't; the schema wants 14 characters."""
_DH_KEY_SIZE_20: Final = 133
_ENCRYPTED_KEY_SIZE_20: Final = 94
"""Octets that the schema of -20 wants."""

_CODES_2: Final[Mapping[Refusal, str]] = {
    Refusal.TOO_LARGE: "FAILED",
    Refusal.MALFORMED: "FAILED",
    Refusal.SIGNATURE_PROFILE: "FAILED_SignatureError",
    Refusal.DIGEST_MISMATCH: "FAILED_SignatureError",
    Refusal.SIGNATURE_INVALID: "FAILED_SignatureError",
    Refusal.CHAIN_UNTRUSTED: "FAILED_CertChainError",
    Refusal.CERTIFICATE_EXPIRED: "FAILED_CertificateExpired",
    Refusal.CERTIFICATE_NOT_YET_VALID: "FAILED_CertChainError",
    Refusal.CERTIFICATE_REVOKED: "FAILED_CertificateRevoked",
    Refusal.CERTIFICATE_PROFILE: "FAILED",
    Refusal.REPLAYED: "FAILED",
    Refusal.RATE_LIMIT: _NO_CERTIFICATE,
    Refusal.NO_CONTRACT: _NO_CERTIFICATE,
    Refusal.PROVIDER_UNAVAILABLE: _NO_CERTIFICATE,
    Refusal.PROVIDER_TIMEOUT: _NO_CERTIFICATE,
    Refusal.PROVIDER_REFUSED: _NO_CERTIFICATE,
    Refusal.PROVIDER_ANSWER: _NO_CERTIFICATE,
    Refusal.NOT_CONFIGURED: _NO_CERTIFICATE,
}
_CODES_20: Final[Mapping[Refusal, str]] = {
    Refusal.TOO_LARGE: "FAILED",
    Refusal.MALFORMED: "FAILED",
    Refusal.SIGNATURE_PROFILE: "FAILED_SignatureError",
    Refusal.DIGEST_MISMATCH: "FAILED_SignatureError",
    Refusal.SIGNATURE_INVALID: "FAILED_SignatureError",
    Refusal.CHAIN_UNTRUSTED: "WARNING_CertificateValidationError",
    Refusal.CERTIFICATE_EXPIRED: "WARNING_CertificateExpired",
    Refusal.CERTIFICATE_NOT_YET_VALID: "WARNING_CertificateNotYetValid",
    Refusal.CERTIFICATE_REVOKED: "WARNING_CertificateRevoked",
    Refusal.CERTIFICATE_PROFILE: "WARNING_CertificateValidationError",
    Refusal.REPLAYED: "FAILED",
    Refusal.RATE_LIMIT: "WARNING_NoCertificateAvailable",
    Refusal.NO_CONTRACT: "WARNING_NoContractMatchingPCIDFound",
    Refusal.PROVIDER_UNAVAILABLE: "WARNING_NoCertificateAvailable",
    Refusal.PROVIDER_TIMEOUT: "WARNING_NoCertificateAvailable",
    Refusal.PROVIDER_REFUSED: "WARNING_NoCertificateAvailable",
    Refusal.PROVIDER_ANSWER: "WARNING_NoCertificateAvailable",
    Refusal.NOT_CONFIGURED: "WARNING_NoCertificateAvailable",
}
"""Where there is one, a warning: after it a vehicle of -20 may go on and charge without a contract."""

_RETRY: Final[Mapping[Refusal, int]] = {
    Refusal.PROVIDER_UNAVAILABLE: 0,
    Refusal.PROVIDER_TIMEOUT: 0,
}
"""RetryCounter for what may pass soon; for the rest the vehicle comes back after a day."""
_RETRY_NEXT_DAY: Final = 1


def response_code(refusal: Refusal, schema: Schema) -> str:
    """Return the ResponseCode of a generation that says ``refusal`` best."""
    return (_CODES_20 if schema is Schema.ISO_20 else _CODES_2)[refusal]


def refused_response(
    exi: bytes, schema: Schema, refusal: Refusal, *, clock: Callable[[], datetime] = utc_now
) -> bytes | None:
    """Return the answer to a request that was refused; None where it can't be read.

    It goes back to who asked, so that nothing of the request needs to be true: its SessionID and eMAID are used alone.
    """
    try:
        request = read_message(exi, schema)
    except ExiError:
        return None
    if not isinstance(request, Request):
        return None
    retry_counter = _RETRY.get(refusal, _RETRY_NEXT_DAY)
    return failed_response(request, response_code(refusal, schema), retry_counter=retry_counter, clock=clock)


def failed_response(
    request: Request,
    response_code: str,
    *,
    retry_counter: int | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> bytes:
    """Return the answer with ``response_code``, one of the request's generation, under its SessionID.

    ``retry_counter`` stands in an answer to an update that FAILED_NoCertificateAvailable, where alone -2 has it.
    Raises :class:`ExiError` for a code that the schema doesn't know.
    """
    header = Header(request.header.session_id)
    response: Response
    match request:
        case CertificateInstallationReq():
            response = CertificateInstallationRes(header, response_code, _NO_CHAIN, _no_data(_NOBODYS_EMAID))
        case CertificateUpdateReq():
            days = retry_counter if response_code == _NO_CERTIFICATE else None
            response = CertificateUpdateRes(header, response_code, _NO_CHAIN, _no_data(request.emaid), days)
        case CertificateInstallationReq20():
            header = Header(request.header.session_id, timestamp=int(clock().timestamp()))
            response = CertificateInstallationRes20(header, response_code, "Finished", _NO_CHAIN, _NO_DATA_20, 0)
    return write_message(response)


_NOTHING: Final = b"\0"
"""Not empty: for that EXI has two spellings, and some codecs in the field can't read the one, some the other."""
_NO_CHAIN: Final = CertificateChain(_NOTHING)
_NO_DATA_20: Final = SignedInstallationData(
    id="id1",
    contract_chain=CertificateChain(_NOTHING, (_NOTHING,)),
    ecdh_curve="SECP521",
    dh_public_key=bytes(_DH_KEY_SIZE_20),
    key_wrapping=KeyWrapping.SECP521,
    encrypted_private_key=bytes(_ENCRYPTED_KEY_SIZE_20),
)


def _no_data(emaid: str) -> ContractData:
    return ContractData(CertificateChain(_NOTHING, id="id1"), _NOTHING, "id2", _NOTHING, "id3", emaid, "id4")
