"""What is kept of a station's trust: it goes through JSON and comes back as it was."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from gateway.session.trust import (
    SPOKEN_TYPES,
    Action,
    AnchorType,
    Installed,
    Missing,
    Ours,
    Refusal,
    RootRotation,
    StationTrust,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NAMED = {"hashAlgorithm": "SHA256", "issuerNameHash": "AB" * 32, "issuerKeyHash": "cd" * 32, "serialNumber": "0A"}
REFUSAL = Refusal(Action.DELETE, AnchorType.MO, "key", "CN=x", "Failed", 2, NOON, NOON)
TRUST = StationTrust(
    "CS1",
    installed=(Installed(AnchorType.CSMS, NAMED, "CN=x"),),
    missing=(Missing(AnchorType.V2G, "ff", "CN=y"),),
    refusals=(REFUSAL,),
    ours=(Ours(AnchorType.V2G, "PEM"),),
    problem="no answer",
    attempts=3,
    again_at=NOON,
    wanted="digest",
    checks_roots=True,
    seen_at=NOON,
    changed_at=NOON,
)


def read(trust: StationTrust) -> StationTrust:
    content = json.loads(json.dumps(trust.content()))
    return StationTrust.read(trust.identity, content, is_settled=trust.is_settled, changed_at=NOON)


def test_what_is_written_is_read() -> None:
    assert read(TRUST) == TRUST
    blank = StationTrust("CS1", is_settled=True, changed_at=NOON)
    assert read(blank) == blank


def test_a_name_is_compared_in_one_form_and_kept_in_the_stations() -> None:
    (root,) = TRUST.installed
    assert root.reported == NAMED
    assert root.name is not None
    assert (root.name.issuer_name, root.name.serial) == ("ab" * 32, "a")
    assert Installed(AnchorType.CSMS, {**NAMED, "issuerKeyHash": "?"}).name is None


def test_a_refusal_is_found_by_what_was_asked() -> None:
    assert TRUST.refusal(Action.DELETE, AnchorType.MO, "key") == REFUSAL
    assert TRUST.refusal(Action.INSTALL, AnchorType.MO, "key") is None


def test_no_station_speaks_of_oem_roots_yet() -> None:
    assert {each.value for each in SPOKEN_TYPES} == {
        "CSMSRootCertificate",
        "V2GRootCertificate",
        "MORootCertificate",
        "ManufacturerRootCertificate",
    }


def test_a_rotation_as_json() -> None:
    rotation = RootRotation(7, "old", "new", None, "CS*", None, NOON, NOON).without("CS2").without("CS1")
    assert json.loads(json.dumps(rotation.content())) == {
        "old_pem": "old",
        "new_pem": "new",
        "cross_pem": None,
        "identity": "CS*",
        "group": None,
        "excluded": ["CS1", "CS2"],
    }
    assert replace(rotation, excluded=frozenset()).without("CS1").excluded == {"CS1"}
