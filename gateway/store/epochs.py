"""The lock on a station's row under its owner's epoch, with which every write about a station begins."""

from typing import Any, Final

from sqlalchemy import Connection, bindparam, update

from gateway.session.ports import StaleEpoch
from gateway.store.models import Station

OF_OWNER: Final = update(Station).where(
    Station.identity == bindparam("of_identity"), Station.epoch == bindparam("of_epoch")
)
HOLD: Final = OF_OWNER.values(epoch=Station.epoch)
"""Locks the station's row and changes nothing."""


def own(connection: Connection, statement: Any, identity: str, epoch: int) -> None:
    """Execute ``statement``, one of :data:`OF_OWNER`. Raises StaleEpoch when the station has another owner."""
    if connection.execute(statement, {"of_identity": identity, "of_epoch": epoch}).rowcount == 0:
        raise StaleEpoch(f"station {identity!r} has another owner than epoch {epoch}")
