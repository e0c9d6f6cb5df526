"""The policies as the API tells of them: which are in force, and how one would decide on a message."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gateway.app.policies import PoliciesInForce
from gateway.app.policy_facts import AbsentStation, FactsOf, Known, Ownership
from gateway.app.policy_files import PolicyFiles
from gateway.app.policy_json import trace_json
from gateway.app.policy_schemas import OfficialSchemas
from gateway.app.routing import Routing
from gateway.session.ports import StationRecord
from gateway.session.station import Station
from gateway.session.tally import Tally
from gateway.store.books import StoredBooks
from gateway.store.stations import Stations
from policies.engine import Guard
from policies.rules import Rule
from policies.words import NOBODY, Kind, Payload, Stage, Surroundings

FAULTS_MAX: Final = 50
"""Faults of a policy's files that are told."""


class PoliciesTold:
    """Fulfils ``admin.policies.Policies``."""

    def __init__(
        self,
        policies: PoliciesInForce,
        tally: Tally,
        *,
        stations: Stations,
        books: StoredBooks,
        routing: Routing,
        live: Callable[[str], tuple[Station, str] | None],
    ) -> None:
        """``live(identity)`` returns the runtime of a station and the name of its backend."""
        self._policies = policies
        self._tally = tally
        self._stations = stations
        self._books = books
        self._routing = routing
        self._live = live
        self._schemas = OfficialSchemas()

    def listed(self) -> Sequence[Mapping[str, Any]]:
        """Return each policy in force, in the order in which the configuration names them."""
        counts: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for (policy, rule, outcome, mode), count in self._tally.policy_decisions.items():
            counts[policy, rule].append({"outcome": outcome, "mode": mode, "count": count})
        return [_policy_shown(each, counts) for each in self._policies]

    async def explain(
        self,
        *,
        identity: str | None,
        policy: str | None,
        stage: Stage,
        kind: Kind,
        protocol: str,
        action: str,
        payload: Payload,
    ) -> Mapping[str, Any]:
        """Tell what would become of a message now; nothing of it is counted or remembered.

        Raises LookupError for a station or a policy that isn't there, ValueError for what is no message. Raises
        StoreAway.
        """
        if action not in self._schemas.actions(protocol):
            raise ValueError(f"action: {protocol} has no action {action[:50]!r}")
        if kind is Kind.ERROR:
            _check_error(payload)
        files = None if policy is None else self._named(policy)
        files, surroundings = await self._surroundings(identity, files)
        complaint = self._schemas.complaint(protocol, action, kind, payload)
        trace = None
        if complaint is None:
            trace = Guard(lambda: files.policy, surroundings).explain(stage, kind, protocol, action, payload)
        return {
            "policy": files.name,
            "sha256": files.policy.sha256,
            "stage": stage.value,
            "kind": kind.value,
            "protocol": protocol,
            "action": action,
            "schema": complaint,
            **trace_json(trace),
        }

    def _named(self, name: str) -> PolicyFiles:
        found = next((each for each in self._policies if each.name == name), None)
        if found is None:
            names = ", ".join(each.name for each in self._policies)
            raise LookupError(f"no policy {name[:100]!r} is in force; there are {names}")
        return found

    async def _surroundings(self, identity: str | None, files: PolicyFiles | None) -> tuple[PolicyFiles, Surroundings]:
        if identity is None:
            files = files or next(iter(self._policies))
            return files, Surroundings(time.time, time.monotonic, lambda: NOBODY, lambda _: False, shared=files.shared)
        found: tuple[Known, str] | None = self._live(identity)
        if found is None:
            record = await self._stations.find(identity)
            if record is None:
                raise LookupError(f"station {identity[:50]!r} is not registered")
            found = await self._absent(record)
        station, backend = found
        files = files or self._policies.governing(identity, station.record.group, backend)
        return files, Surroundings(
            time.time,
            time.monotonic,
            FactsOf(station, backend),
            Ownership(station.books),
            memory=self._policies.memory(identity),
            shared=files.shared,
        )

    async def _absent(self, record: StationRecord) -> tuple[Known, str]:
        books, _ = await self._books.load(record.identity)
        return AbsentStation(record, books), self._routing.route(record).backend


def _check_error(payload: Payload) -> None:
    form = {"errorCode": str, "errorDescription": str, "errorDetails": dict}
    if payload.keys() != form.keys() or any(type(payload[name]) is not kind for name, kind in form.items()):
        raise ValueError("payload: a CALLERROR's is {errorCode, errorDescription, errorDetails}: two texts, an object")


def _policy_shown(files: PolicyFiles, counts: Mapping[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    policy = files.policy
    return {
        "name": policy.name,
        "description": policy.description,
        "key": files.key,
        "file": str(files.source),
        "mode": policy.mode.value,
        "default": policy.default.value,
        "sha256": policy.sha256,
        "sources": [{"name": each.name, "sha256": each.sha256} for each in policy.sources],
        "loaded_at": files.loaded_at.isoformat(),
        "is_stale": files.is_stale,
        "refused_at": None if files.refused_at is None else files.refused_at.isoformat(),
        "faults": list(files.faults[:FAULTS_MAX]),
        "default_counts": counts.get((policy.name, "default"), []),
        "rules": [_rule_shown(rule, counts.get((policy.name, rule.id), [])) for rule in policy.rules],
    }


def _rule_shown(rule: Rule, counts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": rule.id,
        "threat": rule.threat,
        "stages": [stage.value for stage in rule.stages],
        "effect": rule.effect.value,
        "mode": rule.mode.value,
        "place": str(rule.place),
        "counts": counts,
    }
