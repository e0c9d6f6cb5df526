"""What a station trusts and what it should, as the store keeps it and the services use it (OCPP 2.0.1 M03 to M05)."""

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from gateway.bridge.books import Json
from pki.certificate_hash import CertificateHash, read_certificate_hash


class AnchorType(enum.Enum):
    """InstallCertificateUseEnumType; the value is 2.0.1's word."""

    CSMS = "CSMSRootCertificate"
    V2G = "V2GRootCertificate"
    MO = "MORootCertificate"
    MANUFACTURER = "ManufacturerRootCertificate"
    OEM = "OEMRootCertificate"
    """Of OCPP 2.1; no station that speaks 2.0.1 or 1.6 knows it."""


SPOKEN_TYPES: Final = frozenset(AnchorType) - {AnchorType.OEM}
"""Those that a station of 2.0.1 or 1.6 can be asked about."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One root that a station has said it has."""

    type: AnchorType
    reported: Json
    """CertificateHashDataType as the station wrote it: what it is to be deleted by."""
    subject: str = ""
    """Whose it is, where the certificate is known here."""

    @property
    def name(self) -> CertificateHash | None:
        """The same, to be compared; None for what is no hash."""
        try:
            return read_certificate_hash(self.reported)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Ours:
    """A root that Voltgate has installed because it was declared."""

    type: AnchorType
    pem: str


class Action(enum.Enum):
    """What a station was asked to do with a root."""

    INSTALL = "install"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a station didn't do, with its words; it is asked again at ``again_at``."""

    action: Action
    type: AnchorType
    key: str
    """The root: its fingerprint, or for one that is to be deleted its serial number and issuer as reported."""
    subject: str
    words: str
    attempts: int
    at: datetime
    again_at: datetime


@dataclass(frozen=True, slots=True)
class Missing:
    """A root that the station should have and has not."""

    type: AnchorType
    fingerprint: str
    subject: str


@dataclass(frozen=True, slots=True)
class StationTrust:
    """Where one station stands. ``seen_at``: when it last said what it has; None: it never did. Nothing is secret."""

    identity: str
    installed: tuple[Installed, ...] = ()
    missing: tuple[Missing, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    ours: tuple[Ours, ...] = ()
    problem: str = ""
    """Why it didn't say what it has, or what is being waited for; empty when all is well."""
    attempts: int = 0
    """Visits in a row that had a problem."""
    again_at: datetime | None = None
    """When it is to be visited again at the latest; None: at once."""
    wanted: str = ""
    """Names what it should trust, as it was at the last visit."""
    checks_roots: bool | None = None
    """AdditionalRootCertificateCheck; None: not known."""
    is_settled: bool = False
    seen_at: datetime | None = None
    changed_at: datetime | None = None

    def refusal(self, action: Action, type_: AnchorType, key: str) -> Refusal | None:
        """Return what the station last said to this, if it was a refusal."""
        wanted = (action, type_, key)
        return next((each for each in self.refusals if (each.action, each.type, each.key) == wanted), None)

    def content(self) -> Json:
        """Return everything but the columns of its own (identity, is_settled, changed_at) as JSON."""
        own = {"identity", "is_settled", "changed_at"}
        return {name: _plain(value) for name, value in asdict(self).items() if name not in own}

    @classmethod
    def read(cls, identity: str, content: Mapping[str, Any], *, is_settled: bool, changed_at: datetime) -> Self:
        """Return what :meth:`content` wrote."""
        return cls(
            identity,
            installed=tuple(
                Installed(AnchorType(each["type"]), each["reported"], each["subject"]) for each in content["installed"]
            ),
            missing=tuple(
                Missing(AnchorType(each["type"]), each["fingerprint"], each["subject"]) for each in content["missing"]
            ),
            refusals=tuple(_refusal(each) for each in content["refusals"]),
            ours=tuple(Ours(AnchorType(each["type"]), each["pem"]) for each in content["ours"]),
            problem=content["problem"],
            attempts=content["attempts"],
            again_at=_time(content["again_at"]),
            wanted=content["wanted"],
            checks_roots=content["checks_roots"],
            is_settled=is_settled,
            seen_at=_time(content["seen_at"]),
            changed_at=changed_at,
        )


class RotationState(enum.Enum):
    """Where a rotation stands, as far as an operator or its end decides; the rest is seen from the stations."""

    OPEN = "open"
    DONE = "done"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class RootRotation:
    """The change of the CSMS root that stations trust. What each station has of it stands with the station."""

    id: int
    old_pem: str
    new_pem: str
    cross_pem: str | None
    identity: str | None
    """A shell-style pattern; None: every identity."""
    group: str | None
    started_at: datetime
    changed_at: datetime
    state: RotationState = RotationState.OPEN
    excluded: frozenset[str] = field(default_factory=frozenset)
    """Stations that aren't waited for: an operator has named each."""

    def content(self) -> Json:
        """Return everything but the columns of its own as JSON."""
        own = {"id", "state", "started_at", "changed_at"}
        return {name: _plain(value) for name, value in asdict(self).items() if name not in own}

    def without(self, identity: str) -> Self:
        """Return it with one more station that isn't waited for."""
        return replace(self, excluded=self.excluded | {identity})


class RotationUnderWay(Exception):
    """There is one that isn't over; the text names it."""


class NoRotation(LookupError):
    """No rotation is under way."""


def _plain(value: Any) -> Any:
    """Return a field as JSON has it."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return {key: _plain(each) for key, each in value.items()} if isinstance(value, dict) else value


def _refusal(each: Mapping[str, Any]) -> Refusal:
    times = {name: datetime.fromisoformat(each[name]) for name in ("at", "again_at")}
    return Refusal(**{**each, "action": Action(each["action"]), "type": AnchorType(each["type"]), **times})


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
