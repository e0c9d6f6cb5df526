"""Reading what the API is asked, and saying in HTTP's words why it isn't done."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.admin.ports import Refused, StationRefused
from gateway.admin.problems import ApiRefusal
from gateway.bridge.ports import PeerUnavailable
from gateway.session.certificate_requests import NotWaiting
from gateway.session.contracts import ContractInvalid, ContractRefused
from gateway.session.firmware import FirmwareConflict, FirmwareInvalid
from gateway.session.ports import RegistrationInvalid, RegistrationRefused
from gateway.session.quarantine import ReleaseRefused
from gateway.session.upgrades import UpgradeUnderWay
from gateway.wire.errors import CallError

PREFIX: Final = "/api/v1"
NUMBER_MAX: Final = 2**63 - 1
"""No database numbers higher."""

M = TypeVar("M", bound=BaseModel)


class Request(BaseModel):
    """The body of a request: unknown fields are errors, types aren't bent."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """The parameters of a request's URL, which are text: unknown ones are errors."""

    model_config = ConfigDict(extra="forbid")


async def read_body(request: web.Request, model: type[M]) -> M:
    """Read the JSON body. Raises ApiRefusal 400 naming the field, never its value."""
    return parse_body(await request.read(), model)


def parse_body(octets: bytes, model: type[M]) -> M:
    """Read JSON. Raises ApiRefusal as :func:`read_body`."""
    try:
        return model.model_validate_json(octets)
    except ValidationError as error:
        raise _invalid(error, "body") from None


def read_query(request: web.Request, model: type[M]) -> M:
    """Read the URL's parameters. Raises ApiRefusal 400 naming the parameter, never its value."""
    parameters: Mapping[str, str] = request.query
    for name in parameters:
        if len(request.query.getall(name)) > 1:
            raise ApiRefusal(400, "invalid_request", f"{name[:60]!r} is given twice")
    try:
        return model.model_validate(dict(parameters))
    except ValidationError as error:
        raise _invalid(error, "query") from None


def _invalid(error: ValidationError, whole: str) -> ApiRefusal:
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or whole
    return ApiRefusal(400, "invalid_request", f"{place}: {first['msg']}")


@contextmanager
def refusals(missing: str = "not_registered") -> Iterator[None]:
    """Turn what the parts refuse into ApiRefusal: 400, 404 (with the code ``missing``), 409, 502 or 504."""
    try:
        yield
    except (RegistrationInvalid, ContractInvalid, FirmwareInvalid) as error:
        raise ApiRefusal(400, "invalid", str(error)) from None
    except (RegistrationRefused, ContractRefused, FirmwareConflict, Refused) as error:
        raise ApiRefusal(409, "refused", str(error)) from None
    except ReleaseRefused as error:
        raise ApiRefusal(409, "not_decidable", str(error)) from None
    except NotWaiting as error:
        raise ApiRefusal(409, "not_waiting", str(error)) from None
    except UpgradeUnderWay as error:
        raise ApiRefusal(409, "upgrade_under_way", str(error)) from None
    except StationRefused as error:
        raise ApiRefusal(409, "station_refused", str(error)) from None
    except PeerUnavailable as away:
        raise ApiRefusal(504, "no_answer", str(away)) from None
    except CallError as error:
        details = {"ocpp_code": error.code.value, "ocpp_details": error.details}
        raise ApiRefusal(502, "call_error", error.description or error.code.value, details) from None
    except LookupError as error:
        raise ApiRefusal(404, missing, str(error)) from None
