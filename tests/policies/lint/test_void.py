"""Parts of an effect that have none, and effects that say the opposite of what they do."""

from collections.abc import Callable

import pytest

Said = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("kind", "is_found"), [("result", True), ("[result, error]", True), ("[call, result]", False), ("call", False)]
)
def test_a_limit_of_answers_alone_is_found(said: Said, kind: str, is_found: bool) -> None:
    texts = said(f"{{id: a, stage: from_station, match: {{kind: {kind}}}, limit: {{by: station, rate: 1/day}}}}")

    assert any("no more answers than questions" in text for text in texts) is is_found


@pytest.mark.parametrize(
    ("kind", "spec", "is_found"),
    [
        ("error", "{error: GenericError}", True),
        ("error", "{text: x}", False),
        ("[error, result]", "{error: GenericError}", False),
        ("call", "{error: GenericError}", False),
    ],
)
def test_a_code_for_what_keeps_its_own_is_found(said: Said, kind: str, spec: str, is_found: bool) -> None:
    texts = said(f"{{id: a, stage: from_station, match: {{kind: {kind}}}, deny: {spec}}}")

    assert any("keeps its errorCode" in text for text in texts) is is_found


@pytest.mark.parametrize(
    ("effect", "is_found"),
    [
        ("deny: {status: Accepted}", True),
        ("limit: {by: station, rate: 1/day, over: {deny: {status: Accepted}}}", True),
        ("deny: {status: Rejected}", False),
        ("limit: {by: station, rate: 1/day, over: {deny: {status: Rejected}}}", False),
        ("limit: {by: station, rate: 1/day, over: {answer: {status: Accepted}}}", False),
        ("limit: {by: station, rate: 1/day}", False),
        ("answer: {status: Accepted}", False),
    ],
)
def test_a_denial_that_says_yes_is_found(said: Said, effect: str, is_found: bool) -> None:
    texts = said(f"{{id: a, stage: from_backend, match: {{action: Reset}}, {effect}}}")

    assert any("tells the asker that it was done" in text for text in texts) is is_found


@pytest.mark.parametrize(
    ("kind", "action", "step", "is_found"),
    [
        ("call", "GetConfiguration", "{drop: 'key[]', where: {'.': {like: ['*key']}}}", True),
        ("call", "GetConfiguration", "{drop: key}", True),
        ("call", "GetConfiguration", "{redact: 'key[]'}", False),
        ("call", "Get*", "{drop: ['id[]', 'componentVariable[]']}", True),
        ("call", "SendLocalList", "{drop: 'localAuthorizationList[]'}", True),
        ("call", "SendLocalList", "{drop: 'localAuthorizationList[].idTagInfo.expiryDate'}", False),
        ("result", "GetConfiguration", "{drop: 'configurationKey[]'}", False),
    ],
)
def test_a_list_that_means_all_when_it_is_empty_is_found(
    said: Said, kind: str, action: str, step: str, is_found: bool
) -> None:
    match = f"{{kind: {kind}, action: '{action}'}}"
    texts = said(f"{{id: a, stage: [from_backend, to_backend], match: {match}, transform: [{step}]}}")

    assert any("means all there is: deny it instead" in text for text in texts) is is_found
