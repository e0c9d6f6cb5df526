"""The rotation of a station's password (OCPP 2.0.1 A01, 1.6 AuthorizationKey): one is offered, then settled.

Plain functions of a connection, one UPDATE each, so that any two of them that race are put in order by the database.
"""

from typing import Final

from sqlalchemy import Connection, Text, and_, bindparam, not_, or_, update

from gateway.store.models import Station

_HASH: Final = bindparam("password", type_=Text())
_OF: Final = update(Station).where(Station.identity == bindparam("of_identity"))
_OFFERED: Final = _OF.where(Station.next_password_hash == _HASH)

_OFFER: Final = _OF.values(next_password_hash=_HASH, next_password_waits=False)
_ACCEPT: Final = _OFFERED.values(password_hash=_HASH, next_password_hash=None, next_password_waits=False)
_REFUSE: Final = _OFFERED.values(next_password_hash=None, next_password_waits=False)
_AWAIT: Final = _OFFERED.values(next_password_waits=True)
_USED: Final = _OF.where(
    or_(
        Station.next_password_hash == _HASH,
        and_(
            Station.next_password_hash.is_not(None),
            Station.password_hash == _HASH,
            not_(Station.next_password_waits),
        ),
    )
).values(password_hash=_HASH, next_password_hash=None, next_password_waits=False)


def offer(connection: Connection, identity: str, password_hash: str) -> bool:
    """Keep the password beside the present one; return False when the station isn't registered."""
    return connection.execute(_OFFER, _values(identity, password_hash)).rowcount > 0


def settle(connection: Connection, identity: str, password_hash: str, *, accepted: bool) -> bool:
    """Make the offered password the only one, or forget it; return False when another or none is offered."""
    return connection.execute(_ACCEPT if accepted else _REFUSE, _values(identity, password_hash)).rowcount > 0


def await_reboot(connection: Connection, identity: str, password_hash: str) -> bool:
    """Let the offered password wait for the station's reboot; return False when another or none is offered."""
    return connection.execute(_AWAIT, _values(identity, password_hash)).rowcount > 0


def use(connection: Connection, identity: str, password_hash: str) -> bool:
    """Settle an offer by the password that the station used; return False when that settles nothing."""
    return connection.execute(_USED, _values(identity, password_hash)).rowcount > 0


def _values(identity: str, password_hash: str) -> dict[str, str]:
    return {"of_identity": identity, "password": password_hash}
