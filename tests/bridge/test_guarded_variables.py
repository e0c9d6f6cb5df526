"""Which variables no backend may set or see, and what an attempt is reported as."""

import pytest

from gateway.bridge.guarded_variables import is_guarded, is_secret, report_attempt
from gateway.bridge.ports import DOWNGRADE, RECONFIGURATION


@pytest.mark.parametrize(
    ("component", "variable", "guarded"),
    [
        ("SecurityCtrlr", "BasicAuthPassword", True),
        ("securityctrlr", "OrganizationName", True),
        (" SecurityCtrlr\t", "Anything", True),
        ("NetworkConfiguration", "OcppCsmsUrl", True),
        ("OCPPCommCtrlr", "NetworkConfigurationPriority", True),
        ("OCPPCommCtrlr", " activenetworkprofile", True),
        ("OCPPCommCtrlr", "NetworkProfileConnectionAttempts", True),
        ("OCPPCommCtrlr", "BasicAuthPassword", True),
        ("VendorCtrlr", "SecurityProfile ", True),
        ("", "additionalRootCertificateCheck", True),
        ("OCPPCommCtrlr", "HeartbeatInterval", False),
        ("AuthCtrlr", "Enabled", False),
    ],
)
def test_what_is_guarded(component: str, variable: str, guarded: bool) -> None:
    assert is_guarded(component, variable) is guarded


@pytest.mark.parametrize(
    ("variable", "secret"),
    [
        ("BasicAuthPassword", True),
        ("basicauthpassword ", True),
        ("VpnKey", True),
        ("ClientSecret", True),
        ("AdminPIN", True),
        ("WifiPassphrase", True),
        ("WifiPSK", True),
        ("ApnPwd", True),
        ("ApiKey", True),
        ("AuthorizationKey", True),
        ("Cst_AuthKey", True),
        ("wpa_key", True),
        ("FtpCredentials", True),
        ("SimPuk", True),
        ("KeyCount", False),
        ("Token", False),
        ("SecurityProfile", False),
        ("Pinned", False),
    ],
)
def test_what_is_secret(variable: str, secret: bool) -> None:
    assert is_secret(variable) is secret


@pytest.mark.parametrize(
    ("component", "variable", "value", "kind", "told"),
    [
        ("SecurityCtrlr", "SecurityProfile", "1", DOWNGRADE, "profile 1 "),
        ("NetworkConfiguration", " securityprofile", " 2 ", DOWNGRADE, "profile 2 "),
        ("SecurityCtrlr", "SecurityProfile", "3", RECONFIGURATION, "SecurityCtrlr.SecurityProfile "),
        ("SecurityCtrlr", "SecurityProfile", "x" * 500, DOWNGRADE, "profile by"),
        ("SecurityCtrlr", "BasicAuthPassword", "s3cret", RECONFIGURATION, "SecurityCtrlr.BasicAuthPassword "),
    ],
)
def test_the_report(component: str, variable: str, value: str, kind: str, told: str) -> None:
    reports: list[tuple[str, str]] = []
    report_attempt(lambda kind, detail: reports.append((kind, detail)), component, variable, value)
    ((reported, detail),) = reports
    assert reported == kind
    assert told in detail
    assert len(value.strip()) == 1 or value not in detail
