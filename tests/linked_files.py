"""An image, updates and logs for links to lead to."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from gateway.session.firmware import FirmwareImage, ImageState
from gateway.store.database import Database
from gateway.store.firmware_models import FirmwareImageRow, FirmwareUpdateRow, StationLogRow
from gateway.store.models import Model

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHA256 = "ab" * 32
IMAGE = FirmwareImage(
    id=1,
    manufacturer="acme",
    model=None,
    version="2.0",
    location=None,
    state=ImageState.VERIFIED,
    refusal=None,
    reason=None,
    sha256=SHA256,
    md5=None,
    size=5,
    signature=None,
    signing_certificate=None,
    signed_at=None,
    algorithm=None,
    signer=None,
    signer_fingerprint=None,
    added_at=NOW,
    added_by="cli",
    changed_at=NOW,
    changed_by="cli",
    verified_at=NOW,
)


_ANYTHING: dict[type, Any] = {bool: False, int: 0, str: "", object: NOW}
"""By the type of a column: UtcTime has none of its own."""


def row_of(model: type[Model], /, **given: Any) -> dict[str, Any]:
    """Return a row of which only the columns in ``given`` mean anything."""
    columns = model.__table__.columns
    anything = {column.key: None if column.nullable else _ANYTHING[column.type.python_type] for column in columns}
    return anything | given


async def keep(database: Database, image: FirmwareImage = IMAGE) -> None:
    """Put the image, the updates 1 and 2 and the logs 1 and 2 of station CS1 into the store."""
    fields = {field: getattr(image, field) for field in image.__dataclass_fields__}

    def work(connection: Any) -> None:
        connection.execute(insert(FirmwareImageRow), row_of(FirmwareImageRow, **fields | {"state": image.state.value}))
        for number in (1, 2):
            connection.execute(insert(FirmwareUpdateRow), row_of(FirmwareUpdateRow, id=number, identity="CS1"))
            connection.execute(insert(StationLogRow), row_of(StationLogRow, id=number, identity="CS1"))

    await database.write(work)
