"""The gateway's own certificates on a real folder and the embedded CA, with a clock that a test moves."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from structlog.testing import capture_logs

from gateway.services import server_certificates
from gateway.services.renewal_plan import RenewalRules
from gateway.services.server_certificates import LOOK_EVERY, NoServerCertificate, ServerCertificates, Wanted
from gateway.session.ports import StoreAway
from pki.authority import AuthorityUnavailable, IssuedCertificate, SigningRequest
from pki.authority.local import LocalAuthority
from pki.pair_folder import KeptPair, PairFolder, PairKind
from pki.profiles import csms_server, with_lifetime
from tests.services.conftest import KeptEvents

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = RenewalRules(1 / 3, 0.5, (timedelta(days=14), timedelta(days=3)))
PROFILE = with_lifetime(csms_server(), 24 * HOUR)
"""Due 8 hours before the end; the hour of backdating is none of its life."""


class Authority:
    """``authority.server``: the embedded CA, which may be away."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.local = LocalAuthority.open(folder / "csms-ca", organization="Example CPO", clock=clock)
        self.requests: list[SigningRequest] = []
        self.tries = 0
        self.away: Exception | None = None
        self.hangs = False
        self.names: tuple[str, ...] | None = None
        """What it puts in instead of what it was asked for."""
        self.lifetime: timedelta | None = None
        """What it cuts the lifetime to."""

    async def health(self) -> None:
        self.tries += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.away is not None:
            raise self.away

    async def sign(self, request: SigningRequest) -> IssuedCertificate:
        self.requests.append(request)
        if self.names is not None:
            names = self.names
            request = SigningRequest(request.csr, names[0], request.organization, request.profile, names)
        if self.lifetime is not None:
            request = replace(request, profile=with_lifetime(request.profile, self.lifetime))
        return await self.local.sign(request)

    async def chain(self) -> list[x509.Certificate]:
        return await self.local.chain()

    async def revoke(self, serial: str, reason: x509.ReasonFlags = x509.ReasonFlags.unspecified) -> None:
        raise NotImplementedError

    async def crl(self) -> bytes:
        raise NotImplementedError


class Inventory:
    def __init__(self) -> None:
        self.recorded: list[tuple[str, str | None]] = []
        self.is_away = False

    async def issued_to_us(self, issued: IssuedCertificate, former: str | None) -> None:
        if self.is_away:
            raise StoreAway("the disk is full")
        self.recorded.append((issued.serial, former))


class Desk:
    def __init__(self, folder: Path, events: KeptEvents) -> None:
        self.date = START
        self.folder = PairFolder(folder / "certs" / "issued")
        self.authority = Authority(folder, lambda: self.date)
        self.inventory = Inventory()
        self.events = events
        self.roots: list[x509.Certificate] | Exception = []
        self.service = self.opened()

    def _csms_roots(self) -> list[x509.Certificate]:
        if isinstance(self.roots, Exception):
            raise self.roots
        return self.roots

    def opened(self, *names: str, lifetime: timedelta = PROFILE.validity.lifetime) -> ServerCertificates:
        """What a start of the gateway makes."""
        profile = with_lifetime(PROFILE, lifetime)
        self.service = ServerCertificates(
            self.folder,
            Wanted(
                names=names or ("gw.example.com", "10.0.0.1"),
                operator="Example CPO",
                profile=profile,
                csms_roots=self._csms_roots,
            ),
            self.authority,
            self.inventory,
            self.events,
            rules=RULES,
            now=lambda: self.date,
            sleep=self._sleep,
        )
        return self.service

    async def _sleep(self, seconds: float) -> None:
        assert seconds == LOOK_EVERY
        if self._looks == 0:
            raise asyncio.CancelledError
        self._looks -= 1

    async def later(self, span: timedelta = timedelta()) -> None:
        """Let time pass in one go, and the service look once."""
        self.date += span
        self._looks = 1
        with pytest.raises(asyncio.CancelledError):
            await self.service.run()

    def pair(self, kind: PairKind = PairKind.ECDSA) -> KeptPair:
        found = self.folder.read(kind)
        assert found is not None
        return found

    def is_valid(self) -> bool:
        return self.service.is_valid

    @property
    def serials(self) -> tuple[int, ...]:
        return tuple(self.pair(kind).leaf.serial_number for kind in PairKind)


@pytest.fixture
def desk(tmp_path: Path, events: KeptEvents) -> Desk:
    return Desk(tmp_path, events)


