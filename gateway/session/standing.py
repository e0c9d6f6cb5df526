"""May a live session go on, by what the registry says of its station now? (Changes that a person made meanwhile.)"""

from cryptography.x509.oid import NameOID

from gateway.session.ports import Proof, Provisional, StationRecord
from gateway.wire.versions import Version


def may_use(profile: int, record: StationRecord) -> bool:
    """Return whether the station may connect under ``profile``.

    Not below its minimum, which only rises (A05.FR.07), but for 3 to 2 where that is allowed to this one station; never
    to 1 (A00.FR.005 with the errata of 2025, A05.FR.09).
    """
    return profile >= record.minimum_profile or (record.allow_downgrade and profile == 2)


def why_not_any_more(record: StationRecord, proof: Proof, version: Version) -> str | None:
    """Return why a session that began with ``proof`` can't go on; None when it can. The text is for log and peer."""
    if not may_use(proof.profile, record):
        return "a higher security profile is required"
    if proof.password_hash is not None and proof.password_hash not in (
        record.password_hash,
        record.next_password_hash,
    ):
        return "the password was changed"
    if proof.path and _common_name(proof) != record.certificate_name:
        return "the serial number was changed"
    if proof.provisional is Provisional.EXPIRED and not record.allow_expired:
        return "the certificate has expired"
    if record.pinned_version not in (None, version):
        return "another OCPP version is required"
    return None


def _common_name(proof: Proof) -> str:
    """The leaf's CN, of which there is one: it was checked at the door."""
    leaf = proof.path[0]
    return str(leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
