"""How a newcomer proves to be the station that its URL names: by its certificate, or by its password.

Who shows a certificate where one is asked for is under security profile 3, and the certificate must hold: a password
beside a bad one helps nobody (A00.FR.407). Without one it is the password, in clear (profile 1) or over TLS (2).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from gateway.edge.basic import BasicCredentials, CredentialsRejected, parse_basic
from gateway.edge.entry_rules import EntryRules, choose_version
from gateway.edge.failures import Failures, TooManyAtOnce, TooManyFailures
from gateway.edge.passwords import PasswordChecker
from gateway.edge.refusals import CertificateRejected, NotAdmitted, Reason, presented
from gateway.edge.turns import TooManyWaiting
from gateway.session.ports import Proof, StationRecord, StationRegistry
from gateway.transport import UpgradeRequest
from gateway.wire.versions import Version

BUSY_RETRY: Final = 5.0
"""Seconds after which a station may come again when too many comparisons wait."""

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


class Pending(Protocol):
    """Where stations are noted that aren't registered, for an operator to approve."""

    def note_pending(self, identity: str, presented: Mapping[str, str], remote: str) -> None:
        """Note one. Never blocks and never raises; ``presented`` holds no secret."""


class Prover:
    """Finds the registered station behind a newcomer. All that it raises is NotAdmitted, and StoreAway."""

    def __init__(
        self, registry: StationRegistry, passwords: PasswordChecker, failures: Failures, pending: Pending | None
    ) -> None:
        self._registry = registry
        self._passwords = passwords
        self._failures = failures
        self._pending = pending

    async def prove(
        self, rules: EntryRules, request: UpgradeRequest, identity: str, known: StationRecord | None = None
    ) -> tuple[StationRecord, Proof]:
        """Return the registered station, and how the newcomer proved to be it.

        ``known`` is what was known of it before: a certificate is checked by that, and the registry is asked only
        before it is refused.
        """
        credentials = _credentials(request)
        certificate = shown_certificate(rules, request)
        if certificate is not None:
            if credentials is not None and credentials.user != identity:
                raise NotAdmitted(Reason.USER_MISMATCH, f"Basic user is not the identity {identity}")
            return await self._by_certificate(rules, request, identity, certificate, known)
        if (1 if request.tls is None else 2) not in rules.profiles:
            raise NotAdmitted(Reason.PROFILE, f"{identity}: a client certificate is required here")
        if credentials is None:
            raise NotAdmitted(Reason.NO_CREDENTIALS, f"{identity}: no Basic credentials")
        return await self._by_password(rules, request, identity, credentials)

    async def _by_certificate(
        self,
        rules: EntryRules,
        request: UpgradeRequest,
        identity: str,
        certificate: bytes,
        known: StationRecord | None,
    ) -> tuple[StationRecord, Proof]:
        """A00.FR.403 to 405. For an identity that isn't registered the same work is done (attack A1)."""
        if rules.certificates is None:
            raise NotAdmitted(Reason.CERTIFICATE, f"{identity}: this listener has no station_roots to check against")
        record = known or await self._registry.find(identity)
        chain = request.tls.chain[1:] if request.tls is not None else ()
        try:
            path, provisional = await rules.certificates(
                certificate, chain, record or StationRecord(identity, minimum_profile=3)
            )
        except CertificateRejected as error:
            # The registry's word is the last, but the check isn't done twice without need: for an identity that isn't
            # registered it is done once.
            if known is not None and await self._has_changed(known):
                return await self._by_certificate(rules, request, identity, certificate, None)
            if record is not None:
                raise NotAdmitted(error.reason, f"{identity}: {error}") from None
            path, provisional = (), None
        if record is None:
            raise self._unknown(rules, request, identity)
        return record, Proof(3, path=path, provisional=provisional)

    async def _has_changed(self, known: StationRecord) -> bool:
        now = await self._registry.find(known.identity)
        return now is None or not now.admits_like(known)

    async def _by_password(
        self, rules: EntryRules, request: UpgradeRequest, identity: str, credentials: BasicCredentials
    ) -> tuple[StationRecord, Proof]:
        """A00.FR.204 and 207. A wrong user, an unknown identity and a wrong password cost the same work (attack A1)."""
        is_own = credentials.user == identity
        record = await self._registry.find(identity) if is_own else None
        stored: Sequence[str] = ()
        if record is not None and (_is_text(credentials.password) or _may_be_raw(rules, request, record)):
            stored = [each for each in (record.password_hash, record.next_password_hash) if each is not None]
        fitted = await self._compare(credentials.password, stored, request.remote[0], identity)
        if not is_own:
            raise NotAdmitted(Reason.USER_MISMATCH, f"Basic user is not the identity {identity}")
        if record is None:
            raise self._unknown(rules, request, identity)
        if fitted is None:
            raise NotAdmitted(Reason.PASSWORD, f"{identity}: wrong password")
        return record, Proof(1 if request.tls is None else 2, password_hash=fitted)

    async def _compare(self, password: bytes, stored: Sequence[str], address: str, identity: str) -> str | None:
        """Return the hash that fits. What was proven of late passes whoever else guesses; all else needs a token."""
        proven = self._passwords.proven(password, stored)
        if proven is not None:
            return proven
        try:
            reserved = self._failures.reserve(address, identity)
        except TooManyFailures as limit:
            raise NotAdmitted(Reason.LIMITED, f"{identity}: {limit}", retry_after=limit.wait) from None
        except TooManyAtOnce as busy:
            raise NotAdmitted(Reason.BUSY, f"{identity}: {busy}", retry_after=BUSY_RETRY) from None
        with reserved:
            try:
                fitted = await self._passwords.fitting(password, stored, address)
            except TooManyWaiting as busy:
                reserved.give_back()
                raise NotAdmitted(Reason.BUSY, str(busy), retry_after=BUSY_RETRY) from None
            if fitted is not None:
                reserved.give_back()
            return fitted

    def _unknown(self, rules: EntryRules, request: UpgradeRequest, identity: str) -> NotAdmitted:
        """Note who asks, and return the refusal."""
        if self._pending is not None:
            self._pending.note_pending(identity, presented(request), request.remote[0])
        return NotAdmitted(Reason.UNKNOWN_STATION, f"{identity} is not registered", status=rules.unknown_status)


def shown_certificate(rules: EntryRules, request: UpgradeRequest) -> bytes | None:
    """Return the certificate by which the newcomer is to be known; None: it is by its password."""
    return request.tls.certificate if request.tls is not None and 3 in rules.profiles else None


def _is_text(password: bytes) -> bool:
    """Return whether this can be a passwordString: UTF-8 without control characters (OCPP 2.0.1 A00.FR.205)."""
    try:
        return _CONTROL.search(password.decode()) is None
    except UnicodeDecodeError:
        return False


def _may_be_raw(rules: EntryRules, request: UpgradeRequest, record: StationRecord) -> bool:
    """Return whether the station speaks OCPP 1.6, whose AuthorizationKey may come as any bytes."""
    version = choose_version(request.offered, rules.versions, record.pinned_version)
    return version is Version.V16 or (version is None and Version.V16.subprotocol in request.offered)


def _credentials(request: UpgradeRequest) -> BasicCredentials | None:
    header = request.headers.get("Authorization")
    if header is None:
        return None
    try:
        return parse_basic(header)
    except CredentialsRejected as error:
        raise NotAdmitted(Reason.CREDENTIALS, str(error)) from None
