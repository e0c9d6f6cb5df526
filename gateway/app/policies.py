"""The policies in force: which one governs which station, and what their rules are told of it."""

import asyncio
import functools
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from gateway.app.policy_facts import FactsOf, Ownership
from gateway.app.policy_files import PolicyFiles
from gateway.app.policy_schemas import OfficialSchemas
from gateway.app.problems import StartFailed
from gateway.config import Config
from gateway.config.check import Problem
from gateway.config.policies import policy_keys, policy_of
from gateway.config.values import PolicySource
from gateway.services.looking import look_once
from gateway.services.policy_decisions import PolicyDecisions
from gateway.session.station import Station
from gateway.session.tally import Tally
from policies.engine import Guard, Policy, PolicyError, load
from policies.words import Memory, Schemas, Surroundings

POLL: Final = 2.0
"""Seconds between two looks at the files."""
MEMORIES_MAX: Final = 100_000
"""Stations of which is remembered what their rules have counted; those that were not here for longest are forgotten."""


class PoliciesInForce:
    """All policies that the configuration names."""

    def __init__(self, config: Config, tally: Tally) -> None:
        """Load them. Raises :class:`StartFailed`."""
        self._config = config
        schemas = OfficialSchemas()
        loaded, problems = load_all(config, schemas)
        errors = [problem for problem in problems if problem.is_error]
        if errors:
            more = f" (and {len(errors) - 1} more: voltgate check)" if len(errors) > 1 else ""
            raise StartFailed(f"{errors[0].key}: {errors[0].text}{more}")
        self._files = {
            source: PolicyFiles(
                key,
                policy,
                source,
                schemas=schemas,
                tally=tally,
                objection=functools.partial(self._objection, source),
            )
            for source, (key, policy) in loaded.items()
        }
        self._memories: OrderedDict[str, Memory] = OrderedDict()

    def __iter__(self) -> Iterator[PolicyFiles]:
        """Yield each, in the order in which the configuration names them."""
        return iter(self._files.values())

    def guard(self, station: Station, backend: str, decisions: PolicyDecisions) -> Guard:
        """Make the policy as it meets one station that has ``backend``; it follows the station from group to group."""
        governing = _Governing(self, station, backend)
        station.when_regrouped = governing.choose
        facts = FactsOf(station, backend)
        surroundings = Surroundings(
            now=time.time,
            monotonic=time.monotonic,
            facts=facts,
            owns=Ownership(station.books),
            memory=self.memory(station.identity),
            shared=governing.files.shared,
            revision=facts.revision,
        )
        governing.surroundings = surroundings
        return Guard(governing, surroundings, decisions.of(station, governing.present))

    async def follow(self) -> None:
        """Say what is in force, and look at the files again and again, for ever."""
        for files in self:
            files.announce()
        while True:
            await asyncio.sleep(POLL)
            await self.look()

    async def look(self, *, at_once: bool = False) -> None:
        """Look at all files, and take over what is new and in order."""
        for files in self:
            look = functools.partial(files.look, at_once=at_once)
            await look_once(look, "policy_not_looked_at", policy=files.key)

    def governing(self, identity: str, group: str | None, backend: str) -> PolicyFiles:
        """Return the policy that is for a station."""
        return self._files[policy_of(self._config, identity, group, backend)]

    def memory(self, identity: str) -> Memory:
        """Return what rules remember of a station."""
        memory = self._memories.pop(identity, None) or Memory()
        self._memories[identity] = memory
        if len(self._memories) > MEMORIES_MAX:
            self._memories.popitem(last=False)
        return memory

    def _objection(self, source: PolicySource, policy: Policy) -> str | None:
        """Return why a policy can't be in force beside the others."""
        other = next((each for each in self if each.source != source and each.name == policy.name), None)
        return None if other is None else _same_name(source, policy.name, other.source)


class _Governing:
    """The policy of one station: asked at each of its messages."""

    __slots__ = ("_all", "_backend", "_station", "files", "surroundings")

    def __init__(self, all_: PoliciesInForce, station: Station, backend: str) -> None:
        self._all = all_
        self._station = station
        self._backend = backend
        self.files = self._chosen()
        self.surroundings: Surroundings | None = None

    def __call__(self) -> Policy:
        return self.files.policy

    def present(self) -> PolicyFiles:
        """Return where it comes from."""
        return self.files

    def _chosen(self) -> PolicyFiles:
        return self._all.governing(self._station.identity, self._station.record.group, self._backend)

    def choose(self) -> None:
        """The station is in another group now."""
        self.files = self._chosen()
        if self.surroundings is not None:
            self.surroundings.shared = self.files.shared


def load_all(config: Config, schemas: Schemas) -> tuple[dict[PolicySource, tuple[str, Policy]], list[Problem]]:
    """Load each policy that the configuration names once, with the first key that names it; return what is wrong, too.

    Blocks. Two policies can't have one name: log, metrics and API name them by it.
    """
    loaded: dict[PolicySource, tuple[str, Policy]] = {}
    problems: list[Problem] = []
    tried: set[PolicySource] = set()
    for key, source in policy_keys(config):
        if source in tried:
            continue
        tried.add(source)
        try:
            policy = load(source, schemas)
        except PolicyError as error:
            problems += [Problem.error(key, str(each)) for each in error.problems]
            continue
        problems += [Problem.warning(key, str(each)) for each in policy.warnings]
        twin = next((other for other, (_, each) in loaded.items() if each.name == policy.name), None)
        if twin is not None:
            problems.append(Problem.error(key, _same_name(source, policy.name, twin)))
        loaded[source] = key, policy
    return loaded, problems


def _same_name(source: PolicySource, name: str, other: PolicySource) -> str:
    return f"{source}: is called {name}, and so is {other}; give each its own `name`"
