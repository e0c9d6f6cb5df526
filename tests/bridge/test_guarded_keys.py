"""Which keys no backend may set, and what an attempt is reported as."""

import pytest

from gateway.bridge.guarded_keys import GUARDED, report_attempt, small_name
from gateway.bridge.ports import DOWNGRADE, FOREIGN_TRANSACTION, RECONFIGURATION
from gateway.session.security import KIND_MAX, Kind


def test_the_kinds_are_those_of_the_security_log() -> None:
    assert (DOWNGRADE, FOREIGN_TRANSACTION, RECONFIGURATION) == (
        Kind.DOWNGRADE,
        Kind.FOREIGN_TRANSACTION,
        Kind.RECONFIGURATION,
    )
    assert max(map(len, (DOWNGRADE, FOREIGN_TRANSACTION, RECONFIGURATION))) <= KIND_MAX


@pytest.mark.parametrize(
    ("key", "is_guarded"),
    [
        ("AuthorizationKey", True),
        ("AUTHORIZATIONKEY", True),
        (" AuthorizationKey\t", True),
        ("SecurityProfile", True),
        ("cpoName", True),
        ("AdditionalRootCertificateCheck", True),
        ("AuthorizationCacheEnabled", False),
        ("HeartbeatInterval", False),
    ],
)
def test_the_keys(key: str, is_guarded: bool) -> None:
    assert (small_name(key) in GUARDED) is is_guarded


@pytest.mark.parametrize(
    ("key", "value", "kind", "told"),
    [
        ("SecurityProfile", "0", DOWNGRADE, "SecurityProfile 0 "),
        ("securityprofile ", " 2 ", DOWNGRADE, "SecurityProfile 2 "),
        ("SecurityProfile", "3", RECONFIGURATION, "SecurityProfile "),
        ("SecurityProfile", "x" * 500, DOWNGRADE, "SecurityProfile "),
        ("CpoName", "Me", RECONFIGURATION, "CpoName "),
        ("AuthorizationKey", "53454352455450415353", RECONFIGURATION, "AuthorizationKey "),
    ],
)
def test_the_report(key: str, value: str, kind: str, told: str) -> None:
    reports: list[tuple[str, str]] = []

    report_attempt(lambda kind, detail: reports.append((kind, detail)), key, value)

    ((reported, detail),) = reports
    assert reported == kind
    assert told in detail
    assert len(value) == 1 or value.strip() == "2" or value not in detail