async def test_an_authority_with_another_root_locks_no_station_out(desk: Desk, tmp_path: Path) -> None:
    """Its CA was changed: the renewal by itself would have been the switch, whoever lacks the new root."""
    *_, old = await desk.authority.chain()
    desk.roots = [old]
    await desk.service.prepare()
    before = desk.serials
    desk.authority.local = Authority(tmp_path / "other", lambda: desk.date).local
    *_, new = await desk.authority.chain()
    with capture_logs() as logged:
        await desk.later(17 * HOUR)
    assert desk.serials == before
    assert "csms_roots doesn't hold" in logged[0]["reason"]
    desk.roots = ValueError("is cut off within a certificate")
    await desk.later(HOUR)
    assert desk.serials == before
    desk.roots = [old, new]
    await desk.later(HOUR)
    assert not set(desk.serials) & set(before), "stations have it, says the operator"
    desk.roots = [old]
    renewed = desk.serials
    await desk.later(17 * HOUR)
    assert not set(desk.serials) & set(renewed), "what is shown leads to no such root as it is"


async def test_a_person_hears_once_of_each_hold(desk: Desk, tmp_path: Path, events: KeptEvents) -> None:
    *_, old = await desk.authority.chain()
    desk.roots = [old]
    await desk.service.prepare()
    first, desk.authority.local = desk.authority.local, Authority(tmp_path / "other", lambda: desk.date).local
    await desk.later(16 * HOUR)
    assert events.kinds == ["CertificateExpiring"] * 2, "one for each kind"
    assert all("csms_roots doesn't hold" in each.detail for each in events.noted)
    assert {each.presented["serial"] for each in events.noted} == {format(each, "x") for each in desk.serials}
    for roots in ([old], ValueError("is cut off within a certificate"), [old]):
        desk.roots = roots
        await desk.later(HOUR / 4)
    assert len(events.noted) == 2
    # It is over, and begins anew with the next certificate.
    desk.authority.local, other = first, desk.authority.local
    await desk.later(HOUR / 4)
    assert desk.service.expiring == 0
    desk.authority.local = other
    await desk.later(16 * HOUR)
    assert len(events.noted) == 4


async def test_an_expired_certificate_is_replaced_whatever_its_root(desk: Desk, tmp_path: Path) -> None:
    *_, old = await desk.authority.chain()
    desk.roots = [old]
    await desk.service.prepare()
    before = desk.serials
    desk.authority.local = Authority(tmp_path / "other", lambda: desk.date).local
    await desk.later(25 * HOUR)
    assert not set(desk.serials) & set(before)


# --- the first start


async def test_the_first_start_makes_both_kinds(desk: Desk) -> None:
    await desk.service.prepare()
    assert desk.is_valid()
    for kind, key_type in ((PairKind.ECDSA, ec.EllipticCurvePublicKey), (PairKind.RSA, rsa.RSAPublicKey)):
        pair = desk.pair(kind)
        assert isinstance(pair.leaf.public_key(), key_type)
        assert pair.names == {"gw.example.com", "10.0.0.1"}
        assert pair.leaf.subject.rfc4514_string() == "CN=gw.example.com,O=Example CPO"
        assert pair.leaf.not_valid_after_utc - START <= timedelta(days=1)
        assert pair.leaf.serial_number in {int(serial, 16) for serial, _ in desk.inventory.recorded}
    asked = desk.authority.requests[0].csr
    assert asked.is_signature_valid
    names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gw.example.com"]


async def test_without_any_and_without_an_authority_there_is_no_start(desk: Desk) -> None:
    desk.authority.away = AuthorityUnavailable("vault is sealed")
    with pytest.raises(NoServerCertificate, match=r"issued holds no valid certificate.* can be had: vault is sealed"):
        await desk.service.prepare()


async def test_an_authority_that_hangs_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_certificates, "ISSUED_WITHIN", 0.01)
    desk.authority.hangs = True
    with pytest.raises(NoServerCertificate, match="no answer within 0 s"):
        await desk.service.prepare()


async def test_a_folder_that_can_not_be_made(desk: Desk) -> None:
    desk.folder.path.parent.write_text("a file")
    with pytest.raises(NoServerCertificate, match=r"certs/issued: (Not a directory|File exists)"):
        await desk.service.prepare()


async def test_one_kind_is_enough_to_begin_with_and_the_other_follows(desk: Desk) -> None:
    sign = desk.authority.local.sign

    async def no_rsa(request: SigningRequest) -> IssuedCertificate:
        if isinstance(request.csr.public_key(), rsa.RSAPublicKey):
            raise AuthorityUnavailable("the role allows ec keys only")
        return await sign(request)

    desk.authority.local.sign = no_rsa  # type: ignore[method-assign]  # a role that is half right
    with capture_logs() as lines:
        await desk.service.prepare()
    assert desk.is_valid()
    assert [line["event"] for line in lines] == ["server_certificate_issued", "server_certificate_not_issued"]
    desk.authority.local.sign = sign  # type: ignore[method-assign]  # mended
    await desk.later(timedelta(seconds=29))
    assert desk.folder.read(PairKind.RSA) is None
    await desk.later(timedelta(seconds=1))
    assert desk.folder.read(PairKind.RSA) is not None


