"""What the API asks of connected stations, done by the services; their refusals in the API's terms."""

from gateway.admin.ports import Refused, StationRefused
from gateway.bridge.ports import PeerUnavailable
from gateway.services.certificates import StationCertificates, TriggerRefused
from gateway.services.credentials import CredentialRotation, RotationRefused, RotationRejected, RotationUnanswered
from gateway.services.upgrades import ProfileUpgrades, UpgradeRefused
from gateway.session.station import Station


class Commands:
    """Fulfils :class:`gateway.admin.ports.StationCommands`."""

    def __init__(
        self, certificates: StationCertificates, rotation: CredentialRotation, upgrades: ProfileUpgrades
    ) -> None:
        self._certificates = certificates
        self._rotation = rotation
        self._upgrades = upgrades

    async def renew_certificate(self, station: Station, usage: str) -> None:
        """Ask it for a new CSR."""
        try:
            await self._certificates.renew(station, usage)
        except TriggerRefused as refused:
            raise StationRefused(str(refused)) from None

    async def rotate_password(self, station: Station, *, force: bool) -> None:
        """Give it a new password."""
        try:
            await self._rotation.rotate(station, force=force)
        except RotationRefused as refused:
            raise Refused(str(refused)) from None
        except RotationRejected as rejected:
            raise StationRefused(str(rejected)) from None
        except RotationUnanswered as unanswered:
            raise PeerUnavailable(str(unanswered)) from None

    async def upgrade(self, station: Station, profile: int, *, interface: str) -> None:
        """Begin the upgrade of its security profile."""
        try:
            await self._upgrades.begin(station, profile, interface=interface)
        except UpgradeRefused as refused:
            raise Refused(str(refused)) from None
