"""The links under which stations load firmware and upload logs: the store knows them by the SHA-256 of their secret."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, exists, insert, null, or_, select
from sqlalchemy.orm import aliased

from gateway.session.file_links import FileLink, LinkKind
from gateway.session.firmware import FirmwareImage, ImageState
from gateway.store.columns import utc_now
from gateway.store.database import Database
from gateway.store.firmware_models import FileLinkRow, FirmwareImageRow

SECRET_BYTES: Final = 32
SECRET_LENGTH: Final = 43
"""Characters of a secret: 32 bytes in base64url without padding (RFC 4648 5)."""
UPLOAD_LIFETIME: Final = timedelta(days=1)
"""How long a log that a station was asked for may take to come."""
UNTIL_UNPUBLISHED: Final = datetime(9999, 1, 1, tzinfo=UTC)

_INSERT: Final = insert(FileLinkRow)
_COLUMNS: Final = [column for column in FileLinkRow.__table__.columns if column.key not in {"token", "created_at"}]
_Twin: Final = aliased(FirmwareImageRow)
_IS_WITHDRAWN: Final = exists().where(
    _Twin.sha256 == FileLinkRow.sha256,
    _Twin.manufacturer == FirmwareImageRow.manufacturer,
    _Twin.state == ImageState.WITHDRAWN.value,
)
"""By whichever of its entries: an order, or another model, may have brought the same octets under another one."""
_FIND: Final = (
    select(*_COLUMNS)
    .outerjoin(FirmwareImageRow, FirmwareImageRow.id == FileLinkRow.image_id)
    .where(
        FileLinkRow.token == bindparam("of_token"),
        FileLinkRow.expires_at > bindparam("at"),
        # What has been withdrawn, or is another file by now, is loaded by nobody.
        or_(
            FileLinkRow.image_id.is_(null()),
            (FirmwareImageRow.state == ImageState.VERIFIED.value)
            & (FirmwareImageRow.sha256 == FileLinkRow.sha256)
            & ~_IS_WITHDRAWN,
        ),
    )
)
_CLOSE_UPDATE: Final = delete(FileLinkRow).where(FileLinkRow.update_id == bindparam("of_update"))
_CLOSE_LOG: Final = delete(FileLinkRow).where(FileLinkRow.log_id == bindparam("of_log"))
_UNPUBLISH: Final = delete(FileLinkRow).where(
    FileLinkRow.image_id == bindparam("of_image"), FileLinkRow.identity.is_(null())
)
_SWEEP: Final = delete(FileLinkRow).where(FileLinkRow.expires_at <= bindparam("at"))


class FileLinks:
    """The links of all stations. Every method raises StoreUnavailable."""

    def __init__(self, database: Database, lifetime: timedelta, clock: Callable[[], datetime] = utc_now) -> None:
        """``lifetime`` is how long a link to an image is good from when the station may load it."""
        self._database = database
        self._lifetime = lifetime
        self._clock = clock

    async def download(
        self, identity: str, image: FirmwareImage, update_id: int, *, not_before: datetime | None = None
    ) -> str:
        """Return the secret of a new link to ``image``. Raises ValueError for one whose octets have not been here."""
        begins = max(self._clock(), not_before) if not_before is not None else self._clock()
        return await self._keep(
            LinkKind.DOWNLOAD,
            min(begins, UNTIL_UNPUBLISHED - self._lifetime) + self._lifetime,
            identity=identity,
            image_id=image.id,
            sha256=_sha256(image),
            update_id=update_id,
        )

    async def upload(self, identity: str, log_id: int) -> str:
        """Return the secret of a new link under which a log is taken."""
        expires_at = self._clock() + UPLOAD_LIFETIME
        return await self._keep(LinkKind.UPLOAD, expires_at, identity=identity, log_id=log_id)

    async def publish(self, image: FirmwareImage) -> str:
        """Return the secret of a new link to ``image`` for all stations. Raises ValueError as :meth:`download`."""
        return await self._keep(LinkKind.DOWNLOAD, UNTIL_UNPUBLISHED, image_id=image.id, sha256=_sha256(image))

    async def find(self, secret: str, kind: LinkKind) -> FileLink | None:
        """Return what ``secret`` leads to; None where it is unknown, over, of another kind, or its image withdrawn."""
        if len(secret) != SECRET_LENGTH:
            return None
        key = {"of_token": _token(secret), "at": self._clock()}
        row = await self._database.read(lambda connection: connection.execute(_FIND, key).mappings().first())
        return _link(row) if row is not None and row["kind"] == kind.value else None

    async def close_update(self, update_id: int) -> None:
        """End the links of an update."""
        await self._delete(_CLOSE_UPDATE, {"of_update": update_id})

    async def close_log(self, log_id: int) -> None:
        """End the links of a log."""
        await self._delete(_CLOSE_LOG, {"of_log": log_id})

    async def unpublish(self, image_id: int) -> None:
        """End an image's links that are for all stations."""
        await self._delete(_UNPUBLISH, {"of_image": image_id})

    async def sweep(self) -> int:
        """Delete the links that are over, and return how many there were."""
        return await self._delete(_SWEEP, {"at": self._clock()})

    async def _keep(self, kind: LinkKind, expires_at: datetime, **of: Any) -> str:
        secret = secrets.token_urlsafe(SECRET_BYTES)
        row = dict.fromkeys(("identity", "image_id", "sha256", "update_id", "log_id")) | of
        row |= {
            "token": _token(secret),
            "kind": kind.value,
            "created_at": self._clock(),
            "expires_at": expires_at,
        }

        def work(connection: Connection) -> None:
            connection.execute(_INSERT, row)

        await self._database.write(work)
        return secret

    async def _delete(self, statement: Any, key: dict[str, Any]) -> int:
        return await self._database.write(lambda connection: int(connection.execute(statement, key).rowcount))


def _token(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _sha256(image: FirmwareImage) -> str:
    if image.sha256 is None:
        raise ValueError(f"image {image.id} is not here: there is nothing to link to")
    return image.sha256


def _link(row: RowMapping) -> FileLink:
    return FileLink(**{**row, "kind": LinkKind(row["kind"])})