@pytest.mark.parametrize("given", [("other.example.com",), ("gw.example.com",)])
async def test_a_certificate_for_other_names_is_not_taken(desk: Desk, given: tuple[str, ...]) -> None:
    desk.authority.names = given
    with pytest.raises(
        NoServerCertificate, match=r"asked for 10\.0\.0\.1, gw\.example\.com; let its role issue those names"
    ):
        await desk.service.prepare()
    assert desk.folder.read(PairKind.ECDSA) is None


# --- a restart


async def test_a_restart_takes_what_is_kept_and_asks_nobody(desk: Desk) -> None:
    await desk.service.prepare()
    before = desk.serials
    desk.authority.away = AuthorityUnavailable("away")
    asked = desk.authority.tries
    await desk.opened().prepare()
    await desk.later(HOUR)
    assert (desk.serials, desk.authority.tries) == (before, asked)


async def test_a_restart_while_the_authority_is_away_goes_on_to_the_last_hour(desk: Desk) -> None:
    await desk.service.prepare()
    desk.authority.away = AuthorityUnavailable("away")
    desk.date += 23 * HOUR
    await desk.opened().prepare()
    assert desk.is_valid()
    desk.date += 2 * HOUR
    with pytest.raises(NoServerCertificate, match="holds no valid certificate"):
        await desk.opened().prepare()


async def test_other_names_in_the_configuration_are_had_at_once_or_later(desk: Desk) -> None:
    await desk.service.prepare()
    desk.authority.away = AuthorityUnavailable("away")
    await desk.opened("new.example.com").prepare()
    assert desk.is_valid()
    desk.authority.away = None
    await desk.later(timedelta(seconds=30))
    assert desk.pair().names == {"new.example.com"}
    assert desk.pair().leaf.subject.rfc4514_string().startswith("CN=new.example.com")


@pytest.mark.parametrize("spoil", ["half", "gone", "open to all"])
async def test_a_file_that_somebody_broke_is_replaced(desk: Desk, spoil: str) -> None:
    await desk.service.prepare()
    ecdsa, kept = desk.serials
    path = desk.pair().path
    if spoil == "half":
        path.write_bytes(path.read_bytes()[:300])
    elif spoil == "gone":
        path.unlink()
    else:
        path.chmod(0o640)
    await desk.later(timedelta(seconds=LOOK_EVERY))
    assert desk.serials[0] != ecdsa
    assert desk.serials[1] == kept


async def test_a_restart_with_a_broken_file_and_no_authority_goes_on_with_the_other(desk: Desk) -> None:
    await desk.service.prepare()
    path = desk.pair().path
    path.write_bytes(path.read_bytes()[:300])
    desk.authority.away = AuthorityUnavailable("away")
    await desk.opened().prepare()
    with desk.folder.held(desk.date) as pairs:
        assert [each.path.name for each in pairs] == ["rsa.pem"]
    assert desk.is_valid()
    desk.authority.away = None
    await desk.later(timedelta(seconds=30))
    assert desk.pair().is_valid(desk.date)


# --- renewal


async def test_both_are_renewed_when_a_third_of_their_life_is_left(desk: Desk) -> None:
    await desk.service.prepare()
    before, keys = desk.serials, [desk.pair(kind).leaf.public_key() for kind in PairKind]
    await desk.later(16 * HOUR - timedelta(seconds=1))
    assert desk.serials == before
    await desk.later(timedelta(seconds=1))
    assert not set(desk.serials) & set(before)
    # Each takes the place of one that was recorded.
    formers = [former for _, former in desk.inventory.recorded[2:]]
    assert formers == [format(serial, "x") for serial in before]
    # For a key of its own.
    assert all(desk.pair(kind).leaf.public_key() != key for kind, key in zip(PairKind, keys, strict=True))


@pytest.mark.parametrize("cut_short", [False, True])
async def test_a_life_far_shorter_than_the_backdating_is_used_all_the_same(
    desk: Desk, events: KeptEvents, *, cut_short: bool
) -> None:
    minute = timedelta(minutes=1)
    if cut_short:
        desk.authority.lifetime = 10 * minute
    else:
        desk.opened(lifetime=10 * minute)
    await desk.service.prepare()
    before = desk.serials
    for _ in range(6):
        await desk.later(minute)
    assert desk.serials == before
    await desk.later(minute)
    assert not set(desk.serials) & set(before)
    assert events.kinds == []
    after = desk.serials
    # A restart knows by the file alone how long it lives.
    desk.opened(lifetime=10 * minute)
    await desk.service.prepare()
    await desk.later(minute)
    assert desk.serials == after


