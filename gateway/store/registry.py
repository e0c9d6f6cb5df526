"""The registry's one row: the revision that running gateways follow, and the lock that puts changes in order.

Plain functions of a connection, for the SQL transactions of those that change what a person keeps.
"""

from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from gateway.store.models import Registry

_REVISION: Final = select(Registry.revision)
_HOLD: Final = update(Registry).values(revision=Registry.revision)
_REVISE: Final = update(Registry).values(revision=Registry.revision + 1).returning(Registry.epoch_floor)
_RAISE_FLOOR: Final = (
    update(Registry).where(Registry.epoch_floor < bindparam("to_floor")).values(epoch_floor=bindparam("to_floor"))
)


def read_revision(connection: Connection) -> int:
    """Return the number that grows with every change that a person made, in any process."""
    return connection.execute(_REVISION).scalar_one()


def hold(connection: Connection) -> None:
    """Let no other hold or change the registry until this SQL transaction ends."""
    connection.execute(_HOLD)


def revise(connection: Connection) -> int:
    """Count one change, holding the registry; return the epoch that a new station starts from.

    Of what a SQL transaction locks for writing, the registry comes before any station.
    """
    return connection.execute(_REVISE).scalar_one()


def raise_epoch_floor(connection: Connection, epoch: int) -> None:
    """A station that had this epoch is removed: one that is registered anew starts from there."""
    connection.execute(_RAISE_FLOOR, {"to_floor": epoch})
