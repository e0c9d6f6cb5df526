"""Who provides a contract certificate: chosen by the eMSP; among them the station's own backend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography import x509

from gateway.bridge.books import Books, Json
from gateway.bridge.ports import PeerUnavailable
from gateway.services.ev_certificate_words import decode_base64, encode_base64
from gateway.services.peer_text import printable
from gateway.services.pnc_16 import transfer
from gateway.services.station_commands import ConnectedStation
from gateway.session.stages import InvalidAnswer
from gateway.wire.errors import CallError
from gateway.wire.versions import Version
from pki.iso15118.provisioning import (
    Contract,
    ContractProvider,
    Provision,
    ProvisioningRefused,
    Refusal,
    VerifiedRequest,
)

ACTION: Final = "Get15118EVCertificate"
EMSP_SIZE: Final = 5
"""Characters of an eMAID that name the eMSP: country and party."""
WORDS_MAX: Final = 200
"""Characters of a backend's own words that are kept."""


class VehiclesStation(ConnectedStation, Protocol):
    """The station at which a vehicle stands, with the road to its backend."""

    books: Books

    @property
    def remote(self) -> str:
        """The address of its connection."""

    async def call_backend(self, action: str, payload: Json) -> Json:
        """Send a CALL to the station's backend, in that one's dialect. Raises PeerUnavailable and CallError."""


class AnswerChecker(Protocol):
    """Looks at what somebody else provided."""

    def check(self, exi: bytes, request: VerifiedRequest, *, emaid: str | None = None) -> Provision:
        """Return it under the request's SessionID; for ``emaid``, if that is given. Raises ProvisioningRefused."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One of ``plug_and_charge.providers``."""

    at: Callable[[VehiclesStation, str], ContractProvider]
    """``at(station, vendor_id)`` returns it as it serves one station; ``vendor_id`` is the note's that it uses."""
    knows_contracts: bool = False
    """It may be asked for a vehicle without a contract here."""
    is_ours: bool = False
    """Its contract certificates are signed by ``authority.contract``, and revoked there."""
    withdraw: Callable[[x509.Certificate], None] = lambda _: None
    """``withdraw(certificate)`` hears that one which it has provided doesn't reach its vehicle."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who provides for one request."""

    name: str
    offer: Offer


class Providers:
    """The providers by name, and which of them is for whom."""

    def __init__(self, offers: Mapping[str, Offer], *, default: str, emsps: Mapping[str, str]) -> None:
        """``emsps``: names of providers by eMSP; all names are keys of ``offers``."""
        self._offers = offers
        self._default = default
        self._emsps = emsps

    def choose(self, emaid: str | None) -> Chosen:
        """Return who provides for an eMAID in its wire form, or for a vehicle whose contract isn't known (None)."""
        emsp = "" if emaid is None else emaid[:EMSP_SIZE].upper()
        name = self._emsps.get(emsp, self._default)
        return Chosen(name, self._offers[name])


class BackendProvider:
    """A station's own backend, which knows Get15118EVCertificate: in 2.0.1, or in 1.6 by the note."""

    def __init__(
        self, station: VehiclesStation, version: Version | None, answers: AnswerChecker, *, vendor_id: str
    ) -> None:
        """``version``: what the backend speaks; None: it knows nothing of contract certificates."""
        self._station = station
        self._version = version
        self._answers = answers
        self._vendor_id = vendor_id

    async def provide(self, request: VerifiedRequest, contract: Contract | None, *, remaining: int) -> Provision:  # noqa: ARG002 - the Protocol's: the backend's answer says how many are left
        """Return the backend's answer, checked; for ``contract``, where that is known. Raises ProvisioningRefused."""
        if self._version is None:
            text = "the station's backend knows no contract certificates (backends.NAME.plug_and_charge)"
            raise ProvisioningRefused(Refusal.NOT_CONFIGURED, text)
        payload = {
            "iso15118SchemaVersion": request.schema.value,
            "action": request.action.value,
            "exiRequest": encode_base64(request.exi),
        }
        try:
            answer = await self._ask(payload)
        except PeerUnavailable as away:
            raise ProvisioningRefused(Refusal.PROVIDER_UNAVAILABLE, f"the station's backend: {away}") from None
        except InvalidAnswer as error:
            raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, f"the station's backend: {error.description}") from None
        except CallError as error:
            words = printable(error.description, WORDS_MAX)
            raise ProvisioningRefused(Refusal.PROVIDER_REFUSED, f"the station's backend: {words}") from None
        if answer["status"] != "Accepted":
            words = printable(str(answer.get("statusInfo", {}).get("reasonCode", "without a reason")), WORDS_MAX)
            raise ProvisioningRefused(Refusal.PROVIDER_REFUSED, f"the station's backend answers Failed: {words}")
        exi = decode_base64(answer["exiResponse"])
        if exi is None:
            text = "the station's backend: exiResponse isn't base64"
            raise ProvisioningRefused(Refusal.PROVIDER_ANSWER, text)
        return self._answers.check(exi, request, emaid=None if contract is None else contract.emaid)

    async def _ask(self, payload: Json) -> Json:
        if self._version is Version.V16:
            return await transfer(self._station.call_backend, ACTION, payload, self._vendor_id)
        return await self._station.call_backend(ACTION, payload)

    async def close(self) -> None:
        """Nothing is under way but what is awaited."""
