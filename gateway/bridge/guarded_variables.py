"""Variables of 2.0.1 that belong to Voltgate: no backend may set them at a station, or read a secret (attack A11)."""

import re
from typing import Final

from gateway.bridge.guarded_keys import HIGHEST_PROFILE
from gateway.bridge.ports import DOWNGRADE, RECONFIGURATION, Report

_COMPONENTS: Final = frozenset({"networkconfiguration", "securityctrlr"})
_VARIABLES: Final = frozenset(
    {
        "activenetworkprofile",
        "additionalrootcertificatecheck",
        "basicauthpassword",
        "networkconfigurationpriority",
        "networkprofileconnectionattempts",
        "securityprofile",
    }
)
"""Whatever the component: there are stations that keep them elsewhere, or look at the variable's name alone."""
_SECRET: Final = re.compile(
    "password|passphrase|passwd|passcode|secret|credential|basicauth|(?:auth|access)_?token|pin_?code"
    "|(?:private|api|auth|authentication|authorization|encryption|preshared|ssh|vpn|wep|wpa)_?key"
    "|(?:pwd|psk|pin|puk)$",
    re.IGNORECASE,
)
NAME_MAX: Final = 50
"""Characters of the name of a component or variable (identifierString[50])."""


def is_guarded(component: str, variable: str) -> bool:
    """True for a variable of the station's own security or connection; letter case and blanks around don't matter."""
    return component.strip().casefold() in _COMPONENTS or variable.strip().casefold() in _VARIABLES


def is_secret(variable: str) -> bool:
    """True for the name of a variable whose value smells of a secret, BasicAuthPassword above all."""
    return _SECRET.search(variable.strip()) is not None


def report_attempt(report: Report, component: str, variable: str, value: str) -> None:
    """Raise the security event for a backend's SetVariables of a guarded variable; no value is told but a profile."""
    name = f"{component.strip()[:NAME_MAX]}.{variable.strip()[:NAME_MAX]}"
    if variable.strip().casefold() == "securityprofile" and value.strip() != HIGHEST_PROFILE:
        told = f" {value.strip()}" if len(value.strip()) == 1 else ""
        report(DOWNGRADE, f"the backend asks for security profile{told} by SetVariables; not passed on")
    else:
        report(RECONFIGURATION, f"the backend sets {name} by SetVariables; not passed on")
