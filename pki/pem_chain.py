"""A chain in PEM, as OCPP carries it: a contract's (C07.FR.06), the certificate of a signer of firmware (L01.FR.11)."""

import base64
import binascii
import re
from typing import Final

CHARACTERS_MAX: Final = 10_000
"""Of a whole contract's chain (OCPP 2.1; 2.0.1 and the note for 1.6 have 5,500)."""
CERTIFICATES_MAX: Final = 5
"""The leaf, three sub-CAs (ISO 15118-20) and the root, which needn't be sent."""

_ESCAPED_BREAK: Final = re.compile(r"\\r\\n|\\n")
"""A line break that was escaped once more than it should have been: some stations write their PEM so into JSON."""
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


class ChainMalformed(ValueError):
    """It isn't a chain of certificates in PEM; the text says why."""


def read_chain(pem: str, *, characters: int = CHARACTERS_MAX) -> tuple[bytes, ...]:
    """Return the certificates in DER, the leaf first: nothing but PEM blocks, and whitespace between and within them.

    It has at most so many ``characters``. Raises :class:`ChainMalformed`. Nothing is decoded but base64.
    """
    if len(pem) > characters:
        raise ChainMalformed(f"the chain has {len(pem)} characters, at most {characters}")
    found: list[bytes] = []
    rest = _ESCAPED_BREAK.sub("\n", pem).strip()
    while rest:
        if len(found) == CERTIFICATES_MAX:
            raise ChainMalformed(f"the chain has more than {CERTIFICATES_MAX} certificates")
        body, end, after = rest.partition(_END)
        if not end or not body.startswith(_BEGIN):
            raise ChainMalformed(f"certificate {len(found) + 1} of the chain isn't a PEM block (RFC 7468)")
        found.append(_der(body.removeprefix(_BEGIN), len(found) + 1))
        rest = after.strip()
    if not found:
        raise ChainMalformed("the chain is empty")
    return tuple(found)


def _der(body: str, number: int) -> bytes:
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ChainMalformed(f"certificate {number} of the chain isn't base64") from None
