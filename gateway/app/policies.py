"""The policies in force: which one meets which station, and what they are told of it."""

import time
from collections.abc import Callable

from gateway.app.policy_schemas import OfficialSchemas
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.session.station import Station
from policies.engine import Guard, PolicyError, load
from policies.words import Facts, Memory, Surroundings


class PoliciesInForce:
    """All policies that the configuration names."""

    def __init__(self, config: Config) -> None:
        """Load them. Raises :class:`StartFailed`."""
        try:
            self._policy = load(config.policy, OfficialSchemas())
        except PolicyError as error:
            raise StartFailed(f"policy: {error}") from None
        self._shared = Memory()

    def guard(self, station: Station) -> Guard:
        """Make the policy as it meets one station."""
        surroundings = Surroundings(
            now=time.time,
            monotonic=time.monotonic,
            facts=facts_of(station),
            owns=lambda number: owns(station, number),
            shared=self._shared,
        )
        return Guard(lambda: self._policy, surroundings)


def facts_of(station: Station) -> Callable[[], Facts]:
    """Return what gathers, when a rule asks for it, what is known of a station."""

    def facts() -> Facts:
        record = station.record
        return Facts(
            record.identity,
            group=record.group,
            backend=record.backend or "",
            protocol=station.version.value,
            security_profile=station.profile,
            serial=record.serial,
            address=station.remote,
            is_booted=station.gate.is_open,
            running=sum(not tx.is_over for tx in station.books.transactions.values()),
        )

    return facts


def owns(station: Station, number: object) -> bool:
    """Return whether a transactionId, of the station's dialect or the backend's, is one of the station's.

    That is so too of one whose begin is in the quarantine: there it follows.
    """
    books = station.books
    if isinstance(number, int):
        is_known = any(number in {tx.backend_tx, tx.station_number} for tx in books.transactions.values())
        return is_known or str(number) in books.quarantined
    return number in books.transactions or number in books.quarantined
