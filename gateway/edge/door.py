"""Who may enter: one chain from the address to the registered station, every link of which must hold.

    network -> path = identity -> registered -> certificate (profile 3) or Basic password (1 and 2) -> not below the
    station's minimum profile -> subprotocol -> nobody else holds the identity

What doesn't hold is told whole to the log and to nobody else: an unknown station and a wrong password get the same
answer after the same work (attack A1).
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from gateway.edge.basic import BasicCredentials, CredentialsRejected, parse_basic
from gateway.edge.passwords import PasswordChecker, TooManyWaiting
from gateway.session.directory import Directory, Entry, Held
from gateway.session.identity import IdentityRejected, identity_from_path
from gateway.session.ports import StationRecord, StationRegistry
from gateway.session.tally import Tally
from gateway.transport import Accept, AcceptThenClose, MessageSink, Refuse, TlsPeer, UpgradeRequest
from gateway.wire.versions import Version

NO_COMMON_SUBPROTOCOL: Final = 1002
"""Close code after a handshake without a common OCPP version (OCPP-J 2.0.1 Part 4, 3.1.2)."""
CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="ocpp", charset="UTF-8"'}
SPOKEN: Final = (Version.V201,)
"""The versions that a station may choose from."""

TARGET_LOGGED: Final = 80
"""Characters of a refused request target that the log gets."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Verdict = Accept | AcceptThenClose | Refuse

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EntryRules:
    """What one listener asks of those who come in by it."""

    name: str
    path: str
    """The path with ``{identity}`` as its last segment."""
    profiles: frozenset[int]
    networks: Sequence[Network] = field(default=())
    """For security profile 1: where a station may come from."""
    verify_chain: "ChainVerifier | None" = None
    """For security profile 3: against the listener's station roots."""
    unknown_status: int = 401
    """HTTP status for an identity that isn't registered; 404 is what OCPP-J suggests, and tells which exist."""


class ChainVerifier(Protocol):
    """Checks a station's certificate in the application, beside what the TLS handshake did (attack A9)."""

    def __call__(self, certificate: bytes, chain: Sequence[bytes], expected_name: str) -> None:
        """Return when the certificate is this station's. Raises ValueError with the reason."""


class NotAdmitted(Exception):
    """The newcomer is refused. ``reason`` is a bounded label for metric and log, the text is for the log only."""

    def __init__(self, reason: str, text: str, status: int = 401) -> None:
        super().__init__(text)
        self.reason = reason
        self.status = status