async def test_an_ip_address_may_be_written_in_any_way(desk: Desk) -> None:
    desk.opened("GW.example.com", "2001:DB8:0:0::1")
    await desk.service.prepare()
    assert desk.pair().names == {"gw.example.com", "2001:db8::1"}
    before = desk.serials
    await desk.later(HOUR)
    assert desk.serials == before


async def test_what_is_in_vain_is_tried_ever_less_often_and_people_hear_of_it(desk: Desk, events: KeptEvents) -> None:
    await desk.service.prepare()
    desk.authority.away = AuthorityUnavailable("vault is sealed")
    await desk.later(16 * HOUR)
    tries = []
    with capture_logs() as lines:
        while desk.date < START + 25 * HOUR:
            before = desk.authority.tries
            is_early = desk.date < START + 17.2 * HOUR
            await desk.later(timedelta(minutes=1 if is_early else 16))
            if desk.authority.tries > before:
                tries.append(desk.date)
    pauses = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(tries)]
    assert pauses[:6] == [60, 120, 240, 480, 900, 900]
    assert {line["reason"] for line in lines if line["event"] == "server_certificate_not_issued"} == {"vault is sealed"}
    # 4 and 2 hours before the end, and at the end, for each kind.
    assert events.kinds == ["CertificateExpiring"] * 6
    assert ["has expired" in event.detail for event in events.noted] == [False] * 4 + [True] * 2
    assert not desk.is_valid()
    assert desk.service.expiring == 2

    desk.authority.away = None
    await desk.later(timedelta(minutes=15))
    assert desk.is_valid()
    assert desk.service.expiring == 0
    assert len(events.noted) == 6


async def test_a_clock_a_year_ahead_costs_two_certificates_and_is_lived_through(desk: Desk, events: KeptEvents) -> None:
    await desk.service.prepare()
    year = timedelta(days=365)
    desk.authority.away = AuthorityUnavailable("the certificate begins in the future")
    await desk.later(year)
    assert not desk.is_valid()
    desk.authority.away = None
    await desk.later(-year)
    assert desk.is_valid()
    before = desk.serials
    # Its own CA has the same clock: what it signed then is not valid yet, and is replaced when the clock is right.
    await desk.later(year)
    await desk.later(timedelta(minutes=15))
    assert desk.serials != before
    ahead = desk.serials
    await desk.later(-year)
    assert not set(desk.serials) & set(ahead)
    assert desk.is_valid()
    assert desk.authority.tries <= 12


async def test_a_store_that_is_away_hinders_nobody_and_hears_of_it_later(desk: Desk) -> None:
    desk.inventory.is_away = True
    await desk.service.prepare()
    assert desk.is_valid()
    await desk.later(timedelta(seconds=LOOK_EVERY))
    assert desk.inventory.recorded == []
    desk.inventory.is_away = False
    await desk.later(timedelta(seconds=LOOK_EVERY))
    assert sorted(int(serial, 16) for serial, _ in desk.inventory.recorded) == sorted(desk.serials)
    await desk.later(timedelta(seconds=LOOK_EVERY))
    assert len(desk.inventory.recorded) == 2


async def test_what_nobody_foresaw_is_not_the_end(desk: Desk) -> None:
    await desk.service.prepare()
    desk.authority.away = RuntimeError("a bug")
    with capture_logs() as lines:
        await desk.later(16 * HOUR)
    assert [line["event"] for line in lines] == ["server_certificates_failed"]
    desk.authority.away = None
    before = desk.serials
    await desk.later(timedelta(seconds=LOOK_EVERY))
    assert not set(desk.serials) & set(before)


async def test_people_hear_once_of_a_kind_that_is_missing(desk: Desk, events: KeptEvents) -> None:
    """Stations that know RSA alone would stay outside without a word."""
    await desk.service.prepare()
    desk.authority.away = AuthorityUnavailable("vault is sealed")
    (desk.folder.path / "rsa.pem").unlink()
    for _ in range(3):
        await desk.later(timedelta(minutes=1))
    assert [each.detail for each in events.noted] == [
        "the gateway has no rsa certificate of its own; the log says why none can be had"
    ]
    assert (desk.service.expiring, desk.is_valid()) == (1, True)
    desk.authority.away = None
    await desk.later(HOUR)
    assert (desk.service.expiring, len(events.noted)) == (0, 1)


def test_nothing_to_tell_before_there_is_any(desk: Desk) -> None:
    assert desk.service.expiring == 0
    assert not desk.is_valid()
