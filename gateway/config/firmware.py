"""Firmware: whose signatures count, where images come from and lie, how stations get them; and the logs of stations."""

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from gateway.config.authorities import Lifetime
from gateway.config.routes import Selection
from gateway.config.values import Address, Bind, CrlSource, FilePath, List, Named, Network, Section, Text

MIB: Final = 1_048_576

Algorithm = Literal["ecdsa-sha256", "rsa-pss-sha256", "rsa-pkcs1v15-sha256"]
Bytes = Annotated[int, Field(ge=1, le=1_099_511_627_776)]


def _folder(name: str) -> Any:
    """A default that is read like what would stand in the file: relative to its folder."""
    return Field(default_factory=lambda: name)


class Manufacturer(Section):
    """One manufacturer of stations, and what its signatures look like."""

    vendors: List[Text] = ()
    """vendorName of its stations, as their BootNotification has it; none: the manufacturer's key."""
    roots: FilePath
    """PEM: where the path of a signing certificate must end."""
    intermediates: FilePath | None = None
    """PEM: its sub-CAs; OCPP carries the signing certificate alone."""
    algorithms: Annotated[List[Algorithm], Field(min_length=1)] = ("ecdsa-sha256", "rsa-pss-sha256")
    """What may have signed; PKCS #1 v1.5 only where it is named here."""
    ecdsa_encoding: Literal["der", "raw"] = "der"
    """How an ECDSA signature is written: ASN.1, or r and s one after the other."""
    pss_salt: Literal["digest", "any"] = "digest"
    """The salt of RSA-PSS: as long as the digest, or of any length."""
    validity: Literal["now", "signing"] = "now"
    """When the signing certificate has to be valid: whenever an update is ordered, or when the image was signed."""
    revocation: Literal["strict", "available", "off"] = "strict"
    """A signing certificate whose revocation can't be learnt: refused, or taken; or it isn't asked at all."""
    crls: List[CrlSource] = ()
    """CRLs of its CAs, beside those that the certificates name."""


class StationsWithoutSignature(Selection):
    """1.6 stations that get the plain UpdateFirmware: the image is verified here all the same."""


class Firmware(Section):
    """The catalogue of firmware."""

    directory: FilePath = _folder("firmware")
    """Where images lie, by their SHA-256."""
    object_store: Text | None = None
    """s3://BUCKET/PREFIX (or gs://, az://): where verified images are kept for all; ``directory`` is its cache."""
    manufacturers: Named[Manufacturer] = Field(default_factory=dict)
    sources: List[Text] = ()
    """Places that images are fetched from: host, host:port, *.example.com or the beginning of a URL."""
    trusted_networks: List[Network] = ()
    """Networks that aren't public in which those places may lie."""
    roots: FilePath | None = None
    """The only roots of those places' own certificates; without it, the machine's trust store."""
    max_size: Bytes = 4096 * MIB
    serve: Literal["gateway", "original"] = "gateway"
    """Where stations load from: ``files``, or the place that the image was fetched from."""
    without_signature: List[StationsWithoutSignature] = ()


class Files(Section):
    """The HTTP endpoint from which stations load firmware and to which they upload logs."""

    bind: Bind = Address("0.0.0.0", 8444)  # noqa: S104  # stations come from everywhere; TLS is the default
    public_url: Text
    """How stations reach it: https://files.example.com:8444, without a path."""
    listener: Annotated[int, Field(ge=0)] | None = None
    """The one of ``listeners``, from 0 on, whose certificates it shows; None: the first that has TLS."""
    plain: bool = False
    """True: http:// without TLS, for stations that can't do it; only where ``trusted_networks`` are."""
    trusted_networks: List[Network] = ()
    """Whom it answers when it is plain."""
    rate: Bytes = 100 * MIB
    """Bytes a second of all stations together."""
    station_rate: Bytes = 10 * MIB
    """Bytes a second of one station."""
    connections: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    link_lifetime: Lifetime = timedelta(days=7)
    """How long a link to an image is good, from when the station may load it."""


class Logs(Section):
    """Logs that stations upload here, in the place of where the backend wants them."""

    directory: FilePath = _folder("logs")
    max_size: Bytes = 100 * MIB
    """Of one upload."""
    total_size: Bytes = 10_240 * MIB
    """Of all that are kept; the oldest go first."""
    keep: Lifetime = timedelta(days=30)
    hand_over: bool = True
    """True: what has come is sent on to where the backend wanted it; False: it is only kept."""
    destinations: List[Text] = ()
    """Places that logs may be sent on to: host, host:port, *.example.com or the beginning of a URL."""
    trusted_networks: List[Network] = ()
    """Networks that aren't public in which those places may lie."""
    roots: FilePath | None = None
    """The only roots of those places' own certificates; without it, the machine's trust store."""
