"""The steps by which a station gets to a higher security profile, each one safe to repeat (A05, B09, B10).

2.0.1: the CSMS root, the organisation name and a certificate of ours, a network profile in a free slot, that slot put
first, a restart. 1.6 (white paper A05): the same credentials and the key SecurityProfile; it reconnects by itself.
"""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.bridge.ports import PeerUnavailable
from gateway.services import station_commands as commands
from gateway.services.certificates import NotRenewed, Renewal, TriggerRefused
from gateway.services.station_commands import ConnectedStation, NetworkProfile, Outcome, Reply, Setting
from gateway.session.upgrades import UpgradeRecord
from gateway.wire.versions import Version

SLOTS_MAX: Final = 5
"""Free slots that are tried until the station takes one (B09.FR.05 tells which it has only by refusing)."""
RENEWED_WITHIN: Final = 180.0
"""Seconds from the trigger to a certificate that the station has accepted."""
GOOD_FOR: Final = timedelta(days=30)
"""A certificate that is valid for longer isn't renewed: with less left the station renews it itself (A03.FR.02)."""
COMES_BACK_WITHIN: Final = timedelta(minutes=15)
"""From the restart to the connection under the new profile; stations try each network profile several times."""


class Step(enum.Enum):
    """Where an upgrade stands. Each is durable before its CALL is sent."""

    ORGANIZATION = "organization"
    ROOTS = "roots"
    CERTIFICATE = "certificate"
    SLOTS = "slots"
    NETWORK_PROFILE = "network-profile"
    PRIORITY = "priority"
    SECURITY_PROFILE = "security-profile"
    RESET = "reset"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


_ORDER: Final = {
    Version.V201: (
        Step.ROOTS,
        Step.ORGANIZATION,
        Step.CERTIFICATE,
        Step.SLOTS,
        Step.NETWORK_PROFILE,
        Step.PRIORITY,
        Step.RESET,
        Step.WAITING,
    ),
    Version.V16: (Step.ORGANIZATION, Step.ROOTS, Step.CERTIFICATE, Step.SECURITY_PROFILE, Step.WAITING),
}
_FOR_CERTIFICATES: Final = frozenset({Step.ORGANIZATION, Step.CERTIFICATE})
"""Steps that only profile 3 needs."""
_DETAILS: Final = {
    Step.ORGANIZATION: "setting the name that goes into the O of its CSR",
    Step.ROOTS: "installing the root of the gateway's certificate",
    Step.CERTIFICATE: "renewing its certificate",
    Step.SLOTS: "asking for its network configuration slots",
    Step.NETWORK_PROFILE: "storing the network profile",
    Step.PRIORITY: "putting the new network profile first",
    Step.SECURITY_PROFILE: "setting its security profile",
    Step.RESET: "restarting it",
    Step.WAITING: "waiting for it under the new security profile",
}


class StepFailed(Exception):
    """The upgrade can't go on; the text says why and, where there is something, what to do."""


@dataclass(frozen=True, slots=True)
class UpgradeOffer:
    """Where stations of a security profile connect to, and what they must trust for it."""

    url: str
    """wss://, without the identity: the station appends its own (OCPP-J 2.0.1 Part 4, 3.1.1)."""
    roots_pem: str | None
    """The roots of the gateway's certificate, PEM; None: the stations are known to have them."""


class InstalledCertificates(Protocol):
    """The inventory of certificates."""

    async def good_until(self, identity: str) -> datetime | None:
        """Return until when the station has an installed certificate that isn't revoked (aware); None without one."""


def first_step(version: Version, target: int) -> Step:
    """Return the step with which an upgrade to ``target`` begins."""
    return _steps(version, target)[0]


def moved(record: UpgradeRecord, step: Step, *, note: str | None = None, **data: Any) -> UpgradeRecord:
    """Return the record at ``step``. ``note`` is what a person should know, and stays in ``detail`` from now on."""
    notes = list(record.data.get("notes", []))
    if note is not None and note not in notes:
        notes.append(note)
    detail = "; ".join([_DETAILS.get(step, step.value), *notes])
    return replace(record, step=step.value, detail=detail, data={**record.data, **data, "notes": notes})


