"""Where a message's time goes: what is made of py-spy's samples."""

import os

import pytest

from bench import profile, samples

OUTSIDE = "main (gateway/cli/__init__.py:67);run (uvloop/__init__.py:38);Runner.run (asyncio/runners.py:86)"
SEND = f"{OUTSIDE};Peer._work (gateway/session/peer.py:217);Link.write (gateway/transport/link.py:92)"
RAW = f"""\
thread (7): MainThread;{SEND};write (loop.c:110);write (libc.so.6) 30
thread (7): MainThread;{SEND};SSLObject.write (ssl.py:924);SSL_write_ex (libssl.so.3);malloc (libc.so.6) 20
thread (7): MainThread;{SEND} 10
thread (7): MainThread;{OUTSIDE};walk (<walk>:1);0x7f72fbc5df10 (?) 5
thread (7): MainThread;{OUTSIDE};sampled (gateway/bridge/v201_v16/samples.py:1);gc_collect_main (libpython3.11.so.1.0) 3
thread (7): MainThread;{OUTSIDE};route (gateway/app/stations.py:9);<lambda> (<string>:1);isoformat (datetime.py:3) 2
thread (7): MainThread;{OUTSIDE};uv__io_poll (linux.c:1546);epoll_pwait (libc.so.6) 900
thread (7): MainThread 4
thread (8): sqlite-0;Thread.run (threading.py:971);SqliteLane._work (gateway/store/lanes.py:112) 900
"""


def test_a_sample_counts_for_the_innermost_room_and_one_of_waiting_or_of_another_thread_not_at_all() -> None:
    assert samples.rooms(RAW) == {
        "uvloop, asyncio and system calls": 30,
        "TLS": 20,
        "gateway/transport": 10,
        "policies": 5,
        "Python's garbage collector": 3,
        "gateway, other rooms": 2,
    }


def test_a_stack_of_no_room_is_one_of_the_others() -> None:
    assert samples.rooms("thread (7): MainThread;<module> (elsewhere.py:1);read (libc.so.6) 2\n") == {"others": 2}


def test_a_function_owns_what_it_calls_in_c_by_room() -> None:
    found = samples.functions(RAW)
    assert found["Link.write (gateway/transport/link.py:92)", "uvloop, asyncio and system calls"] == 30
    assert found["Link.write (gateway/transport/link.py:92)", "gateway/transport"] == 10
    assert found["SSLObject.write (ssl.py:924)", "TLS"] == 20


def test_samples_divide_the_time_of_the_loop_alone() -> None:
    said = profile.report(RAW, {samples.LOOP: 140.0, samples.THREADS: 50.0, samples.OTHER_THREADS: 10.0})
    cells = {tuple(part.strip() for part in line.split("  ") if part.strip()) for line in said.splitlines()}
    assert "200 us of CPU for a message; 70 samples of the loop's thread" in said
    assert ("TLS", "20.0%", "40.0") in cells
    assert ("gateway/store, its threads", "25.0%", "50.0") in cells
    assert ("SSLObject.write (ssl.py:924)", "TLS", "20.0%", "40.0") in cells


def test_where_py_spy_cannot_attach_it_is_said() -> None:
    with pytest.raises(SystemExit, match=r"py-spy can't attach to the gateway.*\n.*Error"):
        profile.threads(_nobody())


def _nobody() -> int:
    """Return the id of a process that has ended."""
    child = os.posix_spawn("/bin/true", ["/bin/true"], {})
    os.waitpid(child, 0)
    return child
