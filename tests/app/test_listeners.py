"""Station listeners over real files: built, reloaded, and what is said when the files are wrong."""

import contextlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from structlog.testing import capture_logs

from gateway.app.listeners import StationListener, Surroundings, roots_of_stations, station_listeners
from gateway.app.problems import StartFailed
from gateway.app.revocations import Revocations
from gateway.config import Config
from gateway.edge.door import Door, EntryRules
from gateway.edge.refusals import CertificateRejected
from gateway.edge.station_certificates import StationCertificateCheck
from gateway.session.ports import Provisional, StationRecord
from gateway.transport import Accept, HandshakePool, Limits, Refuse, UpgradeRequest
from gateway.wire.versions import Version
from pki.pair_folder import PairFolder, PairKind
from pki.pem_files import read_key
from pki.revocation import CrlStore
from tests.edge.handshakes import serial_shown
from tests.system.certificates import OPERATOR, Authority, Files, chain_of, serial_of

STATION = StationRecord("CS1", minimum_profile=3, serial="SN1")


class FakeDoor:
    """Keeps the rules under which each request came."""

    def __init__(self) -> None:
        self.rules: list[EntryRules] = []

    async def admit(self, rules: EntryRules, request: UpgradeRequest) -> Accept | Refuse:
        self.rules.append(rules)
        return Refuse(401)


class NothingRevoked:
    """An inventory."""

    async def revoked_fingerprints(self) -> frozenset[str]:
        return frozenset()


class House:
    """The files of a deployment, its configuration, and what the listeners share."""

    def __init__(self, folder: Path, configured: Callable[..., Config], pool: HandshakePool) -> None:
        self.folder = folder
        self.csms, self.operator, self.maker = (Authority(folder, name) for name in ("csms", "operator", "maker"))
        self.door = FakeDoor()
        self.crls = CrlStore()
        self.owners: dict[str, str] = {}
        """The other station, by the fingerprint of what was issued to it."""
        self._configured = configured
        self._pool = pool
        self.shows(self.csms.leaf("localhost", names=["localhost"]))
        self.trusts(self.operator)
        (folder / "maker.pem").write_text(self.maker.root)

    def shows(self, files: Files) -> None:
        for file, place in zip(files, ("gateway.pem", "gateway.key"), strict=True):
            (self.folder / place).write_bytes(file.read_bytes())
        (self.folder / "gateway.key").chmod(0o600)

    def trusts(self, *authorities: Authority) -> None:
        (self.folder / "roots.pem").write_text("".join(each.root for each in authorities))

    def config(self, *, tls: dict[str, Any] | None = None, profiles: Sequence[int] = (2, 3), **keys: Any) -> Config:
        """One TLS listener and one without."""
        first: dict[str, Any] = {
            "bind": "127.0.0.1:0",
            "security_profiles": list(profiles),
            "tls": {
                "certificates": [{"chain": "gateway.pem", "key": "file:gateway.key"}],
                "station_roots": "roots.pem",
                **(tls or {}),
            },
        }
        second = {"bind": "127.0.0.1:0", "security_profiles": [1], "trusted_networks": ["127.0.0.0/8"]}
        return self._configured(operator=OPERATOR, listeners=[first, second], **keys)

    def around(self, config: Config) -> Surroundings:
        nobody = cast("Any", self)

        async def no_crl() -> bytes:
            raise AssertionError("nobody asks for it here")

        async def other_owner(identity: str, fingerprint: str) -> str | None:
            return self.owners.get(fingerprint)

        return Surroundings(
            config=config,
            door=cast("Door", self.door),
            failures=nobody,
            refusals=nobody,
            revocations=Revocations(NothingRevoked(), {"authority.station": no_crl}, (), self.crls),
            other_owner=other_owner,
            limits=Limits(),
            pool=self._pool,
        )

    def screen(self, address: str) -> str | None:
        """Stand in for the failures."""

    def refused(self, refused: object) -> None:
        """Stand in for the refusals."""

    def listener(self, **changes: Any) -> StationListener:
        return station_listeners(self.around(self.config(**changes)))[0]


@pytest.fixture
def house(tmp_path: Path, configured: Callable[..., Config]) -> Iterator[House]:
    with contextlib.closing(HandshakePool()) as pool:
        yield House(tmp_path, configured, pool)


def check_of(listener: StationListener) -> StationCertificateCheck:
    assert listener.check is not None
    return listener.check


async def verdict(listener: StationListener, files: Files) -> Provisional | str | None:
    """Return what the check says of a station's certificate: why it is provisional, or the refusal's label."""
    leaf, issuing = chain_of(files)
    try:
        _, provisional = await check_of(listener)(leaf, [issuing], STATION)
    except CertificateRejected as error:
        return error.reason.label
    return provisional


