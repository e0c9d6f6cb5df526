"""Attack A10: a revoked certificate walks back in by resuming a TLS session, in which no certificate is shown again.

TLS 1.3 gives no tickets. The session ids of TLS 1.2 can't be switched off through Python's ssl: such a session does
resume, and earns nothing by it. A real listener, with the real door and the real check behind it; the whole gateway is
shown in tests/system/test_revoked_certificates.py.
"""

import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.edge.station_certificates import StationCertificateCheck
from gateway.edge.tls import server_context
from gateway.session.ports import StationRecord
from gateway.transport import Accept, UpgradeRequest, Verdict
from pki.paths import StationChainVerifier
from pki.revocation import CrlStore, parse_crls
from tests.edge.handshakes import client_context, write
from tests.edge.street import RULES, Street
from tests.system.certificates import Authority, Files, Knock, knock
from tests.transport.conftest import Recorder

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Front:
    """What the check knows, and a station that keeps its TLS sessions."""

    def __init__(self, street: Street, folder: Path) -> None:
        self.street = street
        self.now = datetime.now(UTC)
        self.revoked_here: set[str] = set()
        self.owner: str | None = None
        """The other station that the certificate was issued to."""
        self.crls = CrlStore()
        self.stations = Authority(folder, "station")
        self.papers = self.stations.leaf("SN1", organization="Example CPO")
        street.registry.records["CS1"] = StationRecord("CS1", minimum_profile=3, serial="SN1")
        self.rules = replace(RULES, certificates=self._check())
        self._folder = folder
        server = trustme.CA()
        server.cert_pem.write_to_path(str(folder / "csms.pem"))
        (folder / "stations.pem").write_text(self.stations.root)
        files = write(server, folder, "gateway", "localhost")
        self.strict, self.tolerant = (
            server_context([files], [folder / "stations.pem"], check_time=check_time) for check_time in (True, False)
        )
        self.context = self.strict
        self.port: Any = None

    def _check(self) -> StationCertificateCheck:
        return StationCertificateCheck(
            operator=StationChainVerifier(self.stations.root.encode(), clock=lambda: self.now),
            organizations=frozenset({"Example CPO"}),
            factory=None,
            revocation=[self.crls],
            when_unknown="accept",
            revoked_here=self.revoked_here.__contains__,
            other_owner=self.other_owner,
            clock=lambda: self.now,
        )

    async def other_owner(self, identity: str, fingerprint: str) -> str | None:
        return self.owner

    async def admit(self, request: UpgradeRequest) -> Verdict:
        verdict = await self.street.door.admit(self.rules, request)
        return Accept(Recorder(), verdict.subprotocol) if isinstance(verdict, Accept) else verdict

    def station(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        """Make the context of a station; only its own sessions fit."""
        tls = client_context(self._folder / "csms.pem", minimum_version=version, maximum_version=version)
        tls.load_cert_chain(*self.papers)
        return tls

    async def knock(self, tls: ssl.SSLContext, session: ssl.SSLSession | None = None, identity: str = "CS1") -> Knock:
        return await knock(self.port.number, identity, tls, session)

    def refusals(self) -> dict[str, int]:
        return dict(self.street.tally.refused_entries)


@pytest.fixture
async def front(listen: Any, tmp_path: Path) -> Any:
    with Street() as street:
        front = Front(street, tmp_path)
        front.port = await listen(front.admit, tls=lambda _: front.context)
        yield front


def fingerprint(files: Files) -> str:
    return x509.load_pem_x509_certificate(files[0].read_bytes()).fingerprint(SHA256()).hex()


def revoke_here(front: Front) -> str:
    front.revoked_here.add(fingerprint(front.papers))
    return "revoked"


def revoke_by_a_crl(front: Front) -> str:
    front.crls.replace(parse_crls(front.stations.crl(front.papers)))
    return "revoked"


def give_it_another_serial(front: Front) -> str:
    front.street.change("CS1", serial="SN2")
    return "certificate"


def give_its_serial_to_another(front: Front) -> str:
    front.owner = "CS0"
    return "certificate_of_another"


def let_it_expire(front: Front) -> str:
    front.now += timedelta(days=3650)
    return "certificate"


def distrust_its_root(front: Front) -> str:
    other = Authority(front.papers[0].parent, "other")
    assert front.rules.certificates is not None
    front.rules.certificates.trust(StationChainVerifier(other.root.encode(), clock=lambda: front.now), None)  # type: ignore[attr-defined]  # the check itself
    return "certificate"


def remove_the_station(front: Front) -> str:
    del front.street.registry.records["CS1"]
    return "unknown_station"


@pytest.mark.parametrize(
    "change",
    [
        revoke_here,
        revoke_by_a_crl,
        give_it_another_serial,
        give_its_serial_to_another,
        let_it_expire,
        distrust_its_root,
        remove_the_station,
    ],
)
async def test_what_resumes_is_checked_like_what_comes_anew(front: Front, change: Callable[[Front], str]) -> None:
    station = front.station(V12)
    first = await front.knock(station)
    again = await front.knock(station, first.session)
    # Without this, the test would show nothing: the session does resume.
    assert (first.status, again.status, first.resumed, again.resumed) == (101, 101, False, True)
    reason = change(front)
    after = await front.knock(station, first.session)
    anew = await front.knock(station)
    assert (after.status, anew.status, after.resumed, anew.resumed) == (401, 401, True, False)
    assert front.refusals() == {reason: 2}
    assert [request.tls.resumed for request in front.port.requests] == [False, True, True, False]


async def test_tls_1_3_gives_nothing_to_resume_with(front: Front) -> None:
    station = front.station(V13)
    first = await front.knock(station)
    assert first.status == 101
    assert first.session is None or not first.session.has_ticket
    revoke_here(front)
    after = await front.knock(station, first.session)
    assert (after.status, after.resumed) == (401, False)


async def test_what_was_resumable_while_expiry_was_tolerated_is_not_any_more(front: Front) -> None:
    front.context = front.tolerant
    station = front.station(V12)
    first = await front.knock(station)
    assert (await front.knock(station, first.session)).resumed
    front.context = front.strict
    assert not (await front.knock(station, first.session)).resumed


async def test_a_session_opens_no_other_stations_door(front: Front) -> None:
    front.street.registry.records["CS2"] = StationRecord("CS2", minimum_profile=3, serial="SN2")
    station = front.station(V12)
    first = await front.knock(station)
    other = await front.knock(station, first.session, "CS2")
    assert (other.status, other.resumed) == (401, True)
    assert front.refusals() == {"certificate": 1}
