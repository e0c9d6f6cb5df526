"""An image, updates and logs for links to lead to."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from gateway.session.firmware import FirmwareImage, ImageState
from gateway.store.database import Database
from gateway.store.firmware_models import FirmwareImageRow, FirmwareUpdateRow, StationLogRow

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


async def keep(database: Database, image: FirmwareImage = IMAGE) -> None:
    """Put the image, the updates 1 and 2 and the logs 1 and 2 of station CS1 into the store."""
    row = {column.key: getattr(image, column.key) for column in FirmwareImageRow.__table__.columns}
    of = {"identity": "CS1", "by": "legacy", "created_at": NOW, "changed_at": NOW}
    ordered = {**of, "source": "backend", "location": "", "state": "sent"}
    asked = {**of, "action": "GetLog", "log_type": "SecurityLog", "state": "asked"}

    def work(connection: Any) -> None:
        connection.execute(insert(FirmwareImageRow), row | {"state": image.state.value})
        connection.execute(insert(FirmwareUpdateRow), [{**ordered, "id": number} for number in (1, 2)])
        connection.execute(insert(StationLogRow), [{**asked, "id": number} for number in (1, 2)])

    await database.write(work)
