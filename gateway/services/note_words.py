"""Messages of 1.6 stations about Plug & Charge, brought to the fields of 2.0.1, and their answers brought back.

The OCA note has 2.0.1's fields, but for a plain idToken. Stations that were there before it speak the extension of
has·to·be (OCPP 1.6, ISO 15118 extension 1.3, of 2019; vendorId iso15118), whose fields are those of OCPP 2.0.
"""

from collections.abc import Mapping
from typing import Final

from gateway.bridge.books import Json

_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "Authorize": {"15118CertificateHashData": "iso15118CertificateHashData"},
    "Get15118EVCertificate": {"15118SchemaVersion": "iso15118SchemaVersion"},
    "SignCertificate": {"typeOfCertificate": "certificateType"},
}
"""By action: the extension's name of a field -> 2.0.1's."""
_SUPPLIED: Final[Mapping[str, Json]] = {
    "Get15118EVCertificate": {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install"},
}
"""What the extension may leave out, or hasn't: ISO 15118-2 alone, and no updates."""
_NOT_IN_IT: Final = {"certificateStatus": frozenset({"Accepted", "CertificateRevoked"})}
"""The only words that the extension has in a field of an answer; what else there is to say is CertificateRevoked."""


def from_station(action: str, wrapped: Json) -> Json:
    """Return the request in 2.0.1's fields; that it is valid isn't checked. What has no other name stays as it is."""
    names = _NAMES.get(action, {})
    fields = {names.get(name, name) if names.get(name) not in wrapped else name: wrapped[name] for name in wrapped}
    fields = {**_SUPPLIED.get(action, {}), **fields}
    if action == "Authorize":
        _read_authorize(fields)
    elif action == "GetCertificateStatus" and isinstance(fields.get("ocspRequestData"), dict):
        fields["ocspRequestData"] = {"responderURL": "", **fields["ocspRequestData"]}
    return fields


def is_of_the_extension(action: str, wrapped: Json) -> bool:
    """Return whether a request is in the words of the extension, and not in the note's."""
    return action == "Authorize" and isinstance(wrapped.get("idToken"), dict)


def for_station(answer: Json, *, is_of_extension: bool) -> Json:
    """Return the answer as the station's words have it: none of them has statusInfo."""
    fields = {name: value for name, value in answer.items() if name != "statusInfo"}
    if is_of_extension:
        for name, known in _NOT_IN_IT.items():
            if fields.get(name) not in known:
                fields[name] = "CertificateRevoked"
    return fields


def _read_authorize(fields: Json) -> None:
    if isinstance(fields.get("idToken"), str):
        fields["idToken"] = {"idToken": fields["idToken"], "type": "eMAID"}
    hash_data = fields.get("iso15118CertificateHashData")
    if hash_data == []:  # 0..4 in the note, 1..4 in 2.0.1
        del fields["iso15118CertificateHashData"]
    elif isinstance(hash_data, list):
        fields["iso15118CertificateHashData"] = [
            {"responderURL": "", **each} if isinstance(each, dict) else each for each in hash_data
        ]
