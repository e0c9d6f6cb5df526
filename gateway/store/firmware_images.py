"""The catalogue's entries: which firmware images there are, and what was found of each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, case, delete, func, insert, or_, select, update

from gateway.session.firmware import (
    REASON_MAX,
    CampaignState,
    FirmwareConflict,
    FirmwareImage,
    FirmwareUnknown,
    ImageState,
    NewImage,
    UpdateState,
)
from gateway.store import registry
from gateway.store.columns import bounded_text, utc_now
from gateway.store.database import Database
from gateway.store.firmware_models import (
    FirmwareCampaignRow,
    FirmwareImageRow,
    FirmwarePublicationRow,
    FirmwareUpdateRow,
)

IMAGES_MAX: Final = 10_000
"""Entries of the catalogue."""
UNVERIFIED_MAX: Final = 500
"""Entries that backends' orders brought, unverified and without a file: the oldest go when another comes."""
BY_MAX: Final = 100
"""Characters kept of who added or changed an image."""

_LIVE: Final = (ImageState.QUARANTINED.value, ImageState.VERIFIED.value)
_OPEN: Final = [state.value for state in UpdateState if state.is_open]
_OVER: Final = (CampaignState.DONE.value, CampaignState.CANCELED.value)

_COLUMNS: Final = tuple(FirmwareImageRow.__table__.columns)
_ID: Final = FirmwareImageRow.id == bindparam("of_id")
_FIND: Final = select(*_COLUMNS).where(_ID)
_ALL: Final = select(*_COLUMNS).order_by(FirmwareImageRow.id).limit(bindparam("at_most"))
_FILTERS: Final = {
    "state": FirmwareImageRow.state == bindparam("state"),
    "manufacturer": FirmwareImageRow.manufacturer == bindparam("manufacturer"),
    "sha256": FirmwareImageRow.sha256 == bindparam("sha256"),
    "md5": FirmwareImageRow.md5 == bindparam("md5"),
    "after_id": FirmwareImageRow.id > bindparam("after_id"),
}
_BEST_FIRST: Final = case(
    (FirmwareImageRow.state == ImageState.VERIFIED.value, 0),
    (FirmwareImageRow.state == ImageState.QUARANTINED.value, 1),
    else_=2,
)
_OF_MODEL: Final = or_(FirmwareImageRow.model.is_(None), FirmwareImageRow.model == bindparam("model"))
_FOR_STATION: Final = (
    select(*_COLUMNS)
    .where(
        FirmwareImageRow.location == bindparam("location"),
        FirmwareImageRow.manufacturer == bindparam("manufacturer"),
        _OF_MODEL,
        FirmwareImageRow.state != ImageState.WITHDRAWN.value,
    )
    .order_by(_BEST_FIRST, FirmwareImageRow.id.desc())
    .limit(1)
)
_SAME_VERSION: Final = select(FirmwareImageRow.id).where(
    FirmwareImageRow.manufacturer == bindparam("manufacturer"),
    FirmwareImageRow.version == bindparam("version"),
    func.coalesce(FirmwareImageRow.model, "") == bindparam("model_or_none"),
    FirmwareImageRow.state.in_(_LIVE),
)
_OF_LOCATION: Final = FirmwareImageRow.location == bindparam("location")
_SAME_ORDER: Final = (
    select(*_COLUMNS)
    .where(
        FirmwareImageRow.manufacturer == bindparam("manufacturer"),
        # What was verified is the same wherever it comes from: a URL that is signed anew each time makes no new entry.
        or_(_OF_LOCATION, FirmwareImageRow.state == ImageState.VERIFIED.value),
        FirmwareImageRow.signature == bindparam("signature"),
        FirmwareImageRow.signing_certificate == bindparam("signing_certificate"),
        _OF_MODEL,
    )
    .order_by(case((_OF_LOCATION, 0), else_=1), FirmwareImageRow.id.desc())
    .limit(1)
)
_WITHDRAWN: Final = select(FirmwareImageRow.id).where(
    FirmwareImageRow.manufacturer == bindparam("manufacturer"),
    FirmwareImageRow.sha256 == bindparam("sha256"),
    FirmwareImageRow.state == ImageState.WITHDRAWN.value,
)
_COUNT: Final = select(func.count()).select_from(FirmwareImageRow)
_COUNTS: Final = select(FirmwareImageRow.state, func.count().label("count")).group_by(FirmwareImageRow.state)
_USES: Final = _COUNT.where(FirmwareImageRow.sha256 == bindparam("sha256"))
_ADD: Final = insert(FirmwareImageRow).returning(FirmwareImageRow.id)
_CHANGE: Final = update(FirmwareImageRow).where(
    _ID, FirmwareImageRow.state.in_(bindparam("from_states", expanding=True))
)
_IN_UPDATES: Final = select(FirmwareUpdateRow.image_id).where(
    FirmwareUpdateRow.image_id.is_not(None), FirmwareUpdateRow.state.in_(_OPEN)
)
_IN_CAMPAIGNS: Final = select(FirmwareCampaignRow.image_id)
_OLD_UNVERIFIED: Final = (
    select(FirmwareImageRow.id)
    .where(
        FirmwareImageRow.from_order,
        FirmwareImageRow.state.in_((ImageState.QUARANTINED.value, ImageState.REFUSED.value)),
        FirmwareImageRow.sha256.is_(None),  # else its file would stay, with nobody who knows of it
        FirmwareImageRow.id.not_in(_IN_UPDATES),
        FirmwareImageRow.id.not_in(_IN_CAMPAIGNS),
    )
    .order_by(FirmwareImageRow.id.desc())
    .offset(UNVERIFIED_MAX - 1)
)
_OPEN_UPDATES: Final = (
    select(func.count())
    .select_from(FirmwareUpdateRow)
    .where(FirmwareUpdateRow.image_id == bindparam("of_id"), FirmwareUpdateRow.state.in_(_OPEN))
)
_CAMPAIGN: Final = (
    select(FirmwareCampaignRow.name, FirmwareCampaignRow.state)
    .where(FirmwareCampaignRow.image_id == bindparam("of_id"))
    .order_by(FirmwareCampaignRow.state.in_(_OVER), FirmwareCampaignRow.id)
    .limit(1)
)
_FORGET_UPDATES: Final = (
    update(FirmwareUpdateRow).where(FirmwareUpdateRow.image_id == bindparam("of_id")).values(image_id=None)
)
_FORGET_PUBLICATIONS: Final = (
    update(FirmwarePublicationRow).where(FirmwarePublicationRow.image_id == bindparam("of_id")).values(image_id=None)
)
_REMOVE: Final = delete(FirmwareImageRow).where(_ID)


