"""Who has which charging contract: ``contracts``."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Protocol

from aiohttp import web
from pydantic import AfterValidator, BaseModel, Field

from gateway.admin.contracts_shown import contract_shown
from gateway.admin.problems import ApiRefusal
from gateway.admin.quarantine import BY_API
from gateway.admin.requests import NUMBER_MAX, PREFIX, Query, Request, parse_body, read_body, read_query, refusals
from gateway.session.contract_lines import Numbered, collect, new_contract, read_csv, read_moment
from gateway.session.contracts import BATCH_MAX, BatchRefused, ContractRecord, Imported, NewContract
from pki.iso15118.identifiers import Emaid, Pcid

LIMIT_MAX: Final = 1000
"""Contracts in one answer."""
IMPORT_BODY_MAX: Final = 2_000_000
"""Bytes of a batch: ``BATCH_MAX`` contracts with all that can be said of one."""
CSV: Final = "text/csv"


def _emaid(text: str) -> str:
    Emaid.of_peer(text)
    return text


def _pcid(text: str) -> str:
    return Pcid.parse(text).text


EmaidText = Annotated[str, AfterValidator(_emaid), Field(description="eMAID, with or without hyphens and check digit.")]
PcidText = Annotated[str, AfterValidator(_pcid), Field(description="PCID, in any case.")]
From = Annotated[str | None, Field(description="Valid from then on: ISO 8601, or a date; null: from ever.")]
Until = Annotated[
    str | None, Field(description="Valid before then: ISO 8601; a date: that day is the last one; null: for ever.")
]
Default = Annotated[bool, Field(description="The one that a vehicle gets which can have only one (ISO 15118-2).")]


class Contracts(Protocol):
    """The contracts. What isn't there is a ContractUnknown, which is a LookupError."""

    async def list(
        self, *, pcid: str | None = None, emaid: str | None = None, after_id: int = 0, limit: int = 1000
    ) -> Sequence[ContractRecord]:
        """Return those that fit, in the order in which they were registered; None: any."""

    async def find(self, pcid: Pcid, emaid: Emaid) -> ContractRecord | None:
        """Return one, or None."""

    async def add(self, new: NewContract, by: str) -> ContractRecord:
        """Register one. Raises ContractRefused."""

    async def add_all(self, lines: Numbered, by: str) -> Imported:
        """Register all or none. Raises BatchRefused."""

    async def change(self, pcid: Pcid, emaid: Emaid, by: str, changes: Mapping[str, Any]) -> ContractRecord:
        """Change ``valid_from``, ``valid_until``, ``is_default``. Raises ContractInvalid."""

    async def remove(self, pcid: Pcid, emaid: Emaid) -> None:
        """Forget one."""


class ContractFilter(Query):
    """GET contracts."""

    pcid: PcidText | None = None
    emaid: EmaidText | None = None
    after: Annotated[
        int, Field(ge=0, le=NUMBER_MAX, description="An id: the next page begins after the last one's.")
    ] = 0
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_MAX


class ContractToAdd(Request):
    """POST contracts, and one item of a batch."""

    pcid: Annotated[str, Field(description="Of the vehicle: the CN of its OEM provisioning certificate.")]
    emaid: Annotated[str, Field(description="With or without hyphens; a check digit, if there is one, must be right.")]
    valid_from: From = None
    valid_until: Until = None
    default: Default = False

    def read(self) -> NewContract:
        """Return the contract. Raises ValueError."""
        return new_contract(self.pcid, self.emaid, self.valid_from, self.valid_until, is_default=self.default)


class ContractBatch(Request):
    """POST contracts/import: all of them or, if anything is wrong with one, none."""

    contracts: Annotated[list[ContractToAdd], Field(max_length=BATCH_MAX)]


class ContractChange(Request):
    """PATCH contracts/{pcid}/{emaid}: what isn't given stays."""

    valid_from: From = None
    valid_until: Until = None
    default: Default = False

    def read(self) -> Mapping[str, Any]:
        """Return what is to change. Raises ValueError."""
        times = {
            "valid_from": None if self.valid_from is None else read_moment(self.valid_from),
            "valid_until": None if self.valid_until is None else read_moment(self.valid_until, is_end=True),
        }
        changes = {name: moment for name, moment in times.items() if name in self.model_fields_set}
        return changes | ({"is_default": self.default} if "default" in self.model_fields_set else {})


