"""A station's row as the record that the gateway knows, and back."""

from typing import Any, Final

from gateway.session.ports import BootStatus, StationRecord
from gateway.store.columns import from_json_text, json_text
from gateway.store.models import Station
from gateway.wire.versions import Version

STATION_COLUMNS: Final = (
    Station.identity,
    Station.minimum_profile,
    Station.serial,
    Station.backend,
    Station.password_hash,
    Station.boot_status,
    Station.boot_interval,
    Station.boot_payload,
    Station.boot_reported,
    Station.next_password_hash,
    Station.next_password_waits,
    Station.allow_expired,
    Station.allow_downgrade,
    Station.pinned_version,
    Station.version,
    Station.station_group,
)
"""The fields of a StationRecord."""
_FIELDS: Final = {"station_group": "group"}
"""Column -> field, where they are named differently."""


def station_row(record: StationRecord) -> dict[str, Any]:
    """Return the columns of a record, and of what follows from it."""
    row = {column.key: getattr(record, _FIELDS.get(column.key, column.key)) for column in STATION_COLUMNS}
    return row | {
        "certificate_name": record.certificate_name,
        "boot_status": record.boot_status.value,
        "boot_payload": None if record.boot_payload is None else json_text(record.boot_payload),
        "pinned_version": version_text(record.pinned_version),
        "version": version_text(record.version),
    }


def station_record(row: Any) -> StationRecord:
    """Return the record of a row of :data:`STATION_COLUMNS`, the columns as attributes."""
    fields: dict[str, Any] = row._asdict()
    payload = fields["boot_payload"]
    fields["boot_status"] = BootStatus(fields["boot_status"])
    fields["boot_payload"] = None if payload is None else from_json_text(payload)
    for name in ("pinned_version", "version"):
        fields[name] = version_of(fields[name])
    for column, name in _FIELDS.items():
        fields[name] = fields.pop(column)
    return StationRecord(**fields)


def version_text(version: Version | None) -> str | None:
    """Return an OCPP version as it is stored: its subprotocol."""
    return None if version is None else version.value


def version_of(text: str | None) -> Version | None:
    """Return the OCPP version that :func:`version_text` wrote."""
    return None if text is None else Version(text)