def shown(house: House, listener: StationListener) -> int:
    assert listener._contexts is not None
    (house.folder / "csms.pem").write_text(house.csms.root)
    client = ssl.create_default_context(cafile=house.folder / "csms.pem")
    return int(serial_shown(listener._contexts.context(None), client), 16)


async def test_each_listener_asks_the_door_by_its_own_rules(house: House) -> None:
    listeners = station_listeners(house.around(house.config(unknown_station=404)))
    for listener in listeners:
        await listener.transport._doorkeeper.admit(cast("Any", None))
    first, second = house.door.rules
    assert [sorted(rules.profiles) for rules in (first, second)] == [[2, 3], [1]]
    assert (first.certificates is listeners[0].check, second.certificates) == (True, None)
    assert [str(network) for network in second.networks] == ["127.0.0.0/8"]
    assert first.versions == (Version.V201, Version.V16)
    assert first.unknown_status == 404


async def test_in_clear_there_is_nothing_to_reload_and_nothing_to_tolerate(house: House) -> None:
    first, listener = station_listeners(house.around(house.config()))
    assert [len(chain) > 0 for chain in first.chains] == [True]
    assert listener.chains == ()
    with capture_logs() as lines:
        await listener.reload()
        listener.tolerate_expiry(tolerate=True)
    assert lines == []


async def test_the_check_knows_whom_a_certificate_was_issued_to(house: House) -> None:
    listener, files = house.listener(), house.operator.leaf("SN1")
    assert await verdict(listener, files) is None
    house.owners[x509.load_der_x509_certificate(chain_of(files)[0]).fingerprint(SHA256()).hex()] = "CS0"
    assert await verdict(listener, files) == "certificate_of_another"


async def test_the_check_trusts_what_the_configuration_names(house: House) -> None:
    listener = house.listener(tls={"factory_roots": "maker.pem"}, allowed_organizations=["Example Partner"])
    cases: list[tuple[Authority, str, Provisional | str | None]] = [
        (house.operator, OPERATOR, None),
        (house.operator, "Example Partner", None),
        (house.operator, "Example Rival", "certificate"),
        (house.maker, "Example Maker", Provisional.FACTORY),
        (house.csms, OPERATOR, "certificate"),
    ]
    for authority, organization, expected in cases:
        files = authority.leaf("SN1", organization=organization)
        assert await verdict(listener, files) == expected, (authority.label, organization)


@pytest.mark.parametrize(
    ("revocation", "expected"),
    [
        ({}, None),
        ({"crls": ["stations.crl"]}, "revocation_unknown"),
        ({"ocsp": "certificate"}, "revocation_unknown"),
        ({"ocsp": "certificate", "when_unknown": "accept"}, None),
        ({"crls": ["stations.crl"], "when_unknown": "accept"}, None),
    ],
)
async def test_unknown_is_refused_only_where_somebody_is_named_who_knows(
    house: House, revocation: dict[str, Any], expected: str | None
) -> None:
    listener = house.listener(revocation=revocation)
    assert await verdict(listener, house.operator.leaf("SN1")) == expected


async def test_certificates_and_roots_are_taken_over_when_they_change(house: House) -> None:
    listener = house.listener()
    before, theirs = house.operator.leaf("SN1"), house.maker.leaf("SN1")
    with capture_logs() as lines:
        await listener.reload()
    assert lines == []

    renewed = house.csms.leaf("localhost", names=["localhost"])
    house.shows(renewed)
    house.trusts(house.maker)
    with capture_logs() as lines:
        await listener.reload()
        await listener.reload()
    assert [line["event"] for line in lines] == ["certificates_reloaded"]
    assert shown(house, listener) == serial_of(renewed)
    assert await verdict(listener, before) == "certificate"
    assert await verdict(listener, theirs) is None


async def test_issued_certificates_are_taken_over_whole_or_not_at_all(house: House) -> None:
    def issue() -> int:
        files = house.csms.leaf("localhost", names=["localhost"])
        folder.write(PairKind.ECDSA, read_key(files[1]), files[0].read_text())
        return serial_of(files)

    folder = PairFolder(house.folder / "issued")
    folder.make()
    first = issue()
    issued = {"names": ["localhost"], "dir": "issued"}
    server = {"server": {"local": {"dir": "csms-ca"}}}
    listener = house.listener(tls={"certificates": [], "issued": issued}, authority=server)
    assert shown(house, listener) == first

    (house.folder / "issued/ecdsa.pem").write_text("-----BEGIN PRIVATE KEY-----")
    with capture_logs() as lines:
        await listener.reload()
        await listener.reload()
    assert [line["event"] for line in lines] == ["certificates_not_reloaded"]
    assert "issued/ecdsa.pem can't be used" in lines[0]["reason"]
    assert shown(house, listener) == first

    second = issue()
    with capture_logs() as lines:
        await listener.reload()
    assert [line["event"] for line in lines] == ["certificates_reloaded"]
    assert shown(house, listener) == second

    (house.folder / "issued").rename(house.folder / "elsewhere")
    with capture_logs() as lines:
        await listener.reload()
    assert lines[0]["reason"].endswith("issued: No such file or directory")
    assert shown(house, listener) == second


