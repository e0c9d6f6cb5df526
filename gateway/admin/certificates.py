"""The stations' certificates: ``certificates`` and ``certificates/{serial}``."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from aiohttp import web
from cryptography import x509
from pydantic import AfterValidator

from gateway.admin.ports import CertificateRecord, Certificates, Revoked
from gateway.admin.problems import ApiRefusal
from gateway.admin.requests import PREFIX, Query, read_query, refusals
from gateway.admin.shown import certificate_shown
from pki.reasons import FOR_GOOD

Revoke = Callable[[str, x509.ReasonFlags], Awaitable[Revoked]]
"""Revokes the certificate of a serial number. Raises LookupError."""


def _for_good(reason: x509.ReasonFlags) -> x509.ReasonFlags:
    if reason.value not in FOR_GOOD:
        raise ValueError(f"must be one of {', '.join(FOR_GOOD)}")
    return reason


class CertificateFilter(Query):
    """GET certificates."""

    identity: str | None = None


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
        """GET certificates, ``?identity=`` those of one station."""
        wanted = read_query(request, CertificateFilter)
        found = await self._certificates.list(wanted.identity)
        return web.json_response({"certificates": [certificate_shown(each) for each in found]})

    async def show(self, request: web.Request) -> web.Response:
        """GET certificates/{serial}, with its chain."""
        record = await self._record(request)
        return web.json_response(certificate_shown(record) | {"chain": record.chain})

    async def revoke(self, request: web.Request) -> web.Response:
        """DELETE certificates/{serial}: revokes it for good; once more changes nothing."""
        reason = read_query(request, Revocation).reason
        record = await self._record(request)
        with refusals("unknown_certificate"):
            revoked = await self._revoke(record.serial, reason)
        shown = certificate_shown(revoked.record) | {"authority_problem": revoked.authority_problem}
        return web.json_response(shown)

    async def _record(self, request: web.Request) -> CertificateRecord:
        serial = request.match_info["serial"]
        try:
            record = await self._certificates.find(serial)
        except ValueError:
            raise ApiRefusal(400, "invalid_request", "serial: a certificate's serial number is hex") from None
        if record is None:
            text = f"no certificate with the serial number {serial[:60]!r} is recorded"
            raise ApiRefusal(404, "unknown_certificate", text)
        return record
