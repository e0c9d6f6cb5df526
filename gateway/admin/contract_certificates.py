"""What vehicles were given, and the audit of it: ``contract-certificates`` and ``contract-provisionings``."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, Protocol

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field

from gateway.admin.certificates import Revocation, Revoke
from gateway.admin.contracts import EmaidText
from gateway.admin.contracts_shown import contract_certificate_shown, provisioning_shown
from gateway.admin.ports import CertificateRecord
from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, read_query, refusals
from gateway.session.contracts import ProvisioningRecord
from pki.iso15118.provisioning import Refusal

STATES: Final = ("issued", "superseded", "revoked", "expired")
LIMIT_MAX: Final = 1000
"""Certificates, or entries of the audit, in one answer."""
LIMIT: Final = 100
"""Entries of the audit, where no number is asked for."""


class ContractCertificate(Protocol):
    """A contract certificate that a vehicle was given."""

    @property
    def certificate(self) -> CertificateRecord:
        """What the inventory says of it."""

    @property
    def emaid(self) -> str:
        """In its wire form."""

    @property
    def pcid(self) -> str | None:
        """The vehicle's."""

    @property
    def station(self) -> str:
        """The identity of the station at which the vehicle was."""

    @property
    def provider(self) -> str:
        """Who provided it."""

    @property
    def schema(self) -> str:
        """iso15118SchemaVersion."""

    @property
    def issuer(self) -> str:
        """RFC 4514."""

    @property
    def predecessor_id(self) -> int | None:
        """The id of the certificate that the vehicle updated."""


class ContractCertificates(Protocol):
    """The contract certificates. A serial number that isn't hex is a ValueError."""

    async def list(
        self,
        *,
        pcid: str | None = None,
        emaid: str | None = None,
        station: str | None = None,
        provider: str | None = None,
        states: Collection[str] | None = None,
        after_id: int = 0,
        limit: int = 1000,
    ) -> Sequence[ContractCertificate]:
        """Return those that fit, in the order in which they were issued; None: any."""

    async def find(self, name: str) -> ContractCertificate | None:
        """Return the one of this serial number or fingerprint, or None. Raises LookupError when there are several."""


class ContractProvisionings(Protocol):
    """The audit."""

    async def list(  # noqa: PLR0913 - the filters, each by its name
        self,
        *,
        station: str | None = None,
        pcid: str | None = None,
        emaid: str | None = None,
        outcome: str | None = None,
        refusal: Refusal | None = None,
        since: datetime | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> Sequence[ProvisioningRecord]:
        """Return at most ``limit`` entries, the newest first; None: any."""


def _states(text: str) -> str:
    if not set(text.split(",")) <= set(STATES):
        raise ValueError(f"must be one of {', '.join(STATES)}, or several with commas between them")
    return text


class ContractCertificateFilter(Query):
    """GET contract-certificates."""

    pcid: str | None = None
    emaid: EmaidText | None = None
    station: Annotated[str | None, Field(description="The identity of the station at which the vehicle was.")] = None
    provider: Annotated[str | None, Field(description="A key of plug_and_charge.providers.")] = None
    state: Annotated[
        str | None, AfterValidator(_states), Field(description="One, or several with commas between them.")
    ] = None
    after: Annotated[
        int, Field(ge=0, le=NUMBER_MAX, description="An id: the next page begins after the last one's.")
    ] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class ProvisioningFilter(Query):
    """GET contract-provisionings."""

    station: str | None = None
    pcid: str | None = None
    emaid: EmaidText | None = None
    outcome: Literal["issued", "refused"] | None = None
    refusal: Annotated[Refusal | None, Field(description="Only those that were refused for this.")] = None
    since: Annotated[AwareDatetime | None, Field(description="ISO 8601 with a zone.")] = None
    before: Annotated[
        int | None, Field(ge=1, le=NUMBER_MAX, description="An id: the next page begins before the last one's.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT


class ContractCertificateEndpoints:
    """The endpoints of the contract certificates and of their audit."""

    def __init__(self, certificates: ContractCertificates, audit: ContractProvisionings, revoke: Revoke) -> None:
        self._certificates = certificates
        self._audit = audit
        self._revoke = revoke

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/contract-certificates", self.list)
        router.add_get(f"{PREFIX}/contract-certificates/{{serial}}", self.show)
        router.add_delete(f"{PREFIX}/contract-certificates/{{serial}}", self.revoke)
        router.add_get(f"{PREFIX}/contract-provisionings", self.provisionings)

    async def list(self, request: web.Request) -> web.Response:
        """GET contract-certificates, in the order in which they were issued; ``next``: where the next page begins."""
        wanted = read_query(request, ContractCertificateFilter)
        found = await self._certificates.list(
            pcid=wanted.pcid,
            emaid=wanted.emaid,
            station=wanted.station,
            provider=wanted.provider,
            states=None if wanted.state is None else wanted.state.split(","),
            after_id=wanted.after,
            limit=wanted.limit,
        )
        shown = [contract_certificate_shown(each) for each in found]
        following = found[-1].certificate.id if len(found) == wanted.limit else None
        return web.json_response({"contract_certificates": shown, "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """GET contract-certificates/{serial}, with its PEM."""
        found = await self._found(request)
        return web.json_response(contract_certificate_shown(found) | {"chain": found.certificate.chain})

    async def revoke(self, request: web.Request) -> web.Response:
        """DELETE contract-certificates/{serial}: revokes it for good; once more changes nothing."""
        reason = read_query(request, Revocation).reason
        found = await self._found(request)
        with refusals("unknown_certificate"):
            revoked = await self._revoke(found.certificate.fingerprint, reason)
        shown = contract_certificate_shown(found, revoked.record)
        return web.json_response(shown | {"authority_problem": revoked.authority_problem})

    async def provisionings(self, request: web.Request) -> web.Response:
        """GET contract-provisionings, the newest first."""
        wanted = read_query(request, ProvisioningFilter)
        found = await self._audit.list(
            station=wanted.station,
            pcid=wanted.pcid,
            emaid=wanted.emaid,
            outcome=wanted.outcome,
            refusal=wanted.refusal,
            since=wanted.since,
            before_id=wanted.before,
            limit=wanted.limit,
        )
        return web.json_response({"contract_provisionings": [provisioning_shown(each) for each in found]})

    async def _found(self, request: web.Request) -> ContractCertificate:
        serial = request.match_info["serial"]
        try:
            found = await self._certificates.find(serial)
        except ValueError:
            raise ApiRefusal(400, "invalid_request", "serial: a certificate's serial number is hex") from None
        except LookupError as error:
            raise ApiRefusal(409, "ambiguous_serial", str(error)) from None
        if found is None:
            text = f"no contract certificate with the serial number {serial[:60]!r} is recorded"
            raise ApiRefusal(404, "unknown_certificate", text)
        return found