BODIES: Final[tuple[type[BaseModel], ...]] = (ContractToAdd, ContractBatch, ContractChange)
"""What the endpoints read."""


class ContractEndpoints:
    """The endpoints of the contracts."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints."""
        router.add_get(f"{PREFIX}/contracts", self.list)
        router.add_post(f"{PREFIX}/contracts", self.add)
        router.add_post(f"{PREFIX}/contracts/import", self.add_all)
        router.add_get(f"{PREFIX}/contracts/{{pcid}}/{{emaid}}", self.show)
        router.add_patch(f"{PREFIX}/contracts/{{pcid}}/{{emaid}}", self.change)
        router.add_delete(f"{PREFIX}/contracts/{{pcid}}/{{emaid}}", self.remove)

    async def list(self, request: web.Request) -> web.Response:
        """GET contracts, in the order in which they were registered; ``next`` is where the next page begins."""
        wanted = read_query(request, ContractFilter)
        found = await self._contracts.list(
            pcid=wanted.pcid, emaid=wanted.emaid, after_id=wanted.after, limit=wanted.limit
        )
        following = found[-1].id if len(found) == wanted.limit else None
        return web.json_response({"contracts": [contract_shown(each) for each in found], "next": following})

    async def add(self, request: web.Request) -> web.Response:
        """POST contracts."""
        wanted = await read_body(request, ContractToAdd)
        with refusals():
            added = await self._contracts.add(wanted.read(), BY_API)
        return web.json_response(contract_shown(added), status=201)

    async def add_all(self, request: web.Request) -> web.Response:
        """POST contracts/import, as JSON or as CSV: what is there already gets the batch's times."""
        try:
            imported = await self._contracts.add_all(await _lines(request), BY_API)
        except BatchRefused as error:
            problems = [{"line": line, "text": text} for line, text in error.problems]
            raise ApiRefusal(400, "invalid", str(error), {"problems": problems}) from None
        told = {"added": imported.added, "changed": imported.changed, "unchanged": imported.unchanged}
        return web.json_response(told)

    async def show(self, request: web.Request) -> web.Response:
        """GET contracts/{pcid}/{emaid}."""
        pcid, emaid = _pair(request)
        found = await self._contracts.find(pcid, emaid)
        if found is None:
            raise ApiRefusal(404, "unknown_contract", f"vehicle {pcid} has no contract {emaid}")
        return web.json_response(contract_shown(found))

    async def change(self, request: web.Request) -> web.Response:
        """PATCH contracts/{pcid}/{emaid}."""
        pcid, emaid = _pair(request)
        wanted = await read_body(request, ContractChange)
        with refusals("unknown_contract"):
            changed = await self._contracts.change(pcid, emaid, BY_API, wanted.read())
        return web.json_response(contract_shown(changed))

    async def remove(self, request: web.Request) -> web.Response:
        """DELETE contracts/{pcid}/{emaid}: no certificate is issued for it any more; those that are stay valid."""
        pcid, emaid = _pair(request)
        with refusals("unknown_contract"):
            await self._contracts.remove(pcid, emaid)
        return web.Response(status=204)


def _pair(request: web.Request) -> tuple[Pcid, Emaid]:
    try:
        return Pcid.parse(request.match_info["pcid"]), Emaid.of_peer(request.match_info["emaid"])
    except ValueError as error:
        raise ApiRefusal(404, "unknown_contract", str(error)) from None


async def _lines(request: web.Request) -> Numbered:
    """Read a batch, not on the event loop. Raises BatchRefused and ApiRefusal."""
    octets = await request.clone(client_max_size=IMPORT_BODY_MAX).read()
    return await asyncio.to_thread(_of_csv if request.content_type == CSV else _of_json, octets)


def _of_json(octets: bytes) -> Numbered:
    """An item has its place, from 1 on, for a line."""
    batch = parse_body(octets, ContractBatch)
    return collect(enumerate(batch.contracts, 1), ContractToAdd.read)


def _of_csv(octets: bytes) -> Numbered:
    try:
        return read_csv(octets.decode())
    except UnicodeDecodeError as error:
        raise ApiRefusal(400, "invalid_request", f"body: isn't UTF-8 (byte {error.start})") from None