class FirmwareImages:
    """The entries of the catalogue. Locations are kept as :func:`comparable` makes them."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def add(self, new: NewImage, by: str) -> FirmwareImage:
        """Register an image, in quarantine. Raises FirmwareConflict where this version is there, or no place is."""
        now = self._clock()

        def work(connection: Connection) -> FirmwareImage:
            registry.hold(connection)  # one after the other: no version twice
            version = {"manufacturer": new.manufacturer, "version": new.version, "model_or_none": new.model or ""}
            there = connection.execute(_SAME_VERSION, version).scalar()
            if there is not None:
                raise FirmwareConflict(
                    f"{_of(new)} is in the catalogue already, as image {there}: withdraw or remove that one first"
                )
            if connection.execute(_COUNT).scalar_one() >= IMAGES_MAX:
                raise FirmwareConflict(f"the catalogue holds {IMAGES_MAX} images, as many as it takes: remove some")
            return _added(connection, new, by, now)

        return await self._database.write(work)

    async def expect(self, new: NewImage, by: str) -> FirmwareImage | None:
        """Return the entry of this location, signature and certificate for this model, in whatever state, or a new one.

        A verified one of the same signature and certificate is as good, wherever it came from.
        It is for what a backend orders: of such entries, unverified and without octets, the latest UNVERIFIED_MAX stay.
        None: the catalogue is full.
        """
        now = self._clock()

        def work(connection: Connection) -> FirmwareImage | None:
            registry.hold(connection)
            key = {
                "manufacturer": new.manufacturer,
                "location": new.location,
                "signature": new.signature,
                "signing_certificate": new.signing_certificate,
                "model": new.model,
            }
            row = connection.execute(_SAME_ORDER, key).mappings().first()
            if row is not None:
                return _image(row)
            for old in connection.execute(_OLD_UNVERIFIED).scalars().all():
                _remove(connection, old)
            if connection.execute(_COUNT).scalar_one() >= IMAGES_MAX:
                return None
            return _added(connection, new, by, now, from_order=True)

        return await self._database.write(work)

    async def find(self, image_id: int) -> FirmwareImage | None:
        """Return one, or None."""
        key = {"of_id": image_id}
        row = await self._database.read(lambda connection: connection.execute(_FIND, key).mappings().first())
        return None if row is None else _image(row)

    async def list(
        self,
        *,
        state: ImageState | None = None,
        manufacturer: str | None = None,
        sha256: str | None = None,
        md5: str | None = None,
        after_id: int = 0,
        limit: int = 1000,
    ) -> Sequence[FirmwareImage]:
        """Return at most ``limit`` images in the order in which they were added; None: any.

        The next page begins after the id of the last one's.
        """
        wanted = {
            "state": None if state is None else state.value,
            "manufacturer": manufacturer,
            "sha256": sha256,
            "md5": md5,
            "after_id": after_id,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        statement = _ALL.where(*(_FILTERS[name] for name in given))
        values = {**given, "at_most": limit}
        rows = await self._database.read(lambda connection: connection.execute(statement, values).mappings().all())
        return [_image(row) for row in rows]

    async def for_station(self, location: str, manufacturer: str, model: str | None) -> FirmwareImage | None:
        """Return the image of this location for stations of this model: the newest verified one, else the newest.

        One that was withdrawn isn't returned. Without ``model`` it must be for all models.
        """
        key = {"location": location, "manufacturer": manufacturer, "model": model}
        row = await self._database.read(lambda connection: connection.execute(_FOR_STATION, key).mappings().first())
        return None if row is None else _image(row)

    async def change(
        self,
        image_id: int,
        by: str,
        changes: Mapping[str, Any],
        *,
        unless: Collection[ImageState] = (),
        while_it_has: Mapping[str, Any] | None = None,
    ) -> FirmwareImage:
        """Change fields of an image and return it; in a state of ``unless`` it stays as it is.

        So it does when it hasn't these values of ``while_it_has`` any more. Raises FirmwareUnknown.
        """
        values: dict[str, Any] = {
            name: value.value if isinstance(value, ImageState) else value for name, value in changes.items()
        }
        if values.get("reason") is not None:
            values["reason"] = bounded_text(values["reason"], REASON_MAX)
        values |= {"changed_at": self._clock(), "changed_by": bounded_text(by, BY_MAX)}
        key = {"of_id": image_id, "from_states": [state.value for state in ImageState if state not in unless]}

        columns = FirmwareImageRow.__table__.columns
        still = [columns[name].is_not_distinct_from(value) for name, value in (while_it_has or {}).items()]

        def work(connection: Connection) -> FirmwareImage:
            connection.execute(_CHANGE.where(*still).values(**values), key)
            return _image(_row(connection, image_id))

        return await self._database.write(work)

    async def withdrawn(self, manufacturer: str, sha256: str) -> int | None:
        """Return the number of an entry by which these octets of a manufacturer are withdrawn, or None."""
        key = {"manufacturer": manufacturer, "sha256": sha256}
        found: int | None = await self._database.read(lambda connection: connection.execute(_WITHDRAWN, key).scalar())
        return found

    async def remove(self, image_id: int) -> FirmwareImage:
        """Forget an image and return what it was; updates that are over stay on record without it.

        Raises FirmwareUnknown, and FirmwareConflict where an update under way or a campaign has it.
        """
        key = {"of_id": image_id}

        def work(connection: Connection) -> FirmwareImage:
            registry.hold(connection)
            image = _image(_row(connection, image_id))
            if open_updates := connection.execute(_OPEN_UPDATES, key).scalar_one():
                raise FirmwareConflict(f"image {image_id} is in {open_updates} updates under way: cancel these first")
            campaign = connection.execute(_CAMPAIGN, key).first()
            if campaign is not None:
                raise FirmwareConflict(
                    f"image {image_id} is what campaign {campaign.name!r} installs ({campaign.state}): withdraw it "
                    "instead"
                )
            _remove(connection, image_id)
            return image

        return await self._database.write(work)

    async def is_used(self, sha256: str) -> bool:
        """Return whether any image has these octets."""
        key = {"sha256": sha256}
        return await self._database.read(lambda connection: connection.execute(_USES, key).scalar_one()) > 0

    async def counts(self) -> Mapping[ImageState, int]:
        """Return how many images there are of each state."""
        rows = await self._database.read(lambda connection: connection.execute(_COUNTS).mappings().all())
        found = {row["state"]: row["count"] for row in rows}
        return {state: found.get(state.value, 0) for state in ImageState}


def _added(connection: Connection, new: NewImage, by: str, now: datetime, *, from_order: bool = False) -> FirmwareImage:
    by = bounded_text(by, BY_MAX)
    row = {
        "manufacturer": new.manufacturer,
        "model": new.model,
        "version": new.version,
        "location": new.location,
        "state": ImageState.QUARANTINED.value,
        "signature": new.signature,
        "signing_certificate": new.signing_certificate,
        "signed_at": new.signed_at,
        "added_at": now,
        "added_by": by,
        "changed_at": now,
        "changed_by": by,
        "from_order": from_order,
    }
    return _image(_row(connection, connection.execute(_ADD, row).scalar_one()))


def _remove(connection: Connection, image_id: int) -> None:
    key = {"of_id": image_id}
    connection.execute(_FORGET_UPDATES, key)
    connection.execute(_FORGET_PUBLICATIONS, key)
    connection.execute(_REMOVE, key)


def _row(connection: Connection, image_id: int) -> RowMapping:
    """Raises FirmwareUnknown."""
    row = connection.execute(_FIND, {"of_id": image_id}).mappings().first()
    if row is None:
        raise FirmwareUnknown(f"there is no firmware image {image_id}")
    return row


def _image(row: RowMapping) -> FirmwareImage:
    return FirmwareImage(**{**row, "state": ImageState(row["state"])})


def _of(new: NewImage) -> str:
    return f"version {new.version} of {new.manufacturer}" + (f" for {new.model}" if new.model else "")
