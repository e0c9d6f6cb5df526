"""The gateway's own server certificates: keys made here, signed by ``authority.server``, renewed before they end.

Short-lived ones stand in for revocation (OCPP 2.0.1 A00.FR.701), one of ECDSA and one of RSA (A00.FR.318). They lie in
a folder with their keys, so that neither a restart nor an authority that is away leaves the gateway without. Who shows
them looks at the folder by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from gateway.services.renewal_plan import RenewalRules, pause_after
from gateway.session.ports import StoreAway
from gateway.session.security import Kind, SecurityEvent, SecurityLog
from pki.anchors import leads_to
from pki.authority import AuthorityError, CertificateAuthority, IssuedCertificate, SigningRequest
from pki.issuing import PrivateKey, general_name, new_key
from pki.pair_folder import KeptPair, PairFolder, PairKind, PairUnusable
from pki.profiles import CertificateProfile, as_ip

RSA_BITS: Final = 2048
"""What every station can do; the key lives no longer than its certificate."""
LOOK_EVERY: Final = 15.0
"""Seconds between two looks at what is due."""
ISSUED_WITHIN: Final = 60.0
"""Seconds in which the authority must have signed."""
FIRST_PAUSE: Final = 30.0
"""Seconds after the first attempt in vain; each pause is twice the one before."""
LONGEST_PAUSE: Final = 900.0

log = structlog.get_logger(__name__)


class NoServerCertificate(Exception):
    """There is none that could be shown, and none can be had; the text says why."""


class OwnCertificateLog(Protocol):
    """The inventory, as far as it keeps the gateway's own certificates. All raise StoreAway."""

    async def issued_to_us(self, issued: IssuedCertificate, former: str | None) -> None:
        """Record a certificate that is shown from now on, in the place of the one with the serial ``former``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of the authority."""

    names: tuple[str, ...]
    """Host names and IP addresses; the first is the CN."""
    operator: str
    profile: CertificateProfile
    csms_roots: Callable[[], Sequence[x509.Certificate]] = tuple
    """Reads the roots by which stations know the gateway; none: that isn't said. Raises OSError, ValueError."""


@dataclass(slots=True)
class _Kept:
    """One kind of certificate, and how its renewal goes."""

    pair: KeptPair | None = None
    issued_at: datetime | None = None
    """When that was, if this process saw it."""
    attempts: int = 0
    """In vain, one after the other."""
    again_at: datetime | None = None
    alerts: int = 0
    """How many alerts were given for the present one, the last when it has expired."""
    is_held: bool = False
    """True: it is kept for its root, and that was said."""


