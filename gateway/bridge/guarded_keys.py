"""Configuration keys of 1.6 that belong to Voltgate: no backend may set them at a station (attack A11)."""

from typing import Final

from gateway.bridge.ports import DOWNGRADE, RECONFIGURATION, Report

AUTHORIZATION_KEY: Final = "authorizationkey"
OF_THE_BACKEND_LEG: Final = frozenset({AUTHORIZATION_KEY, "cponame", "securityprofile"})
"""Keys, by :func:`small_name`, about the connection that Voltgate keeps to the backend: none must reach the station."""
GUARDED: Final = OF_THE_BACKEND_LEG | {"additionalrootcertificatecheck"}
"""These, and the one that decides whom the station trusts; read-only by the white paper, but not in every firmware."""
HIGHEST_PROFILE: Final = "3"
"""A SecurityProfile that is no lower than any."""


def small_name(key: str) -> str:
    """Return ``key`` for comparison: 1.6 ignores its case, and a lenient station the blanks around it."""
    return key.strip().casefold()


def report_attempt(report: Report, key: str, value: str) -> None:
    """Raise the security event for a backend's ChangeConfiguration of a guarded ``key``.

    Only of SecurityProfile may the value be told, and only a figure of it: AuthorizationKey's is a password.
    """
    if small_name(key) == "securityprofile" and value.strip() != HIGHEST_PROFILE:
        told = f" {value.strip()}" if len(value.strip()) == 1 else ""
        report(DOWNGRADE, f"the backend asks for SecurityProfile{told} by ChangeConfiguration; not passed on")
    else:
        report(RECONFIGURATION, f"the backend sets {key.strip()[:50]} by ChangeConfiguration; not passed on")
