"""The stations' certificates: ``certificates`` and ``certificates/{serial}``."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from aiohttp import web
from cryptography import x509
from pydantic import AfterValidator, Field

from gateway.admin.ports import CertificateRecord, Certificates, Revoked
from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, read_query, refusals
from gateway.admin.shown import certificate_shown, step_shown
from pki.profiles import parse_duration
from pki.reasons import FOR_GOOD

Revoke = Callable[[str, x509.ReasonFlags], Awaitable[Revoked]]
"""Revokes the certificate of a serial number or fingerprint. Raises LookupError."""


STATES: Final = ("issued", "installed", "in_use", "rejected", "superseded", "revoked", "expired")
LIMIT_MAX: Final = 1000
"""Certificates in one answer."""


def _duration(text: str) -> str:
    parse_duration(text)
    return text


def _states(text: str) -> str:
    if not set(text.split(",")) <= set(STATES):
        raise ValueError(f"must be one of {', '.join(STATES)}, or several with commas between them")
    return text


def _for_good(reason: x509.ReasonFlags) -> x509.ReasonFlags:
    if reason.value not in FOR_GOOD:
        raise ValueError(f"must be one of {', '.join(FOR_GOOD)}")
    return reason


class CertificateFilter(Query):
    """GET certificates."""

    identity: str | None = None
    state: Annotated[
        str | None, AfterValidator(_states), Field(description="One, or several with commas between them.")
    ] = None
    usage: Annotated[
        Literal["station", "v2g", "server", "contract", "contract_20", "seen"] | None,
        Field(description="seen: of other issuers."),
    ] = None
    expiring: Annotated[
        str | None, AfterValidator(_duration), Field(description="Those that expire within this time, such as 30d.")
    ] = None
    after: Annotated[
        int, Field(ge=0, le=NUMBER_MAX, description="An id: the next page begins after the last one's.")
    ] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class Revocation(Query):
    """DELETE certificates/{serial}."""

    reason: Annotated[x509.ReasonFlags, AfterValidator(_for_good)] = x509.ReasonFlags.unspecified


class CertificateEndpoints:
    """The endpoints of the inventory."""

    def __init__(self, certificates: Certificates, revoke: Revoke) -> None:
        self._certificates = certificates
        self._revoke = revoke

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/certificates", self.list)
        router.add_get(f"{PREFIX}/certificates/{{serial}}", self.show)
        router.add_delete(f"{PREFIX}/certificates/{{serial}}", self.revoke)

    async def list(self, request: web.Request) -> web.Response:
        """GET certificates, in the order in which they were recorded; ``next`` is where the next page begins."""
        wanted = read_query(request, CertificateFilter)
        found = await self._certificates.list(
            wanted.identity,
            states=None if wanted.state is None else wanted.state.split(","),
            usage=wanted.usage,
            expiring_before=None if wanted.expiring is None else datetime.now(UTC) + parse_duration(wanted.expiring),
            after_id=wanted.after,
            limit=wanted.limit,
        )
        following = found[-1].id if len(found) == wanted.limit else None
        return web.json_response({"certificates": [certificate_shown(each) for each in found], "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """GET certificates/{serial}, with its chain and its history."""
        record = await self._record(request)
        history = [step_shown(step) for step in await self._certificates.history(record.fingerprint)]
        return web.json_response(certificate_shown(record) | {"chain": record.chain, "history": history})

    async def revoke(self, request: web.Request) -> web.Response:
        """DELETE certificates/{serial}: revokes it for good; once more changes nothing."""
        reason = read_query(request, Revocation).reason
        record = await self._record(request)
        with refusals("unknown_certificate"):
            revoked = await self._revoke(record.fingerprint, reason)
        shown = certificate_shown(revoked.record) | {"authority_problem": revoked.authority_problem}
        return web.json_response(shown)

    async def _record(self, request: web.Request) -> CertificateRecord:
        """Return the certificate of a serial number or fingerprint."""
        serial = request.match_info["serial"]
        try:
            record = await self._certificates.find(serial)
        except ValueError:
            raise ApiRefusal(400, "invalid_request", "serial: a certificate's serial number is hex") from None
        except LookupError as error:
            raise ApiRefusal(409, "ambiguous_serial", str(error)) from None
        if record is None:
            text = f"no certificate with the serial number {serial[:60]!r} is recorded"
            raise ApiRefusal(404, "unknown_certificate", text)
        return record
