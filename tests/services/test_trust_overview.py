"""What is told of declared roots, of a station and of a rotation."""

from dataclasses import replace

from gateway.config.routes import Selection
from gateway.services.root_rotation import progress
from gateway.services.trust_overview import declared_shown, rotation_shown, trust_shown
from gateway.services.trust_plan import Declared
from gateway.session.ports import StationRecord
from gateway.session.trust import Action, AnchorType, Installed, Missing, Refusal, RootRotation, StationTrust
from pki.certificate_hash import certificate_hash
from tests.roots import NOON, Authority

A, B = Authority("a"), Authority("b")
V2G = AnchorType.V2G
NAMED = certificate_hash(A.certificate, A.certificate).payload
HAS = StationTrust("CS1", installed=(Installed(V2G, NAMED, "CN=a"),), seen_at=NOON, is_settled=True)
REFUSAL = Refusal(Action.INSTALL, V2G, A.anchor.fingerprint, "CN=a", "Rejected", 1, NOON, NOON)
REFUSES = StationTrust("CS2", refusals=(REFUSAL,), missing=(Missing(V2G, A.anchor.fingerprint, "CN=a"),), seen_at=NOON)


def test_how_many_have_it() -> None:
    stations = [StationRecord(f"CS{number}", 2, group="north") for number in range(1, 6)]
    stations.append(StationRecord("CS9", 2))
    trust = [HAS, REFUSES, replace(REFUSES, identity="CS3", refusals=()), StationTrust("CS4", problem="no answer")]
    entry = Declared("trust_anchors[0]", V2G, (A.anchor,), Selection(group="north"), exclusive=True)
    (shown,) = declared_shown([entry], stations, {each.identity: each for each in trust})
    assert shown["stations"] == {"has": 1, "missing": 1, "refused": 1, "unknown": 2}
    assert (shown["entry"], shown["type"], shown["subject"]) == ("trust_anchors[0]", "V2GRootCertificate", "CN=a")
    assert (shown["exclusive"], shown["remove"]) == (True, False)


def test_where_a_station_stands() -> None:
    assert trust_shown("CS1", HAS)["installed"] == [{"type": "V2GRootCertificate", "subject": "CN=a", **NAMED}]
    refuses = trust_shown("CS2", REFUSES)
    assert refuses["settled"] is False
    assert refuses["refused"][0]["words"] == "Rejected"
    assert refuses["missing"] == [
        {"type": "V2GRootCertificate", "subject": "CN=a", "fingerprint": A.anchor.fingerprint}
    ]
    never = trust_shown("CS3", None)
    assert (never["settled"], never["seen_at"], never["problem"]) == (False, None, None)


def test_where_a_rotation_stands() -> None:
    rotation = RootRotation(1, A.pem, B.pem, None, None, None, NOON, NOON)
    shown = rotation_shown(
        progress(
            rotation, [StationRecord("CS1", 2)], {}, [B.chain()], selects=lambda _: True, keeps_old=lambda _: False
        )
    )
    assert (shown["old"]["subject"], shown["new"]["subject"], shown["cross_signed"]) == ("CN=a", "CN=b", False)
    assert (shown["safe_to_switch"], shown["switched"], shown["locked_out"]) == (False, True, ["CS1"])
    assert shown["stations"] == [{"identity": "CS1", "standing": "has not said what it has", "words": None}]
