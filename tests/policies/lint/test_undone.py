"""Transforms that change nothing, or whose change doesn't last."""

from collections.abc import Callable

import pytest

Said = Callable[..., list[str]]


def transform(*steps: str, name: str = "one", more: str = "") -> str:
    return (
        f"{{id: {name}, stage: from_station, match: {{action: BootNotification, protocol: ocpp1.6}}, {more}"
        f"transform: [{', '.join(steps)}]}}"
    )


REDACT = "{redact: iccid, with: x}"
DROP = "{drop: iccid}"


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ((REDACT, DROP), "undone by the step behind it that says drop: iccid"),
        ((REDACT, "{set: [imsi, iccid], to: x}"), "undone by the step behind it that says set: imsi, iccid"),
        (("{redact: [iccid, imsi]}", DROP), None),
        (("{redact: [iccid, imsi]}", "{drop: [imsi, iccid]}"), "undone by the step behind it"),
        ((REDACT, "{drop: iccid, where: {imsi: {present: true}}}"), None),
        ((REDACT, "{truncate: iccid, to: 2}"), None),
        ((DROP, REDACT), None),
        ((REDACT, "{drop: imsi}"), None),
    ],
)
def test_a_step_that_is_undone_is_found(said: Said, steps: tuple[str, ...], found: str | None) -> None:
    texts = said(transform(*steps))

    assert bool(texts) is (found is not None)
    assert all(f"rule one: {found}" in text for text in texts)


def test_what_holds_the_field_may_be_what_is_dropped(said: Said) -> None:
    steps = "{drop: 'meterValue[].sampledValue[].context'}, {set: 'meterValue[].sampledValue', to: []}"

    [text] = said(f"{{id: one, stage: from_station, match: {{action: MeterValues}}, transform: [{steps}]}}")

    assert "undone by the step behind it that says set: meterValue[].sampledValue" in text


@pytest.mark.parametrize(
    ("between", "second", "is_found"),
    [
        ("", transform(DROP, name="two"), True),
        ("", transform(DROP, name="two", more="fields: [{path: iccid, present: true}], "), False),
        ("", transform(DROP, name="two", more="mode: observe, "), False),
        ("", transform(DROP, name="two").replace("action: Boot", "group: g, action: Boot"), False),
        ("", transform(DROP, name="two").replace("from_station", "to_backend"), False),
        (
            "{id: b, stage: from_station, when: 'now > now', deny: {}}",
            transform(DROP, name="two"),
            False,
        ),
        ("{id: b, stage: to_station, audit: true}", transform(DROP, name="two"), True),
        (transform("{drop: imsi}", name="b"), transform(DROP, name="two"), True),
    ],
)
def test_a_rule_that_is_undone_by_another_is_found(said: Said, between: str, second: str, is_found: bool) -> None:
    texts = said(*filter(None, (transform(REDACT), between, second)))

    assert any("rule one: undone by the rule two, which says drop: iccid" in text for text in texts) is is_found


@pytest.mark.parametrize(
    ("step", "most"),
    [
        ("{truncate: iccid, to: 20}", 20),
        ("{truncate: [iccid, chargePointSerialNumber], to: 25}", 25),
        ("{truncate: [iccid, chargePointSerialNumber], to: 24}", None),
        ("{truncate: iccid, to: 19}", None),
        ("{redact: iccid}", None),
    ],
)
def test_a_cut_that_cuts_nothing_is_found(said: Said, step: str, most: int | None) -> None:
    texts = said(transform(step))

    assert bool(texts) is (most is not None)
    assert all(f"rule one: changes nothing: the schema allows {most} at most" in text for text in texts)


@pytest.mark.parametrize(
    "rule",
    [
        "{id: one, stage: from_station, match: {kind: error}, transform: [{truncate: errorDescription, to: 255}]}",
        "{id: one, stage: from_station, match: {action: MeterValues}, transform: [{truncate: meterValue, to: 9000}]}",
        "{id: one, stage: from_station, match: {action: DataTransfer}, transform: [{truncate: data, to: 9000}]}",
    ],
)
def test_where_the_schema_has_no_bound_any_cut_is_one(said: Said, rule: str) -> None:
    assert said(rule) == []
