"""The gateway's own server certificates, put together: one set for each folder that a listener names."""

import functools
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509

from gateway.app.authorities import Authorities
from gateway.app.inventory import Inventory
from gateway.app.problems import StartFailed
from gateway.app.renewals import renewal_rules
from gateway.app.tasks import Tasks
from gateway.config import Config
from gateway.config.tree import IssuedCertificates
from gateway.services.server_certificates import NoServerCertificate, ServerCertificates, Wanted
from gateway.session.security import SecurityLog
from gateway.store.certificates import CertificateUnknown
from pki.authority import IssuedCertificate
from pki.pair_folder import PairFolder
from pki.paths import load_roots

USAGE = "server"


class OwnCertificates:
    """All of them; none where no listener has ``tls.issued``."""

    def __init__(self, config: Config, authorities: Authorities, inventory: Inventory, security: SecurityLog) -> None:
        self._sets: list[tuple[str, ServerCertificates]] = []
        """With the key that names each, for errors."""
        for place, issued in _wanted(config).values():
            profile = authorities.profile(USAGE)
            self._sets.append(
                (
                    place,
                    ServerCertificates(
                        PairFolder(issued.dir),
                        Wanted(
                            names=tuple(issued.names),
                            operator=config.operator,
                            profile=profile,
                            csms_roots=functools.partial(_csms_roots, config, issued.dir),
                        ),
                        authorities.by_use[USAGE],
                        _Kept(inventory, profile.name),
                        security,
                        rules=renewal_rules(config),
                    ),
                )
            )

    async def prepare(self) -> None:
        """Have a certificate for each listener that shows one of these. Raises StartFailed."""
        for place, each in self._sets:
            try:
                await each.prepare()
            except NoServerCertificate as error:
                raise StartFailed(f"{place}: {error}") from None

    def start(self, tasks: Tasks) -> None:
        """Begin to renew them."""
        for place, each in self._sets:
            tasks.spawn(each.run(), f"certificates of {place}")

    @property
    def are_valid(self) -> bool | None:
        """False when a listener has nothing but expired ones to show; None where there are none of these."""
        return all(each.is_valid for _, each in self._sets) if self._sets else None

    def expiring(self) -> Mapping[str, int]:
        """Return by usage, which is theirs, how many end soon and are not renewed; nothing where there are none."""
        return {USAGE: sum(each.expiring for _, each in self._sets)} if self._sets else {}


class _Kept:
    """Fulfils ``services.server_certificates.OwnCertificateLog``."""

    def __init__(self, inventory: Inventory, profile: str) -> None:
        self._inventory = inventory
        self._profile = profile

    async def issued_to_us(self, issued: IssuedCertificate, former: str | None) -> None:
        """Record it as the one in use; ``former`` is superseded, if the inventory has it."""
        await self._inventory.add("", issued, usage=USAGE, profile=self._profile)
        await self._inventory.mark(issued.serial, "in_use")
        if former is not None:
            try:
                await self._inventory.mark(former, "superseded")
            except CertificateUnknown:
                return  # the store is younger than the folder


def _csms_roots(config: Config, folder: Path) -> list[x509.Certificate]:
    """Return the roots of all listeners that show what is in ``folder``. Raises OSError, ValueError."""
    tls = [each.tls for each in config.listeners if each.tls is not None and each.tls.issued is not None]
    files = {each.csms_roots for each in tls if each.issued is not None and each.issued.dir == folder}
    return [root for path in files if path is not None for root in load_roots(path.read_bytes())]


def _wanted(config: Config) -> Mapping[Path, tuple[str, IssuedCertificates]]:
    """Return what listeners want, once for each folder."""
    found: dict[Path, tuple[str, IssuedCertificates]] = {}
    for index, listener in enumerate(config.listeners):
        if listener.tls is not None and listener.tls.issued is not None:
            found.setdefault(listener.tls.issued.dir, (f"listeners[{index}].tls.issued", listener.tls.issued))
    return found
