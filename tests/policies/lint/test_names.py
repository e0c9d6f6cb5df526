"""What a match names in vain: stations that there aren't, actions that nobody sends there."""

from collections.abc import Callable

import pytest

from policies.lint.names import Names

Said = Callable[..., list[str]]

KNOWN = Names(stations=["CS-1", "CS-2"], groups=["depot"], backends=["legacy"])


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("{station: 'CS-*'}", []),
        ("{station: 'cs-*'}", ["'cs-*' is no station of this configuration"]),
        ("{station: [CS-1, CS-9]}", ["'CS-9' is no station of this configuration"]),
        ("{group: depot}", []),
        ("{group: [depots, '*']}", ["'depots' is no group of this configuration"]),
        ("{backend: 'l?gacy'}", []),
        ("{backend: [a, b]}", ["'a' is no backend", "'b' is no backend"]),
    ],
)
def test_what_nobody_is_called_is_found(said: Said, match: str, found: list[str]) -> None:
    rule = f"{{id: one, stage: from_station, match: {match}, audit: true}}"
    texts = said(rule, names=KNOWN)

    assert len(texts) == len(found)
    assert all(words in text for words, text in zip(found, texts, strict=True))
    assert said(rule) == []


def test_where_there_are_none_every_name_is_found(said: Said) -> None:
    rule = "{id: one, stage: from_station, match: {group: '*'}, audit: true}"

    assert said(rule, names=Names(groups=())) == ["4: rule one: '*' is no group of this configuration"]


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ("{action: Reset}", "no such message ever comes there: it is a backend that asks by Reset"),
        (
            "{kind: result, action: Heartbeat}",
            "no such message ever comes there: it is a station that asks by Heartbeat",
        ),
        ("{action: [Heartbeat, Reset]}", "Reset never comes there: it is a backend that asks by Reset"),
        ("{kind: [call, result], action: [Heartbeat, Reset]}", None),
        ("{action: ['*Reset*', Heartbeat]}", None),
        ("{action: '*'}", None),
        ("{action: DataTransfer, kind: [call, result, error]}", None),
    ],
)
def test_what_goes_the_wrong_way_is_found(said: Said, match: str, found: str | None) -> None:
    texts = said(f"{{id: one, stage: from_station, match: {match}, audit: true}}")

    assert bool(texts) is (found is not None)
    assert all(f"rule one: {found}" in text for text in texts)
