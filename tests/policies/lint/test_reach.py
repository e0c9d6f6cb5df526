"""Rules that no message reaches, actions that pass unseen, rules that say a thing twice."""

from collections.abc import Callable

import pytest

Said = Callable[..., list[str]]

RESET = "{id: reset, stage: from_backend, match: {action: Reset}, limit: {by: station, rate: 4/hour}}"
ANY_RESET = "{id: any, stage: from_backend, match: {action: Reset}, deny: {}}"
SOFT = "{id: soft, stage: from_backend, match: {action: Reset}, fields: [{path: type, one_of: [Soft]}], deny: {}}"
STRIPPED = "{id: strip, stage: from_backend, match: {protocol: ocpp2.0.1}, transform: [{drop: '**.customData'}]}"


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ([ANY_RESET, RESET], ["5: rule reset: never reached: any decided before; move it up"]),
        ([RESET, ANY_RESET], []),
        ([SOFT, RESET], []),
        (["{id: all, stage: from_backend, deny: {}}", RESET], ["rule reset: never reached: all decided before"]),
        (["{id: all, stage: from_backend, deny: {}, mode: observe}", RESET], []),
        (["{id: all, stage: from_backend, match: {group: g}, deny: {}}", RESET], []),
        (
            [
                "{id: old, stage: from_backend, match: {protocol: ocpp1.6}, deny: {}}",
                "{id: new, stage: from_backend, match: {protocol: ocpp2.0.1}, deny: {}}",
                RESET,
            ],
            ["rule reset: never reached: old, new decided before"],
        ),
        (
            [SOFT, SOFT.replace("id: soft", "id: again").replace("deny: {}", "deny: {text: x}")],
            ["rule again: never reached: soft decided before"],
        ),
        ([SOFT, STRIPPED, SOFT.replace("id: soft", "id: again").replace("deny: {}", "deny: {text: x}")], []),
        ([ANY_RESET, STRIPPED, RESET], ["rule reset: never reached: any decided before"]),
    ],
)
def test_what_is_decided_before_is_never_reached(said: Said, rules: list[str], found: list[str]) -> None:
    texts = said(*rules)

    assert len(texts) == len(found)
    for text, words in zip(texts, found, strict=True):
        assert words in text


def test_to_decide_before_an_inherited_rule_is_no_fault(said: Said) -> None:
    assert said(ANY_RESET, base=(RESET,)) == []


def test_a_rule_that_replaces_an_inherited_one_may_be_in_vain(said: Said) -> None:
    replaced = RESET.replace("4/hour", "2/hour")

    [text] = said(replaced, base=(ANY_RESET, RESET))

    assert "rule reset: never reached: any decided before" in text


@pytest.mark.parametrize("base", [True, False], ids=["inherited", "own"])
def test_an_action_that_is_allowed_before_it_is_checked_is_found(said: Said, base: bool) -> None:
    allowed = "{id: wave, stage: from_backend, match: {action: [ClearCache, 'Res*']}, allow: true}"
    checks = (SOFT, STRIPPED, "{id: noted, stage: from_backend, audit: true}")

    [text, *_] = said(allowed, base=checks) if base else said(allowed, *checks)

    assert "rule wave: allows ClearCache, ReserveNow, Reset whatever it holds, before soft, strip look at it" in text


@pytest.mark.parametrize(
    "allowed",
    [
        "{id: wave, stage: from_backend, match: {action: Reset}, fields: [{path: type, present: true}], allow: true}",
        "{id: wave, stage: from_backend, match: {action: Reset}, allow: true, mode: observe}",
        "{id: wave, stage: to_station, match: {action: Reset}, allow: true}",
        "{id: wave, stage: from_backend, match: {action: ClearCache, protocol: ocpp1.6}, allow: true}",
    ],
)
def test_what_is_allowed_under_a_condition_or_elsewhere_is_no_fault(said: Said, allowed: str) -> None:
    assert said(allowed, SOFT, STRIPPED) == []


def test_many_are_not_all_named(said: Said) -> None:
    rules = [
        SOFT.replace("id: soft", f"id: rule-{name}").replace("deny", f"when: '{name}', deny") for name in "abcdefg"
    ]

    texts = said("{id: wave, stage: from_backend, match: {action: Reset}, allow: true}", *rules)

    assert "before rule-a, rule-b, rule-c, rule-d, rule-e and 2 more look at it" in texts[0]


@pytest.mark.parametrize(
    ("change", "is_found"),
    [
        (("id: soft", "id: again"), True),
        (("action: Reset", "action: [Reset, Reset]"), True),
        (("from_backend", "to_station"), False),
        (("action: Reset", "action: Reset, group: g"), False),
        (("one_of: [Soft]", "one_of: [Hard]"), False),
        (("deny: {}", "deny: {text: x}"), False),
        (("deny: {}", "when: 'now > now', deny: {}"), False),
        (("deny: {}", "mode: observe, deny: {}"), False),
    ],
)
def test_a_rule_that_says_the_same_is_found(said: Said, change: tuple[str, str], is_found: bool) -> None:
    limit = SOFT.replace("deny: {}", "limit: {by: station, rate: 1/day}").replace("deny", "limit")
    twin = SOFT.replace("id: soft", "id: again").replace(*change)

    texts = said(SOFT.replace("deny: {}", "audit: true"), twin.replace("deny: {}", "audit: true"))
    if "deny" in change[0]:
        texts = said(limit, twin)

    assert any("rule again: says the same as soft" in text for text in texts) is is_found


@pytest.mark.parametrize(
    ("own", "inherited", "is_found"),
    [
        ("message-floods", "message-flood", True),
        ("meter-register", "meter_register".replace("_", "-"), False),
        ("token-form-201", "token-form-16", False),
        ("reset-rate", "unlock-rate", False),
    ],
)
def test_an_id_that_is_nearly_an_inherited_one_is_found(said: Said, own: str, inherited: str, is_found: bool) -> None:
    [mine, its] = (RESET.replace("id: reset", f"id: {name}") for name in (own, inherited))

    texts = said(mine.replace("4/hour", "2/hour"), base=(its,))

    assert any(f"stands beside the inherited {inherited}" in text for text in texts) is is_found


def test_ids_that_are_alike_at_other_messages_are_no_fault(said: Said) -> None:
    other = RESET.replace("id: reset", "id: resets").replace("from_backend", "to_station")

    assert said(other, base=(RESET,)) == []


def test_a_policy_that_denies_by_default_must_allow_something_everywhere(said: Said) -> None:
    texts = said(
        "{id: a, stage: [from_station, to_backend, to_station], match: {kind: [call, result]}, allow: true}",
        "{id: b, stage: from_backend, match: {kind: call}, allow: true}",
        "{id: c, stage: from_backend, match: {kind: result}, allow: true, mode: observe}",
        default="deny",
    )

    assert texts == ["1: default: deny refuses every result at from_backend: no rule allows one there"]