class Door:
    """Admits stations through any listener."""

    def __init__(
        self,
        *,
        registry: StationRegistry,
        directory: Directory,
        passwords: PasswordChecker,
        make_sink: Callable[[Entry], MessageSink],
        tally: Tally,
    ) -> None:
        self._registry = registry
        self._directory = directory
        self._passwords = passwords
        self._make_sink = make_sink
        self._tally = tally

    async def admit(self, rules: EntryRules, request: UpgradeRequest) -> Verdict:
        """Decide on one upgrade request."""
        try:
            return await self._admit(rules, request)
        except NotAdmitted as refusal:
            self._tally.refused_entries[refusal.reason] += 1
            log.warning(
                "not_admitted",
                listener=rules.name,
                remote=request.remote[0],
                reason=refusal.reason,
                detail=str(refusal),
                target=_fit_for_a_log(request.target, rules.path),
            )
            headers = CHALLENGE if refusal.status == 401 else {}
            return Refuse(refusal.status, headers)

    async def _admit(self, rules: EntryRules, request: UpgradeRequest) -> Verdict:
        _check_network(rules, request)
        if "Origin" in request.headers:
            raise NotAdmitted("origin", "an Origin header: this is a browser, not a station", 403)
        try:
            identity = identity_from_path(request.target, rules.path)
        except IdentityRejected as error:
            raise NotAdmitted("path", str(error), 404) from None
        record, profile = await self._authenticate(rules, request, identity)
        if profile < record.minimum_profile:
            raise NotAdmitted(
                "downgrade", f"security profile {profile}, but {identity} may not go below {record.minimum_profile}"
            )
        version = choose_version(request.offered)
        if version is None:
            self._tally.refused_entries["subprotocol"] += 1
            log.warning(
                "not_admitted",
                listener=rules.name,
                remote=request.remote[0],
                reason="subprotocol",
                detail=f"{identity}: none of the offered OCPP versions is spoken here",
                offered=request.offered[:8],
            )
            return AcceptThenClose(NO_COMMON_SUBPROTOCOL, "no supported OCPP version offered")
        try:
            entry = await self._directory.enter(record, profile)
        except Held as held:
            raise NotAdmitted("held", str(held), 409) from None
        except KeyError:
            raise NotAdmitted("unknown_station", f"{identity} was removed meanwhile") from None
        log.info("admitted", identity=identity, profile=profile, remote=request.remote[0], listener=rules.name)
        return Accept(self._make_sink(entry), version.subprotocol)

    async def _authenticate(
        self, rules: EntryRules, request: UpgradeRequest, identity: str
    ) -> tuple[StationRecord, int]:
        """Return the registered station and the profile under which it proved to be itself."""
        credentials = _credentials(request)
        if credentials is not None and credentials.user != identity:
            # Compared before anything is looked up; the same work is done all the same (A00.FR.204, 207).
            await self._fits(credentials.password, None)
            raise NotAdmitted("user_mismatch", f"Basic user is not the identity {identity}")
        record = await self._registry.find(identity)
        if request.tls is not None and request.tls.certificate is not None and 3 in rules.profiles:
            return _check_certificate(rules, request.tls, identity, record), 3
        profile = 1 if request.tls is None else 2
        if profile not in rules.profiles:
            raise NotAdmitted("profile", f"{identity}: a client certificate is required here")
        if credentials is None:
            raise NotAdmitted("no_credentials", f"{identity}: no Basic credentials")
        stored = record.password_hash if record is not None else None
        fits = await self._fits(credentials.password, stored)
        if record is None:
            raise NotAdmitted("unknown_station", f"{identity} is not registered", rules.unknown_status)
        if not fits:
            raise NotAdmitted("password", f"{identity}: wrong password")
        return record, profile

    async def _fits(self, password: bytes, stored: str | None) -> bool:
        try:
            return await self._passwords.verify(password, stored)
        except TooManyWaiting as busy:
            raise NotAdmitted("busy", str(busy), 503) from None


def choose_version(offered: Sequence[str]) -> Version | None:
    """Return the first version in the client's order that is spoken here (OCPP-J 2.0.1 Part 4, 3.1.2), or None."""
    spoken = {version.subprotocol: version for version in SPOKEN}
    return next((spoken[name] for name in offered if name in spoken), None)


def _check_certificate(rules: EntryRules, tls: TlsPeer, identity: str, record: StationRecord | None) -> StationRecord:
    """Return the record when the certificate is this station's (A00.FR.403 to 405)."""
    if record is None:
        raise NotAdmitted("unknown_station", f"{identity} is not registered", rules.unknown_status)
    if rules.verify_chain is None or tls.certificate is None:
        raise NotAdmitted("certificate", f"{identity}: this listener has no station_roots to check against")
    try:
        rules.verify_chain(tls.certificate, tls.chain, record.certificate_name)
    except ValueError as error:
        raise NotAdmitted("certificate", f"{identity}: {error}") from None
    return record


def _fit_for_a_log(target: str, path: str) -> str:
    """Return as much of a request target as may name the station: what follows can be a password (attack A6)."""
    segments = target.partition("?")[0].split("/")
    return "/".join(segments[: path.count("/") + 1])[:TARGET_LOGGED]


def _check_network(rules: EntryRules, request: UpgradeRequest) -> None:
    if not rules.networks:
        return
    address = ipaddress.ip_address(request.remote[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if not any(mapped in network for network in rules.networks):
        raise NotAdmitted("network", "the address is in none of the listener's trusted_networks", 403)


def _credentials(request: UpgradeRequest) -> BasicCredentials | None:
    header = request.headers.get("Authorization")
    if header is None:
        return None
    try:
        return parse_basic(header)
    except CredentialsRejected as error:
        raise NotAdmitted("credentials", str(error)) from None
