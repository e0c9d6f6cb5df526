"""Actions that a rule names and that lack the fields which it is about."""

from collections.abc import Callable

import pytest

Said = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("match", "parts", "found"),
    [
        ("[Authorize, Heartbeat]", "fields: [{path: idTag, present: true}], audit: true", "never applies at Heartbeat"),
        ("[Authorize, 'Heart*']", "fields: [{path: idTag, present: true}], audit: true", None),
        ("[Authorize, Heartbeat]", "fields: [{path: idTag, present: false}], audit: true", None),
        ("[Authorize, MeterValues]", "fields: [{path: [idTag, meterValue], present: true}], audit: true", None),
        (
            "[Authorize, MeterValues]",
            "fields: [{path: '**', present: true}, {path: idTag, present: true}], audit: true",
            "never applies at MeterValues, which has no field that fields[1] names",
        ),
        (
            "[Authorize, MeterValues]",
            "any: [{path: idTag, present: true}, {path: idToken, present: true}], audit: true",
            "never applies at MeterValues, which has no field that any names",
        ),
        (
            "[Authorize, MeterValues]",
            "any: [{path: idTag, present: true}, {path: idToken, present: false}], audit: true",
            None,
        ),
        ("[Authorize, Heartbeat]", "transform: [{hash: idTag}]", "changes nothing at Heartbeat"),
        ("[Authorize, MeterValues]", "transform: [{hash: idTag}, {truncate: meterValue, to: 9}]", None),
        (
            "[Reset, BootNotification]",
            "fields: [{path: reason, present: true}], audit: true",
            "Reset never comes there",
        ),
    ],
)
def test_an_action_without_the_field_is_found(said: Said, match: str, parts: str, found: str | None) -> None:
    texts = said(f"{{id: one, stage: from_station, match: {{action: {match}}}, {parts}}}")

    assert len(texts) == (found is not None)
    assert all(f"rule one: {found}" in text for text in texts)
