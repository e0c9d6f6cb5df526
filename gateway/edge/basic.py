"""The Authorization header of a station (RFC 7617; OCPP 2.0.1 A00.FR.202 to 204)."""

import base64
from dataclasses import dataclass, field


class CredentialsRejected(ValueError):
    """The header isn't Basic credentials; the text never repeats it."""


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """What a station presented. The password stays bytes: 1.6 stations may send any."""

    user: str
    password: bytes = field(repr=False)


def parse_basic(header: str) -> BasicCredentials:
    """Read the value of an Authorization header. Raises :class:`CredentialsRejected`."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        raise CredentialsRejected("the Authorization header is not Basic")
    try:
        user, colon, password = base64.b64decode(token.strip(), validate=True).partition(b":")
        name = user.decode("ascii")
    except ValueError:
        raise CredentialsRejected("the Authorization header is not valid Basic credentials") from None
    if not colon:
        raise CredentialsRejected("the Authorization header has no colon between user and password")
    return BasicCredentials(name, password)
