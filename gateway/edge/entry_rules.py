"""What one listener asks of those who come in by it, and what can be said of a newcomer before it is known."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cryptography import x509

from gateway.edge.refusals import NotAdmitted, Reason
from gateway.session.ports import Provisional, StationRecord
from gateway.transport import Network, UpgradeRequest, within
from gateway.wire.versions import Version


class CertificateCheck(Protocol):
    """Checks a station's certificate in the application, beside what the TLS handshake did (attacks A9, A10)."""

    async def __call__(
        self, certificate: bytes, chain: Sequence[bytes], record: StationRecord
    ) -> tuple[tuple[x509.Certificate, ...], Provisional | None]:
        """Return the path to a trusted root, leaf first, when the certificate is this station's.

        ``chain`` is what came beside the leaf. Raises :class:`gateway.edge.refusals.CertificateRejected`.
        """


@dataclass(frozen=True, slots=True)
class EntryRules:
    """The rules of one listener."""

    name: str
    path: str
    """The path with ``{identity}`` as its last segment."""
    profiles: frozenset[int]
    versions: Sequence[Version] = tuple(Version)
    """The OCPP versions that are spoken here; the station's order decides, not theirs."""
    networks: Sequence[Network] = field(default=())
    """From where a station may come; without any, nobody comes in under profile 1 (A00.FR.201, A00.FR.206)."""
    hosts: frozenset[str] = frozenset()
    """The names that a Host header, and SNI, may have; empty: any (attack A13)."""
    origins: frozenset[str] = frozenset()
    """The Origin headers that are let in, to the letter; stations send none."""
    certificates: CertificateCheck | None = None
    """For security profile 3: against the listener's station roots."""
    no_common_subprotocol: Literal["close", "refuse"] = "close"
    """OCPP-J 2.0.1 Part 4, 3.1.2: upgrade and close; TC_B_58_CSMS: HTTP 400 without an upgrade."""
    unknown_status: int = 401
    """HTTP status for an identity that isn't registered; 404 is what OCPP-J suggests, and tells which exist."""


def check_origin(rules: EntryRules, request: UpgradeRequest) -> None:
    """Return when the request is from where stations are and to where they call. Raises :class:`NotAdmitted`."""
    _check_network(rules, request)
    if rules.hosts:
        _check_names(rules, request)
    origin = request.headers.get("Origin")
    if origin is not None and origin not in rules.origins:
        raise NotAdmitted(Reason.ORIGIN, "an Origin header that isn't listed: this is a browser, not a station")


def choose_version(offered: Sequence[str], spoken: Sequence[Version], pinned: Version | None = None) -> Version | None:
    """Return the first version in the client's order that is spoken here (OCPP-J 2.0.1 Part 4, 3.1.2), or None.

    With ``pinned`` it is that one, wherever it stands in the client's order, or none. Names are compared to the letter.
    """
    acceptable = {version.subprotocol: version for version in spoken if pinned in (None, version)}
    return next((acceptable[name] for name in offered if name in acceptable), None)


def _check_network(rules: EntryRules, request: UpgradeRequest) -> None:
    if not rules.networks:
        if request.tls is None:
            raise NotAdmitted(Reason.NETWORK, "a listener without TLS needs trusted_networks (A00.FR.206)")
        return
    if not within(request.remote[0], rules.networks):
        raise NotAdmitted(Reason.NETWORK, "the address is in none of the listener's trusted_networks")


def _check_names(rules: EntryRules, request: UpgradeRequest) -> None:
    known = {name.strip("[]").lower() for name in rules.hosts}
    if _without_port(request.headers["Host"]) not in known:
        raise NotAdmitted(Reason.HOST, "the Host header names none of the listener's hosts")
    asked_for = request.tls.server_name if request.tls is not None else None
    if asked_for is not None and asked_for.lower() not in known:
        raise NotAdmitted(Reason.HOST, "the TLS handshake asked for none of the listener's hosts (SNI)")


def _without_port(host: str) -> str:
    """Return the name of a Host header whose form the transport has checked, in lower case."""
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower()