class ServerCertificates:
    """The certificates in one folder. :meth:`prepare` comes before a listener reads it; :meth:`run` renews them."""

    def __init__(  # noqa: PLR0913 - whom it asks, where it keeps, whom it tells, and a clock for its tests
        self,
        folder: PairFolder,
        wanted: Wanted,
        authority: CertificateAuthority,
        inventory: OwnCertificateLog,
        security: SecurityLog,
        *,
        rules: RenewalRules,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._folder = folder
        self._wanted = wanted
        self._names = frozenset(str(as_ip(name) or name.lower()) for name in wanted.names)
        """As a certificate says them: an IPv6 address has more than one way to be written."""
        self._authority = authority
        self._inventory = inventory
        self._security = security
        self._rules = rules
        self._now = now
        self._sleep = sleep
        self._kept = {kind: _Kept() for kind in PairKind}
        self._broken: set[PairKind] = set()
        """Those whose file can't be used as it is."""
        self._unrecorded: dict[PairKind, tuple[IssuedCertificate, str | None]] = {}

    async def prepare(self) -> None:
        """Have what a listener can show: kept ones that are valid still, or new ones.

        Raises :class:`NoServerCertificate`. One of both kinds is enough to begin with; the other is tried for later.
        """
        try:
            await asyncio.to_thread(self._folder.make)
            why = await self._look()
            for kind in self._broken:
                # It is tried for again, and the other kind is shown meanwhile.
                await asyncio.to_thread(self._folder.set_aside, kind)
        except OSError as error:
            raise NoServerCertificate(f"{self._folder.path}: {error.strerror}") from None
        if not self.is_valid:
            raise NoServerCertificate(
                f"{self._folder.path} holds no valid certificate, and none can be had: {why}; a gateway that has one "
                "starts without its authority too"
            )

    async def run(self) -> None:
        """Renew, for ever."""
        while True:
            await self._sleep(LOOK_EVERY)
            try:
                await self._look()
                self._alert()
            except Exception:
                log.exception("server_certificates_failed", folder=str(self._folder.path))

    @property
    def is_valid(self) -> bool:
        """True while one at least can be shown whose dates are good."""
        now = self._now()
        return any(each.pair is not None and each.pair.is_valid(now) for each in self._kept.values())

    @property
    def expiring(self) -> int:
        """How many an alert was given for."""
        return sum(bool(each.alerts) for each in self._kept.values())

    # --- renewing

    async def _look(self) -> str:
        """Renew what is due, and return why it was in vain, if it was."""
        problem = ""
        for kind, kept in self._kept.items():
            await self._read(kind, kept)
            if self._is_due(kept):
                problem = await self._try(kind, kept) or problem
        await self._record()
        return problem

    async def _read(self, kind: PairKind, kept: _Kept) -> None:
        """Look at the file again: somebody may have replaced it, or broken it."""
        try:
            pair = await asyncio.to_thread(self._folder.read, kind)
            self._broken.discard(kind)
        except (PairUnusable, OSError) as error:
            if kind not in self._broken:
                log.error("server_certificate_unusable", reason=str(error))  # noqa: TRY400 - the text says it all
            self._broken.add(kind)
            pair = None
        if pair != kept.pair:
            kept.pair, kept.issued_at, kept.alerts = pair, None, 0

    def _is_due(self, kept: _Kept) -> bool:
        now = self._now()
        # A pause that is longer than any was begun by a clock that was ahead.
        if kept.again_at is not None and now < kept.again_at <= now + timedelta(seconds=LONGEST_PAUSE):
            return False
        pair = kept.pair
        if pair is None or not pair.is_valid(now) or pair.names != self._names:
            return True
        since, until = self._life(pair.leaf, kept)
        return now >= until - (until - since) * self._rules.window

    def _life(self, leaf: x509.Certificate, kept: _Kept) -> tuple[datetime, datetime]:
        """Return from when until when a certificate can be shown.

        Its notBefore is backdated for slow clocks: an hour that is never there would make one of ten minutes due at
        once, for ever.
        """
        until = leaf.not_valid_after_utc
        known = [leaf.not_valid_before_utc, until - self._wanted.profile.validity.lifetime]
        return max(known if kept.issued_at is None else [*known, kept.issued_at]), until

    async def _try(self, kind: PairKind, kept: _Kept) -> str:
        former = None if kept.pair is None else format(kept.pair.leaf.serial_number, "x")
        try:
            async with asyncio.timeout(ISSUED_WITHIN):
                await self._check_root(kind, kept)
                issued = await self._issue(kind)
            await self._read(kind, kept)
        except (AuthorityError, OSError) as error:
            # A timeout is an OSError too, without a word.
            return self._failed(kind, kept, str(error) or f"no answer within {ISSUED_WITHIN:.0f} s")
        kept.attempts, kept.again_at, kept.issued_at = 0, None, self._now()
        self._unrecorded[kind] = issued, former
        ends = issued.not_after.isoformat()
        log.info("server_certificate_issued", kind=kind.value, serial=issued.serial, not_after=ends)
        return ""

    def _failed(self, kind: PairKind, kept: _Kept, reason: str) -> str:
        kept.attempts += 1
        pause = pause_after(kept.attempts, FIRST_PAUSE, LONGEST_PAUSE)
        kept.again_at = self._now() + timedelta(seconds=pause)
        is_valid = kept.pair is not None and kept.pair.is_valid(self._now())
        log.error("server_certificate_not_issued", kind=kind.value, reason=reason, again_in=pause, is_valid=is_valid)
        return reason

    async def _check_root(self, kind: PairKind, kept: _Kept) -> None:
        """Stay with a valid certificate while the authority signs under a root that stations aren't said to have.

        An authority whose CA was changed would lock all of them out at the next renewal. Raises AuthorityError.
        """
        pair = kept.pair
        if pair is None or not pair.is_valid(self._now()):
            kept.is_held = False
            return
        try:
            roots = await asyncio.to_thread(self._wanted.csms_roots)
        except (OSError, ValueError) as error:
            raise AuthorityError(f"csms_roots can't be read: {error}") from None
        if any(leads_to(pair.chain, root) for root in roots):
            chain = tuple(await self._authority.chain())
            if not any(leads_to(chain, root) for root in roots):
                self._note_hold(kind, kept, pair)
                raise AuthorityError(
                    "authority.server signs under a root that csms_roots doesn't hold; add it there when all stations "
                    "have it (voltgate trust rotate); the present certificate stays until it expires"
                )
        kept.is_held = False

    async def _issue(self, kind: PairKind) -> IssuedCertificate:
        """Make a key, have it signed and keep both. Raises AuthorityError, OSError."""
        await self._authority.health()  # an RSA key costs more than the question
        key, csr = await asyncio.to_thread(_make, kind, self._wanted)
        wanted = self._wanted
        request = SigningRequest(csr, wanted.names[0], wanted.operator, wanted.profile, wanted.names)
        issued = await self._authority.sign(request)
        found = KeptPair(self._folder.path, (issued.certificate,)).names
        if found != self._names:
            raise AuthorityError(
                f"authority.server gave a certificate for {', '.join(sorted(found)) or 'no name'}, and was asked for "
                f"{', '.join(sorted(self._names))}; let its role issue those names"
            )
        await asyncio.to_thread(self._folder.write, kind, key, issued.chain_pem)
        return issued

    async def _record(self) -> None:
        """Tell the inventory, now or when the store is back: what is shown doesn't wait for it."""
        for kind, (issued, former) in list(self._unrecorded.items()):
            try:
                await self._inventory.issued_to_us(issued, former)
            except StoreAway as away:
                log.error("server_certificate_not_recorded", serial=issued.serial, reason=str(away))  # noqa: TRY400 - it says it all
                return
            del self._unrecorded[kind]

    # --- alerts

    def _note_hold(self, kind: PairKind, kept: _Kept, pair: KeptPair) -> None:
        """Say once that a renewal is held up, which only a person can end: long before the certificate ends."""
        if kept.is_held:
            return
        kept.is_held = True
        detail = (
            f"the gateway's own {kind.value} certificate isn't renewed: authority.server signs under a root that "
            f"csms_roots doesn't hold; it expires at {pair.leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
        self._note(detail, {"serial": format(pair.leaf.serial_number, "x"), "usage": "server"})

    def _note(self, detail: str, presented: Mapping[str, str]) -> None:
        self._security.note(SecurityEvent(Kind.CERTIFICATE_EXPIRING, detail, presented=presented))

    def _alert(self) -> None:
        now = self._now()
        for kind, kept in self._kept.items():
            if kept.pair is None:
                self._alert_missing(kind, kept)
                continue
            leaf = kept.pair.leaf
            times = (*self._rules.alerts_at(*self._life(leaf, kept)), leaf.not_valid_after_utc)
            passed = sum(each <= now for each in times)
            if passed > kept.alerts:
                has_expired = passed == len(times)
                words = "has expired" if has_expired else f"expires at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
                detail = f"the gateway's own {kind.value} certificate {words}; the log says why it isn't renewed"
                presented = {"serial": format(leaf.serial_number, "x"), "usage": "server"}
                log.error("server_certificate_expiring", kind=kind.value, has_expired=has_expired, **presented)
                self._note(detail, presented)
            kept.alerts = passed

    def _alert_missing(self, kind: PairKind, kept: _Kept) -> None:
        """Say once that there is none of a kind and none can be had: stations that know no other stay outside."""
        if kept.attempts and not kept.alerts:
            kept.alerts = 1
            detail = f"the gateway has no {kind.value} certificate of its own; the log says why none can be had"
            self._note(detail, {"kind": kind.value, "usage": "server"})


def _make(kind: PairKind, wanted: Wanted) -> tuple[PrivateKey, x509.CertificateSigningRequest]:
    """Make a key and its request, which names what some authorities copy instead of being told."""
    key = new_key(use_rsa=kind is PairKind.RSA, rsa_bits=RSA_BITS)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, wanted.operator),
            x509.NameAttribute(NameOID.COMMON_NAME, wanted.names[0]),
        ]
    )
    names = x509.SubjectAlternativeName([general_name(name) for name in wanted.names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    return key, builder.sign(key, hashes.SHA256())
