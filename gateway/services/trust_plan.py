"""Which roots a station should have, what is to be done about it, and what must not: decided without any I/O.

The one rule that stands above all: no CSMS root is taken from a station that it may need for the gateway's certificates
in force (:func:`may_delete`).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509

from gateway.session.trust import AnchorType, Installed, Ours
from pki.anchors import Anchor, Chain, issuer_names, leads_to, read_anchors
from pki.certificate_hash import CertificateHash


class Selection(Protocol):
    """Which stations are meant."""

    def matches(self, identity: str, group: str | None) -> bool:
        """Return whether a station of this identity and group is."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What one entry of ``trust_anchors`` says, its file read."""

    place: str
    """The entry, as errors and the commands name it: ``trust_anchors[0]``."""
    type: AnchorType
    anchors: tuple[Anchor, ...]
    stations: Selection
    exclusive: bool = False
    remove: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one station should have. ``install`` and ``remove`` are pairs of type and root, each once."""

    install: tuple[tuple[AnchorType, Anchor], ...] = ()
    remove: tuple[tuple[AnchorType, Anchor], ...] = ()
    exclusive: frozenset[AnchorType] = frozenset()
    """Of these types it should have nothing else."""

    @property
    def types(self) -> frozenset[AnchorType]:
        return self.exclusive | {type_ for type_, _ in (*self.install, *self.remove)}

    @property
    def digest(self) -> str:
        """Names it: another one for each other content."""
        parts = [
            *sorted(f"+{type_.value}{each.fingerprint}" for type_, each in self.install),
            *sorted(f"-{type_.value}{each.fingerprint}" for type_, each in self.remove),
            *sorted(f"={type_.value}" for type_ in self.exclusive),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    def names(self, type_: AnchorType, anchor: Anchor) -> bool:
        """Return whether the station should have this root."""
        return any(each is type_ and known.certificate == anchor.certificate for each, known in self.install)


def wanted_for(declared: Iterable[Declared], identity: str, group: str | None) -> Wanted:
    """Return what the entries say of a station, all that mean it together; what is to be removed isn't installed."""
    mine = [each for each in declared if each.stations.matches(identity, group)]
    remove = {(each.type, anchor.fingerprint): anchor for each in mine if each.remove for anchor in each.anchors}
    install = {
        (each.type, anchor.fingerprint): anchor
        for each in mine
        if not each.remove
        for anchor in each.anchors
        if (each.type, anchor.fingerprint) not in remove
    }
    return Wanted(
        tuple((type_, anchor) for (type_, _), anchor in install.items()),
        tuple((type_, anchor) for (type_, _), anchor in remove.items()),
        frozenset(each.type for each in mine if each.exclusive),
    )


def is_installed(anchor: Anchor, type_: AnchorType, installed: Iterable[Installed]) -> bool:
    """Return whether the station has it, in whichever hash algorithm it says so."""
    return any(each.type is type_ and each.name in anchor.names for each in installed)


def missing(
    wanted: Wanted, answered: frozenset[AnchorType], installed: Sequence[Installed]
) -> list[tuple[AnchorType, Anchor]]:
    """Return what the station should have and, as it said, has not; of types for which it doesn't answer, nothing."""
    return [
        (type_, anchor)
        for type_, anchor in wanted.install
        if type_ in answered and not is_installed(anchor, type_, installed)
    ]


def unwanted(wanted: Wanted, installed: Sequence[Installed], ours: Iterable[Ours]) -> list[Installed]:
    """Return what is to be deleted.

    That is what is named to be removed; what Voltgate itself installed and nothing names any more; and where a type is
    exclusive all else of it. The latter two wait until one root at least of those wanted in their place is there.
    """
    former = {(each.type, name) for each in ours for anchor in read_anchors(each.pem.encode()) for name in anchor.names}
    found = []
    for root in installed:
        kept = any(type_ is root.type and root.name in anchor.names for type_, anchor in wanted.install)
        removed = any(type_ is root.type and root.name in anchor.names for type_, anchor in wanted.remove)
        foreign = root.type in wanted.exclusive or (root.name is not None and (root.type, root.name) in former)
        if not kept and (removed or (foreign and _has_successor(root.type, wanted, installed))):
            found.append(root)
    return found


def may_delete(
    root: Installed, installed: Sequence[Installed], known: Iterable[Anchor], chains: Sequence[Chain]
) -> str | None:
    """Return None when ``root`` may go, or why not, in words.

    A CSMS root goes only if no chain in force loses by it what it may lead to at this station, if a root that is known
    here to carry each remains, and if it isn't the last one. Of a root that isn't known here it is assumed that it
    carries each chain with its issuer's name. One certificate that is listed in two hash algorithms is one root.

    DeleteCertificate names no type: a root of another type that is also the station's CSMS root is held to the same;
    so is one that carries a chain in force at a station that lists no CSMS root.
    """
    by_name = {name: anchor.certificate for anchor in known for name in anchor.names}
    csms = [each for each in installed if each.type is AnchorType.CSMS]
    after = [each for each in csms if not _is_same(each, root, by_name)]
    if root.type is not AnchorType.CSMS and len(after) == len(csms):
        is_used = not csms and any(_carries(root, chain, by_name, when_unknown=False) for chain in chains)
        return "the gateway's certificate in force leads to it, and the station lists no CSMS root" if is_used else None
    if not after:
        return "it is the last CSMS root that the station has"
    for chain in chains:
        is_carried = any(_carries(each, chain, by_name, when_unknown=False) for each in after)
        if not is_carried and _carries(root, chain, by_name, when_unknown=True):
            return "the gateway's certificate in force may lead to it, and to no other root that the station has"
    if chains and not any(_carries(each, chain, by_name, when_unknown=False) for chain in chains for each in after):
        return "no root that would be left is known to carry the gateway's certificate in force"
    return None


def _is_same(one: Installed, other: Installed, by_name: dict[CertificateHash, x509.Certificate]) -> bool:
    """Return whether two names may be one certificate's; of two algorithms only the serial can be compared."""
    if one.name is None or other.name is None or one.name == other.name:
        return one.name == other.name
    if one.name in by_name and other.name in by_name:
        return by_name[one.name] == by_name[other.name]
    return one.name.algorithm is not other.name.algorithm and one.name.serial == other.name.serial


def _carries(
    root: Installed, chain: Chain, by_name: dict[CertificateHash, x509.Certificate], *, when_unknown: bool
) -> bool:
    name = root.name
    if name is None:
        return when_unknown
    certificate = by_name.get(name)
    if certificate is not None:
        return leads_to(chain, certificate)
    candidates = {(each.algorithm, each.issuer_name) for each in issuer_names(chain)}
    return when_unknown and (name.algorithm, name.issuer_name) in candidates


def _has_successor(type_: AnchorType, wanted: Wanted, installed: Sequence[Installed]) -> bool:
    successors = [anchor for each, anchor in wanted.install if each is type_]
    return not successors or any(is_installed(anchor, type_, installed) for anchor in successors)