class UpgradeSteps:
    """Takes one step of an upgrade at a time."""

    def __init__(
        self,
        *,
        operator: str,
        offer: Callable[[int], UpgradeOffer | None],
        renewal: Renewal,
        installed: InstalledCertificates,
        now: Callable[[], datetime],
    ) -> None:
        self.offer = offer
        """By security profile: where its stations connect to; None where none may."""
        self._operator = operator
        self._renewal = renewal
        self._installed = installed
        self._now = now
        takers: dict[Step, Callable[[ConnectedStation, UpgradeRecord], Awaitable[UpgradeRecord]]] = {
            Step.ORGANIZATION: self._set_organization,
            Step.CERTIFICATE: self._renew_certificate,
            Step.SLOTS: self._read_slots,
            Step.NETWORK_PROFILE: self._store_profile,
            Step.PRIORITY: self._put_first,
            Step.SECURITY_PROFILE: self._set_profile,
            Step.RESET: self._restart,
        }
        self._takers = {step.value: taker for step, taker in takers.items()}

    async def take(self, station: ConnectedStation, record: UpgradeRecord, *, is_repeat: bool) -> UpgradeRecord:
        """Do what ``record.step`` says and return the record of what is next, to be saved before it is taken.

        ``is_repeat``: it may have been done before, its outcome isn't known. Raises :class:`StepFailed`, and
        PeerUnavailable when the step is to be repeated.
        """
        if record.step == Step.ROOTS.value:
            return await self._install_root(station, record, is_repeat=is_repeat)
        taker = self._takers.get(record.step)
        if taker is None:
            raise StepFailed(f"another release of Voltgate left it at the step {record.step!r}; begin it anew")
        return await taker(station, record)

    def _offered(self, record: UpgradeRecord) -> UpgradeOffer:
        offer = self.offer(record.target_profile)
        if offer is None:
            raise StepFailed(
                f"no listener with a public_url serves security profile {record.target_profile} any more "
                "(listeners, security_profiles)"
            )
        return offer

    async def _set_organization(self, station: ConnectedStation, record: UpgradeRecord) -> UpgradeRecord:
        reply = await commands.change_setting(station, Setting.ORGANIZATION, self._operator)
        note = None if reply.is_accepted else f"the organisation name was not taken ({reply.words})"
        return moved(record, _next(station, record), note=note)

    async def _install_root(
        self, station: ConnectedStation, record: UpgradeRecord, *, is_repeat: bool
    ) -> UpgradeRecord:
        """Install one root; the record counts them.

        A refusal is fatal only for a station that was never on TLS: others trust a root of ours already, and there are
        some that refuse what they have.
        """
        roots_pem = self._offered(record).roots_pem
        roots = x509.load_pem_x509_certificates(roots_pem.encode("ascii")) if roots_pem else []
        index = int(record.data.get("roots", 0))
        if index >= len(roots):
            note = None if roots else "no csms_roots are configured: it must trust the gateway's certificate already"
            return moved(record, _next(station, record), note=note)
        reply = await commands.install_root(station, roots[index].public_bytes(Encoding.PEM).decode("ascii"))
        note = None if reply.is_accepted else f"a root was not taken ({reply.words})"
        if note is not None and station.proof.profile < 2 and not is_repeat:
            raise StepFailed(f"the station does not take the root of the gateway's certificate: {reply.words}")
        return moved(record, Step.ROOTS, note=note, roots=index + 1)

    async def _renew_certificate(self, station: ConnectedStation, record: UpgradeRecord) -> UpgradeRecord:
        good_until = await self._installed.good_until(station.identity)
        if good_until is None or good_until - self._now() < GOOD_FOR:
            try:
                await self._renewal.renew_and_wait(station, RENEWED_WITHIN)
            except (NotRenewed, TriggerRefused) as error:
                raise StepFailed(f"the station has no certificate for security profile 3: {error}") from None
        return moved(record, _next(station, record))

    async def _read_slots(self, station: ConnectedStation, record: UpgradeRecord) -> UpgradeRecord:
        reply, priority = await commands.network_priority(station)
        used = _slots(priority)
        if not reply.is_accepted or used is None:
            raise StepFailed(f"the station does not say which network configuration slots it uses: {reply.words}")
        free = _free_slots(used)
        return replace(moved(record, Step.NETWORK_PROFILE, priority=used, free=free[1:]), slot=free[0])

    async def _store_profile(self, station: ConnectedStation, record: UpgradeRecord) -> UpgradeRecord:
        assert record.slot is not None  # noqa: S101 - the step before has chosen it
        url = self._offered(record).url
        profile = NetworkProfile(url, record.target_profile, record.data["interface"])
        reply = await commands.set_network_profile(station, record.slot, profile)
        if reply.is_accepted:
            return moved(record, Step.PRIORITY)
        free = list(record.data["free"])
        # Without a reason code it may be the slot; any other reason would be the same for the next one.
        if free and reply.status == "Rejected" and reply.reason_code in {"", "InvalidConfSlot"}:
            return replace(moved(record, Step.NETWORK_PROFILE, free=free[1:]), slot=free[0])
        raise StepFailed(f"the station does not take the network profile in slot {record.slot}: {reply.words}")

    async def _put_first(self, station: ConnectedStation, record: UpgradeRecord) -> UpgradeRecord:
        order = ",".join(str(slot) for slot in [record.slot, *record.data["priority"]])
        reply = await commands.change_setting(station, Setting.NETWORK_PRIORITY, order)
        if not reply.is_accepted:
            raise StepFailed(f"the station does not take the order {order} of its network profiles: {reply.words}")
        return moved(record, Step.RESET)

    async def _set_profile(self, station: ConnectedStation, record: UpgradeRecord) -> UpgradeRecord:
        profile = str(record.target_profile)
        # 1.6 has no message for it.
        note = "its new address must be set in the station itself" if record.previous_profile < 2 else None
        record = moved(record, Step.SECURITY_PROFILE, note=note)
        try:
            reply = await _while_connected(station, commands.change_setting(station, Setting.SECURITY_PROFILE, profile))
        except _LeftWithoutAnAnswer:
            return self._waiting(record, note="it left without an answer")
        if not reply.is_accepted:
            raise StepFailed(f"the station does not take security profile {profile}: {reply.words}")
        return moved(record, Step.RESET) if reply.outcome is Outcome.REBOOT_REQUIRED else self._waiting(record)

    async def _restart(self, station: ConnectedStation, record: UpgradeRecord) -> UpgradeRecord:
        try:
            reply = await _while_connected(station, commands.reset(station))
        except _LeftWithoutAnAnswer:
            return self._waiting(record, note="it left without an answer")
        if not reply.is_accepted:
            raise StepFailed(
                f"the station does not restart ({reply.words}); it goes to its new profile when somebody restarts it"
            )
        if reply.status == "Scheduled":
            return moved(record, Step.WAITING, note="it restarts when its sessions have ended", deadline=None)
        return self._waiting(record)

    def _waiting(self, record: UpgradeRecord, note: str | None = None) -> UpgradeRecord:
        return moved(record, Step.WAITING, note=note, deadline=deadline_from(self._now()))


