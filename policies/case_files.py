"""Files of cases: ``<policy>.tests.yaml``, strictly read, every fault with its line.

The form is ``cases.schema.json``; what its fields mean is in docs/policy-tools.md. A message that breaks its official
schema is a fault of the case: no policy ever sees one.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from policies import form
from policies.case_payloads import PathRefused, changed
from policies.cases import Case, CaseFile, Expected, Message, Step, facts_of, protocol_at
from policies.documents import Document, Where, contents, read
from policies.problems import PolicyError, Problem, spelled
from policies.rules import Place
from policies.words import Facts, Kind, Outcome, Payload, Reason, Schemas, Stage

NOW: Final = "2026-01-01T00:00:00Z"
"""The time in a case that gives none."""
_ERROR: Final = {"errorCode": str, "errorDescription": str, "errorDetails": dict}
"""What a CALLERROR says: no schema has it, and a field that isn't there passes every policy."""


class CasesRefused(PolicyError):
    """A file of cases can't be used; ``problems`` are all that are wrong with it."""


def read_cases(path: Path, schemas: Schemas) -> CaseFile:
    """Read a file of cases. Raises :class:`CasesRefused`."""
    try:
        raw = contents(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CasesRefused([Problem(Place(str(path), 0), f"{why}: give the file of a policy's cases")]) from None
    document = read(raw, str(path))
    if not document.problems:
        for where, text in form.faults(document.data, form.CASES):
            _note(document, where, text)
    cases = () if document.problems else tuple(_Reading(document, schemas).cases())
    if document.problems:
        raise CasesRefused(document.problems)
    beside = path.parent / document.data["policy"]
    return CaseFile(path, beside if beside.is_file() else document.data["policy"], cases)


class _Fault(Exception):
    """One fault of a case; ``where`` is its place below the case or step."""

    def __init__(self, where: Where, text: str) -> None:
        super().__init__(text)
        self.where = where


class _Reading:
    """One document of the right form on its way to cases; collects what is wrong with them."""

    def __init__(self, document: Document, schemas: Schemas) -> None:
        self._document = document
        self._data = document.data
        self._schemas = schemas
        self._now = 0.0

    def cases(self) -> Iterator[Case]:
        try:
            self._now = _time(self._data.get("now", NOW))
        except _Fault as fault:
            _note(self._document, fault.where, str(fault))
        names: dict[str, int] = {}
        for index, case in enumerate(self._data["cases"]):
            where: Where = ("cases", index)
            if case["name"] in names:
                _note(self._document, (*where, "name"), f"stands twice; case {names[case['name']] + 1} has it too")
            names.setdefault(case["name"], index)
            try:
                yield self._case(where, case)
            except _Fault as fault:
                _note(self._document, (*where, *fault.where), str(fault))

    def _case(self, where: Where, case: Mapping[str, Any]) -> Case:
        now = _time(case["now"]) if "now" in case else self._now
        place = self._document.place(where)
        if "steps" not in case:
            if "expect" not in case:
                raise _Fault((), "has no `expect`, and no `steps` that have")
            return Case(case["name"], place, now, (self._step(where, case, {"expect": case["expect"]}),))
        if "expect" in case:
            raise _Fault(("expect",), "stands in each of the `steps`, not beside them")
        steps = []
        for index, step in enumerate(case["steps"]):
            try:
                steps.append(self._step((*where, "steps", index), case, step))
            except _Fault as fault:
                _note(self._document, (*where, "steps", index, *fault.where), str(fault))
        return Case(case["name"], place, now, tuple(steps))

    def _step(self, where: Where, case: Mapping[str, Any], step: Mapping[str, Any]) -> Step:
        facts = facts_of({**self._data.get("facts", {}), **case.get("facts", {}), **step.get("facts", {})})
        owns = step.get("owns", case.get("owns", self._data.get("owns", ())))
        message = self._message(case, step, facts)
        return Step(
            place=self._document.place(where),
            message=message,
            expected=self._expected(step["expect"], message),
            facts=facts,
            owns=frozenset(owns),
            after=step.get("after", 0.0),
            times=step.get("times", 1),
        )

    def _message(self, case: Mapping[str, Any], step: Mapping[str, Any], facts: Facts) -> Message:
        said = {**case, **step}
        for key in ("stage", "action"):
            if key not in said:
                raise _Fault((), f"has no `{key}`")
        stage, kind, action = Stage(said["stage"]), Kind(said.get("kind", "call")), said["action"]
        protocol = said.get("protocol", protocol_at(stage, facts))
        if action not in self._schemas.actions(protocol):
            raise _Fault(("action",), f"{protocol} has no action {action!r}")
        message = Message(stage, kind, protocol, action, self._payload(case, step))
        if kind is Kind.ERROR and {name: type(value) for name, value in message.payload.items()} != _ERROR:
            raise _Fault((), "a CALLERROR is {errorCode, errorDescription, errorDetails}: two texts and a mapping")
        complaint = self._schemas.complaint(protocol, action, kind, message.payload)
        if complaint is not None and said.get("fits", True):
            raise _Fault((), f"the message breaks its official schema: {complaint}; is it meant to, say `fits: false`")
        if complaint is None and not said.get("fits", True):
            raise _Fault(("fits",), "the message fits its official schema")
        return message

    def _payload(self, case: Mapping[str, Any], step: Mapping[str, Any]) -> Payload:
        payload: Payload = {}
        for said in (case, step):
            if "payload" in said and "base" in said:
                raise _Fault(("base",), "stands beside a `payload`; take one of them")
            if "payload" in said:
                payload = said["payload"]
            elif "base" in said:
                if said["base"] not in self._data.get("base", {}):
                    raise _Fault(("base",), f"the file has no base {said['base']!r}")
                payload = self._data["base"][said["base"]]
            payload = _changed(payload, said)
        return payload

    def _expected(self, said: Mapping[str, Any], message: Message) -> Expected:
        outcome = Outcome(said["outcome"])
        payload = said.get("payload")
        if outcome is Outcome.PASSED and ("payload" in said or "with" in said):
            raise _Fault(
                ("expect",), "what passed is as it was; take `payload` and `with` out, or expect `transformed`"
            )
        if "error" in said and outcome is not Outcome.DENIED:
            raise _Fault(("expect", "error"), "only what is denied has an error")
        if "with" in said:
            if payload is not None or outcome is not Outcome.TRANSFORMED:
                raise _Fault(("expect", "with"), "is for what is transformed, in the place of `payload`")
            payload = _changed(message.payload, said, ("expect",))
        if "error" in said and said["error"] not in self._schemas.errors(message.protocol):
            raise _Fault(("expect", "error"), f"{message.protocol} has no errorCode {said['error']!r}")
        return Expected(
            outcome,
            rule=said.get("rule"),
            reason=Reason(said["reason"]) if "reason" in said else None,
            payload=payload,
            error=said.get("error"),
            audited=frozenset(said["audited"]) if "audited" in said else None,
            observed=frozenset(said["observed"]) if "observed" in said else None,
        )


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise _Fault(("now",), f"{text} is no time") from None


def _changed(payload: Payload, said: Mapping[str, Any], where: Where = ()) -> Payload:
    try:
        return changed(payload, said.get("with", {}), said.get("repeat"))
    except PathRefused as refusal:
        raise _Fault(where, str(refusal)) from None


def _note(document: Document, where: Where, text: str) -> None:
    document.problems.append(Problem(document.place(where), f"{spelled(where)}: {text}" if where else text))