async def test_a_renewed_station_comes_in_with_either_certificate_until_the_old_one_is_revoked(house: House) -> None:
    listener = house.listener()
    old, new = house.operator.leaf("SN1"), house.operator.leaf("SN1")
    assert [await verdict(listener, files) for files in (old, new, old)] == [None, None, None]


async def test_a_listener_for_passwords_alone_reloads_its_certificates(house: House) -> None:
    listener = house.listener(tls={"station_roots": None}, profiles=[2])
    assert listener.check is None
    house.shows(house.csms.leaf("localhost", names=["localhost"]))
    with capture_logs() as lines:
        await listener.reload()
    assert [line["event"] for line in lines] == ["certificates_reloaded"]


@pytest.mark.parametrize("broken", ["half", "no CA", "gone"])
async def test_what_is_wrong_is_said_once_and_the_last_good_stays_whole(house: House, broken: str) -> None:
    listener = house.listener()
    first = shown(house, listener)
    # The certificate is good; the roots beside it aren't: neither is taken.
    house.shows(house.csms.leaf("localhost", names=["localhost"]))
    roots = house.folder / "roots.pem"
    if broken == "half":
        roots.write_text(house.operator.root[:200])
    elif broken == "no CA":  # OpenSSL takes it
        roots.write_bytes(house.operator.leaf("SN1")[0].read_bytes())
    else:
        roots.unlink()
    with capture_logs() as lines:
        await listener.reload()
        await listener.reload()
    assert [line["event"] for line in lines] == ["certificates_not_reloaded"]
    assert str(roots) in lines[0]["reason"]
    assert shown(house, listener) == first
    assert await verdict(listener, house.operator.leaf("SN1")) is None

    house.trusts(house.operator)
    with capture_logs() as lines:
        await listener.reload()
    assert [line["event"] for line in lines] == ["certificates_reloaded"]
    assert shown(house, listener) != first
    # The same fault, later, is news again.
    roots.write_text("rubbish")
    with capture_logs() as lines:
        await listener.reload()
    assert [line["event"] for line in lines] == ["certificates_not_reloaded"]


async def test_expiry_is_tolerated_in_the_handshake_when_told(house: House) -> None:
    listener = house.listener()
    contexts = listener._contexts
    assert contexts is not None
    strict = contexts.context(None)
    listener.tolerate_expiry(tolerate=True)
    assert contexts.context(None) is not strict
    listener.tolerate_expiry(tolerate=False)
    assert contexts.context(None) is strict


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda folder: (folder / "gateway.key").unlink(), r"listeners\[0\].tls: .*gateway.key"),
        (lambda folder: (folder / "gateway.pem").write_text("x"), r"listeners\[0\].tls: certificate .*gateway.pem"),
        (lambda folder: (folder / "roots.pem").unlink(), r"listeners\[0\].tls: .*roots.pem: No such file"),
        (
            lambda folder: (folder / "maker.pem").write_bytes((folder / "gateway.pem").read_bytes()),
            r"listeners\[0\].tls.factory_roots: .*maker.pem .* isn't a CA certificate",
        ),
    ],
    ids=["no key", "no chain", "no roots", "no CA"],
)
def test_what_is_wrong_at_the_start_ends_it(house: House, change: Callable[[Path], object], complaint: str) -> None:
    config = house.config(tls={"factory_roots": "maker.pem"})
    change(house.folder)
    with pytest.raises(StartFailed, match=complaint):
        station_listeners(house.around(config))


def test_the_roots_of_all_listeners_are_known_to_revocation(house: House) -> None:
    config = house.config(tls={"factory_roots": "maker.pem"})
    roots = {house.operator.hierarchy.root.certificate, house.maker.hierarchy.root.certificate}
    assert set(roots_of_stations(config)) == roots
    # One that can't be read is named when its listener is built.
    (house.folder / "maker.pem").unlink()
    (house.folder / "roots.pem").write_text("rubbish")
    assert roots_of_stations(config) == []