def deadline_from(now: datetime) -> str:
    """Return when a station that leaves now must have come back, as it stands in a record's data."""
    return (now + COMES_BACK_WITHIN).isoformat()


class _LeftWithoutAnAnswer(Exception):
    """The connection ended where that is just what was asked for."""


async def _while_connected(station: ConnectedStation, asking: Awaitable[Reply]) -> Reply:
    was_connected = station.is_connected
    try:
        return await asking
    except PeerUnavailable:
        if was_connected and not station.is_connected:
            raise _LeftWithoutAnAnswer from None
        raise


def _steps(version: Version, target: int) -> list[Step]:
    return [step for step in _ORDER[version] if target >= 3 or step not in _FOR_CERTIFICATES]


def _next(station: ConnectedStation, record: UpgradeRecord) -> Step:
    steps = _steps(station.version, record.target_profile)
    step = Step(record.step)
    if step not in steps:
        raise StepFailed(f"the station speaks {station.version.value} by now; begin the upgrade anew")
    return steps[steps.index(step) + 1]


def _slots(priority: str) -> list[int] | None:
    """Return the slots of NetworkConfigurationPriority, or None for what isn't a list of numbers."""
    parts = [part.strip() for part in priority.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return None
    return [int(part) for part in parts]


def _free_slots(used: list[int]) -> list[int]:
    """Return the free slots to try, ascending: from 0 where the station counts from there, else from 1."""
    first = 0 if 0 in used else 1
    return [slot for slot in range(first, first + len(used) + SLOTS_MAX) if slot not in used][:SLOTS_MAX]
