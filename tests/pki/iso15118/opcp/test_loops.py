"""What is kept for a vehicle's next request, for how long, and for how many."""

import dataclasses

import pytest

from pki.iso15118.messages import CertificateInstallationReq20
from pki.iso15118.opcp.loops import LOOP_TIME, LOOPS_MAX, Loops
from pki.iso15118.opcp.messages import Offer
from pki.iso15118.provisioning import VerifiedRequest

FIRST, SECOND = Offer(b"1", None), Offer(b"2", None)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def of_session(request: VerifiedRequest, session: bytes, pcid: str = "WMIV1234567890ABCD") -> VerifiedRequest:
    message = request.message
    assert isinstance(message, CertificateInstallationReq20)
    header = dataclasses.replace(message.header, session_id=session)
    return dataclasses.replace(request, message=dataclasses.replace(message, header=header), pcid=pcid)


def test_it_is_given_once_and_to_the_session_of_the_vehicle_alone(install_20: VerifiedRequest, clock: Clock) -> None:
    loops = Loops(clock)
    here = of_session(install_20, b"here")
    loops.keep(here, [FIRST, SECOND])
    assert loops.next(of_session(install_20, b"elsewhere")) == ()
    assert loops.next(of_session(install_20, b"here", "WMIV1234567890ABCE")) == ()
    assert loops.next(here) == (FIRST, SECOND)
    assert loops.next(here) == ()


def test_it_is_forgotten(install_20: VerifiedRequest, clock: Clock) -> None:
    loops = Loops(clock)
    here = of_session(install_20, b"here")
    loops.keep(here, [FIRST])
    clock.now += LOOP_TIME
    assert loops.next(here) == ()
    loops.keep(here, [FIRST])
    clock.now += LOOP_TIME - 0.1
    assert loops.next(here) == (FIRST,)


def test_it_is_bounded(install_20: VerifiedRequest, clock: Clock) -> None:
    loops = Loops(clock)
    sessions = [of_session(install_20, bytes([index])) for index in range(LOOPS_MAX + 1)]
    for each in sessions:
        loops.keep(each, [FIRST])
    assert len(loops._rest) == LOOPS_MAX
    assert loops.next(sessions[0]) == ()
    assert loops.next(sessions[1]) == (FIRST,)
    clock.now += LOOP_TIME
    loops.keep(sessions[0], [FIRST])
    assert len(loops._rest) == 1


def test_nothing_is_kept_where_there_is_no_loop(
    install_2: VerifiedRequest, install_20: VerifiedRequest, clock: Clock
) -> None:
    loops = Loops(clock)
    loops.keep(install_2, [FIRST])
    assert loops.next(install_2) == ()
    loops.keep(install_20, [])
    assert not loops._rest
