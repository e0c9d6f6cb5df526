"""What no backend may do to a station, in the words of 1.6: Voltgate alone says whom it trusts and what runs on it.

The same for stations of either version (attacks A11, B5, B6). Each refusal is a security event; nothing of it reaches
the station.
"""

import contextlib
from typing import Final

from gateway.bridge.books import Json
from gateway.bridge.ports import (
    RECONFIGURATION,
    UNSAFE_LOCATION,
    UNVERIFIED_FIRMWARE,
    Afterwards,
    Call,
    PeerUnavailable,
    Report,
)
from gateway.wire.errors import CallError, ErrorCode

REFUSED: Final = {
    "CertificateSigned": ("Rejected", RECONFIGURATION, "the backend sends a certificate that nobody asked it for"),
    "DeleteCertificate": ("Failed", RECONFIGURATION, "the backend deletes a certificate of the station"),
    "InstallCertificate": ("Rejected", RECONFIGURATION, "the backend installs a root certificate at the station"),
    "SignedUpdateFirmware": (
        "Rejected",
        UNVERIFIED_FIRMWARE,
        "the backend updates firmware that Voltgate can't verify",
    ),
}
"""Action of the white paper -> status, kind of the event, what it says."""
SIGN_CERTIFICATE: Final = "SignChargePointCertificate"
"""requestedMessage of ExtendedTriggerMessage that is NotImplemented: Voltgate runs the stations' certificates."""
_NOT_IMPLEMENTED: Final[Json] = {"status": "NotImplemented"}


def refuse(report: Report, action: str) -> Json:
    """Return the answer to one of ``REFUSED``."""
    status, kind, what = REFUSED[action]
    report(kind, f"{what} ({action}); not passed on")
    return {"status": status}


def refuse_csr(report: Report, action: str) -> Json:
    """Return the answer to a trigger of SignCertificate: the gateway alone asks stations for a CSR."""
    report(RECONFIGURATION, f"the backend asks the station for a CSR ({action}); not passed on")
    return dict(_NOT_IMPLEMENTED)


def check_known(report: Report, action: str, payload: Json, *, security_extension: bool) -> None:
    """Return when the backend is one that knows the white paper. Raises CallError NotSupported otherwise.

    What it would be refused all the same is the same security event.
    """
    if not security_extension:
        if action in REFUSED:
            refuse(report, action)
        elif payload.get("requestedMessage") == SIGN_CERTIFICATE:
            refuse_csr(report, action)
        why = "the backend's security_extension is off, and the gateway is in charge of the station's security"
        raise CallError(ErrorCode.NOT_SUPPORTED, f"{action}: {why}")


def refuse_update(report: Report, afterwards: Afterwards, call_backend: Call, *, security_extension: bool) -> Json:
    """Return the answer to UpdateFirmware: firmware that nobody has verified is never installed.

    A backend that doesn't know the white paper hears that the download has failed, once it has its answer, which has no
    word for no. Raises CallError NotSupported for one that does (white paper L01.FR.20).
    """
    report(UNVERIFIED_FIRMWARE, "the backend updates firmware that nobody has verified (UpdateFirmware); not passed on")
    if security_extension:
        raise CallError(ErrorCode.NOT_SUPPORTED, "no unsigned firmware is passed on to a station")
    _tell(afterwards, call_backend, "FirmwareStatusNotification", "DownloadFailed")
    return {}


def refuse_diagnostics(report: Report, afterwards: Afterwards, call_backend: Call) -> Json:
    """Return the answer to GetDiagnostics to a place where no station is sent: no file, and that the upload failed.

    No file alone would say that there are no diagnostics; it is the place that is wrong.
    """
    refuse_location(report, "GetDiagnostics")
    _tell(afterwards, call_backend, "DiagnosticsStatusNotification", "UploadFailed")
    return {}


def refuse_location(report: Report, action: str) -> Json:
    """Return the answer to GetLog to a place where no station is sent. It isn't told: it may hold a password."""
    report(UNSAFE_LOCATION, f"the backend names a place that no station is sent to ({action}); not passed on")
    return {"status": "Rejected"}


def _tell(afterwards: Afterwards, call_backend: Call, action: str, status: str) -> None:
    async def tell() -> None:
        with contextlib.suppress(CallError, PeerUnavailable):
            await call_backend(action, {"status": status})

    afterwards(tell)
