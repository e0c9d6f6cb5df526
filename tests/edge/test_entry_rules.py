"""Where from, where to, and in which version: as tables."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.entry_rules import EntryRules, check_origin, choose_version
from gateway.edge.refusals import NotAdmitted, Reason
from gateway.transport import Headers, UpgradeRequest
from gateway.wire.versions import Version
from tests.edge.street import RULES, TLS

V16, V201 = Version.V16, Version.V201
TRUSTED = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32")]


def _refusal(
    rules: EntryRules,
    *,
    host: str = "csms.example.com",
    server_name: str | None = None,
    origin: str | None = None,
    remote: str = "10.1.2.3",
    in_clear: bool = False,
) -> Reason | None:
    headers = Headers({"Host": host})
    if origin is not None:
        headers["Origin"] = origin
    tls = None if in_clear else replace(TLS, server_name=server_name)
    try:
        check_origin(rules, UpgradeRequest("/ocpp/CS1", headers, (remote, 4711), tls))
    except NotAdmitted as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize(
    ("remote", "reason"),
    [
        ("10.9.9.9", None),
        ("2001:db8::1", None),
        ("192.0.2.1", Reason.NETWORK),
        ("2001:db9::1", Reason.NETWORK),
    ],
)
def test_trusted_networks(remote: str, reason: Reason | None) -> None:
    rules = replace(RULES, networks=TRUSTED)
    assert _refusal(rules, remote=remote) is reason
    assert _refusal(rules, remote=remote, in_clear=True) is reason


def test_in_clear_only_where_networks_are_trusted_by_name() -> None:
    assert _refusal(RULES, in_clear=True) is Reason.NETWORK
    assert _refusal(RULES) is None


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("csms.example.com", None),
        ("CSMS.example.com:8443", None),
        ("[::1]:8443", None),
        ("[::1]", None),
        ("example.com", Reason.HOST),
        ("csms.example.com.evil.example", Reason.HOST),
        ("[::2]", Reason.HOST),
        ("csms.example.com.", Reason.HOST),
    ],
)
def test_hosts(host: str, reason: Reason | None) -> None:
    assert _refusal(replace(RULES, hosts=frozenset({"Csms.example.com", "::1"})), host=host) is reason
    assert _refusal(RULES, host=host) is None


def test_the_name_that_was_asked_for_in_the_handshake_must_be_one_of_them_too() -> None:
    rules = replace(RULES, hosts=frozenset({"csms.example.com", "b.example"}))
    assert _refusal(rules, server_name="b.example") is None
    assert _refusal(rules, server_name="evil.example") is Reason.HOST
    assert _refusal(RULES, server_name="evil.example") is None


def test_origins_are_compared_to_the_letter() -> None:
    rules = replace(RULES, origins=frozenset({"https://tool.example"}))
    assert _refusal(rules, origin="https://tool.example") is None
    for other in ("https://tool.example.evil", "https://TOOL.example", "null", ""):
        assert _refusal(rules, origin=other) is Reason.ORIGIN
    assert _refusal(RULES, origin="https://tool.example") is Reason.ORIGIN


@pytest.mark.parametrize(
    ("offered", "pinned", "chosen"),
    [
        (["ocpp2.0.1"], None, V201),
        (["ocpp0.1", "ocpp2.0.1"], None, V201),
        (["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], None, V201),
        (["ocpp1.6", "ocpp2.0.1"], None, V16),
        (["ocpp1.6", "ocpp1.6"], None, V16),
        (["OCPP2.0.1", "ocpp2.0.1 "], None, None),
        ([], None, None),
        (["ocpp1.6", "ocpp2.0.1"], V201, V201),
        (["ocpp1.6"], V201, None),
        (["ocpp2.0.1"], V16, None),
    ],
)
def test_the_clients_order_decides(offered: list[str], pinned: Version | None, chosen: Version | None) -> None:
    assert choose_version(offered, tuple(Version), pinned) is chosen


def test_what_a_listener_does_not_speak_is_not_chosen() -> None:
    assert choose_version(["ocpp1.6", "ocpp2.0.1"], [V201]) is V201
    assert choose_version(["ocpp1.6", "ocpp2.0.1"], [V201], V16) is None


@given(
    st.lists(st.sampled_from(["ocpp1.6", "ocpp2.0.1", "ocpp2.1", "ocpp0.1", "OCPP1.6"])),
    st.sets(st.sampled_from(Version)),
    st.none() | st.sampled_from(Version),
)
def test_what_is_chosen_was_offered_is_spoken_and_is_what_the_station_is_pinned_to(
    offered: list[str], spoken: set[Version], pinned: Version | None
) -> None:
    chosen = choose_version(offered, list(spoken), pinned)
    possible = [name for name in offered if name in {v.subprotocol for v in spoken if pinned in (None, v)}]
    assert (chosen.subprotocol if chosen is not None else None) == (possible[0] if possible else None)
