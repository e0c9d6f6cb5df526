"""Names of security events that differ between the versions (2.0.1 Part 2 appendix 1, white paper 4.4)."""

from typing import Final

TO_16: Final = {
    "CsmsFailedToAuthenticate": "CentralSystemFailedToAuthentication",
    "FailedToAuthenticateAtCsms": "FailedToAuthenticationAtCentralSystem",
    "InvalidChargingStationCertificate": "InvalidChargePointCertificate",
    "InvalidCsmsCertificate": "InvalidCentralSystemCertificate",
}
"""Name in 2.0.1 -> name in 1.6; all others are the same, or known to one of them only."""
FROM_16: Final = {name_16: name for name, name_16 in TO_16.items()}
"""Name in 1.6 -> name in 2.0.1."""
