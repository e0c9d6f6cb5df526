"""Conditions that no message can fulfil."""

from collections.abc import Callable

import pytest

Said = Callable[..., list[str]]

MANY = "{path: 'meterValue[].sampledValue', length: {max: 4}}"


def fields(*entries: str, key: str = "fields", action: str = "MeterValues", kind: str = "call") -> str:
    return (
        f"{{id: one, stage: from_station, match: {{action: '{action}', kind: {kind}}}, "
        f"{key}: [{', '.join(entries)}], audit: true}}"
    )


@pytest.mark.parametrize(
    ("one", "other", "is_found"),
    [
        ("{path: connectorId, present: false}", "{path: connectorId, range: {min: 1}}", True),
        ("{path: 'meterValue[]', present: true}", "{path: 'meterValue[]', present: false}", True),
        ("{path: connectorId, present: false}", "{path: connectorId, present: false}", False),
        ("{path: connectorId, present: false}", "{path: transactionId, present: true}", False),
        ("{path: connectorId, range: {min: 5}}", "{path: connectorId, range: {max: 4}}", True),
        ("{path: connectorId, range: {min: 5}}", "{path: connectorId, range: {max: 5}}", False),
        ("{path: connectorId, range: {min: 5}}", "{path: connectorId, range: {below: 5}}", True),
        ("{path: connectorId, range: {above: 5}}", "{path: connectorId, range: {max: 5}}", True),
        ("{path: connectorId, one_of: [1, 2]}", "{path: connectorId, one_of: [3]}", True),
        ("{path: connectorId, one_of: [1, 2]}", "{path: connectorId, one_of: [2]}", False),
        ("{path: connectorId, one_of: [1]}", "{path: connectorId, not: {one_of: [1]}}", True),
        ("{path: connectorId, one_of: [1]}", "{path: connectorId, not: {one_of: [2]}}", False),
        ("{path: meterValue, length: {min: 5}}", "{path: meterValue, length: {max: 4}}", True),
        (
            "{path: 'meterValue[].sampledValue', length: {min: 5}}",
            MANY,
            False,
        ),
        ("{path: ['connectorId'], one_of: [1]}", "{path: ['connectorId'], one_of: [2]}", False),
    ],
)
def test_entries_that_exclude_each_other_are_found(said: Said, one: str, other: str, is_found: bool) -> None:
    texts = said(fields(one, other))

    assert bool(texts) is is_found
    assert all("rule one: never applies: fields[0] and fields[1] exclude each other at" in text for text in texts)
    assert said(fields(one, other, key="any")) == []


@pytest.mark.parametrize(
    ("action", "entry", "most"),
    [
        ("Authorize", "{path: idTag, length: {min: 21}}", 20),
        ("Authorize", "{path: idTag, not: {length: {max: 20}}}", 20),
        ("Authorize", "{path: [idTag, idToken.idToken], length: {min: 37}}", 36),
        ("Authorize", "{path: idTag, length: {min: 20}}", None),
        ("Authorize", "{path: idTag, not: {length: {max: 19}}}", None),
        ("Authorize", "{path: idTag, not: {length: {min: 1, max: 20}}}", None),
        ("Authorize", "{path: idTag, not: {length: {max: 20}, present: true}}", None),
        ("Authorize", "{path: [idTag, idToken.idToken], length: {min: 21}}", None),
        ("Authorize", "{path: '**', length: {min: 9999}}", None),
        ("Authorize", "{path: iso15118CertificateHashData, length: {min: 5}}", 4),
        ("MeterValues", "{path: meterValue, length: {min: 5000}}", None),
        ("MeterValues", "{path: connectorId, present: true}", None),
    ],
)
@pytest.mark.parametrize("key", ["fields", "any"])
def test_lengths_beyond_the_schema_are_found(said: Said, key: str, action: str, entry: str, most: int | None) -> None:
    texts = said(fields(entry, key=key, action=action))

    assert bool(texts) is (most is not None)
    assert all(f"rule one: never holds: the schema allows {most} at most" in text for text in texts)


def test_no_schema_looks_at_errors(said: Said) -> None:
    assert said(fields("{path: errorDescription, length: {min: 300}}", action="*", kind="error")) == []


def test_a_path_that_is_none_is_left_to_the_compiler(said: Said) -> None:
    assert said(fields("{path: 'a..b', length: {min: 300}}")) == []
