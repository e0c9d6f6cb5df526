"""Why a certificate is revoked (CRLReason, RFC 5280 5.3.1)."""

from typing import Final

from cryptography.x509 import ReasonFlags

FOR_GOOD: Final = {
    reason.value: reason
    for reason in (
        ReasonFlags.unspecified,
        ReasonFlags.key_compromise,
        ReasonFlags.affiliation_changed,
        ReasonFlags.superseded,
        ReasonFlags.cessation_of_operation,
        ReasonFlags.privilege_withdrawn,
    )
}
"""The reasons for which an end entity's certificate is revoked for good, by the standard's name: the others are a CA's,
or can be taken back."""
