"""What may be an identity, and how it is read from a request target (attack A8)."""

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.identity import IDENTITY_MAX, TARGET_MAX, IdentityRejected, identity_from_path, parse_identity

ALPHABET = string.ascii_letters + string.digits + "*-_=+|@."
TEMPLATE = "/ocpp/{identity}"
identities = st.text(ALPHABET, min_size=1, max_size=IDENTITY_MAX).filter(lambda text: text not in {".", ".."})


@pytest.mark.parametrize("text", ["C", "CS-001", "DE*ABC*E1234", "a=b+c|d@e_f.g", "...", ".hidden", "x" * IDENTITY_MAX])
def test_an_identity_is_returned_as_it_is(text: str) -> None:
    assert parse_identity(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("x" * (IDENTITY_MAX + 1), "longer than 48"),
        (".", "relative path"),
        ("..", "relative path"),
        ("CS:1", r"':'"),
        ("CS 1", r"' '"),
        ("CS1\n", r"'\\n'"),
        ("CS1\0", r"'\\x00'"),
        ("a/b", r"'/'"),
        ("a%2Fb", r"'%'"),
        ("CS\N{CYRILLIC CAPITAL LETTER ES}1", r"'\\u0421'"),
        ("CS\N{FULLWIDTH DIGIT ONE}", r"'\\uff11'"),
        ("\N{ARABIC-INDIC DIGIT ONE}", r"'\\u0661'"),
        ("CS\ud8001", r"'\\ud800'"),
        ("\N{LATIN SMALL LETTER LONG S}", r"'\\u017f'"),
    ],
)
def test_what_is_no_identity_is_refused_with_a_reason_fit_for_a_log(text: str, reason: str) -> None:
    with pytest.raises(IdentityRejected, match=reason) as refused:
        parse_identity(text)
    assert refused.value.reason == str(refused.value)
    assert refused.value.reason.isascii()
    assert refused.value.reason.isprintable()


@given(st.text(max_size=60))
def test_any_text_is_an_identity_or_refused(text: str) -> None:
    allowed = 1 <= len(text) <= IDENTITY_MAX and set(text) <= set(ALPHABET) and text not in {".", ".."}
    if allowed:
        assert parse_identity(text) == text
    else:
        with pytest.raises(IdentityRejected):
            parse_identity(text)


@pytest.mark.parametrize(
    ("target", "template", "identity"),
    [
        ("/ocpp/CS1", TEMPLATE, "CS1"),
        ("/ocpp/DE*ABC", TEMPLATE, "DE*ABC"),
        ("/ocpp/DE%2AABC", TEMPLATE, "DE*ABC"),
        ("/ocpp/a%7Cb", TEMPLATE, "a|b"),
        ("/ocpp/a%7cb", TEMPLATE, "a|b"),
        ("/ocpp/a|b", TEMPLATE, "a|b"),
        ("/ocpp/a+b", TEMPLATE, "a+b"),
        ("/ocpp/%43S1", TEMPLATE, "CS1"),
        ("/CS1", "/{identity}", "CS1"),
        ("/a/b/CS1/ws", "/a/b/{identity}/ws", "CS1"),
        ("/ocpp/CS1/", "/ocpp/{identity}/", "CS1"),
    ],
)
def test_the_identity_is_decoded_once(target: str, template: str, identity: str) -> None:
    assert identity_from_path(target, template) == identity


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/ocpp/", "empty"),
        ("/ocpp/a%2Fb", "'/'"),
        ("/ocpp/a%2fb", "'/'"),
        ("/ocpp/a%252Fb", "'%'"),
        ("/ocpp/%25", "'%'"),
        ("/ocpp/CS1%00", "x00"),
        ("/ocpp/CS1\0", "x00"),
        ("/ocpp/CS1%0d%0aX", r"\\r"),
        ("/ocpp/%2e%2e", "relative path"),
        ("/ocpp/..", "relative path"),
        ("/ocpp/.", "relative path"),
        ("/ocpp/%3A", "':'"),
        ("/ocpp/%20", "' '"),
        ("/ocpp/%C0%AF", "xc0"),
        ("/ocpp/%E2%98%83", "xe2"),
        ("/ocpp/" + "%41" * (IDENTITY_MAX + 1), "longer than 48"),
        ("/ocpp/" + "A" * (IDENTITY_MAX + 1), "longer than 48"),
        ("/ocpp/" + "A" * TARGET_MAX, "request target is longer"),
        ("/ocpp/CS1%", "broken"),
        ("/ocpp/CS1%4", "broken"),
        ("/ocpp/CS1%4G", "broken"),
        ("/ocpp/CS1%u0041", "broken"),
        ("/ocpp/CS\N{CYRILLIC CAPITAL LETTER ES}", "not ASCII"),
        ("/ocpp/CS1?", "query"),
        ("/ocpp/CS1?token=secret", "query"),
        ("/ocpp/CS1#top", "fragment"),
        ("/OCPP/CS1", "another path"),
        ("/Ocpp/CS1", "another path"),
        ("/%6Fcpp/CS1", "another path"),
        ("/ocpp%2FCS1", "another path"),
        ("//ocpp/CS1", "another path"),
        ("/./ocpp/CS1", "another path"),
        ("/other/../ocpp/CS1", "another path"),
        ("ocpp/CS1", "another path"),
        ("/ocpp", "another path"),
        ("/", "another path"),
        ("", "another path"),
        ("*", "another path"),
        ("https://csms.example.com/ocpp/CS1", "another path"),
        ("/ocpp//CS1", "other segments"),
        ("/ocpp/CS1/", "other segments"),
        ("/ocpp/CS1/CS2", "other segments"),
        ("/ocpp/../CS1", "other segments"),
    ],
)
def test_any_other_target_is_refused(target: str, reason: str) -> None:
    with pytest.raises(IdentityRejected, match=reason) as refused:
        identity_from_path(target, TEMPLATE)
    assert "secret" not in refused.value.reason


def test_a_target_is_read_up_to_its_longest() -> None:
    template = "/" + "p" * (TARGET_MAX - 5) + "/{identity}"
    assert identity_from_path(template.replace("{identity}", "CS1"), template) == "CS1"


@pytest.mark.parametrize("target", ["/ocpp/CS1", "/ocpp/CS1/WS", "/ocpp/CS1/ws/", "/ocpp/CS1/w%73"])
def test_what_stands_behind_the_identity_must_be_met_too(target: str) -> None:
    with pytest.raises(IdentityRejected, match="other segments"):
        identity_from_path(target, "/ocpp/{identity}/ws")


@pytest.mark.parametrize(
    "template", ["/ocpp", "", "ocpp/{identity}", "/ocpp/x{identity}", "/ocpp/{identity}x", "/{identity}/{identity}"]
)
def test_a_template_without_one_whole_placeholder_is_the_operators_error(template: str) -> None:
    with pytest.raises(ValueError, match="as a whole segment"):
        identity_from_path("/ocpp/CS1", template)


@given(identities)
def test_every_identity_comes_back_from_its_escaped_path(identity: str) -> None:
    assert identity_from_path("/ocpp/" + quote(identity, safe=""), TEMPLATE) == identity
    assert identity_from_path("/ocpp/" + "".join(f"%{ord(c):02x}" for c in identity), TEMPLATE) == identity


@given(st.text(max_size=80) | st.builds("/ocpp/{}".format, st.text(st.characters(max_codepoint=127), max_size=60)))
def test_no_target_gives_anything_but_an_identity(target: str) -> None:
    try:
        identity = identity_from_path(target, TEMPLATE)
    except IdentityRejected:
        return
    assert parse_identity(identity) == identity
