"""The load generator's own parts: what counts answers without a look into them, and what looks at them later."""

from collections import Counter

import pytest

from bench import frames
from bench.load import checking, phases
from bench.load.records import RecordCutter
from bench.traffic import ID_LENGTH, Story


def record(size: int) -> bytes:
    """Return a TLS record of ``size`` octets, its header included."""
    return b"\x17\x03\x03" + (size - 5).to_bytes(2, "big") + b"x" * (size - 5)


def test_records_are_counted_over_any_cut() -> None:
    octets = record(70) + record(600) + record(28) + record(60)
    for cut in range(len(octets)):
        cutter = RecordCutter()
        assert cutter.messages(octets[:cut]) + cutter.messages(octets[cut:]) == 3
        assert not cutter.inside


def test_a_record_that_only_a_ping_fits_in_is_no_message() -> None:
    assert RecordCutter().messages(record(59)) == 0


def test_a_part_of_a_record_is_held() -> None:
    cutter = RecordCutter()
    assert cutter.messages(record(100)[:-1]) == 0
    assert cutter.inside


@pytest.mark.parametrize("size", [1, 125, 126, 700])
def test_a_masked_frame_is_read_as_it_was_written(size: int) -> None:
    text = bytes(number % 256 for number in range(size))
    written = frames.frame(text, masked=True, key=b"\x01\x02\x03\x04")

    assert text not in written
    assert list(frames.Frames(lambda _: None, masked=False).feed(written)) == [text]


def test_a_wrong_answer_ends_the_run() -> None:
    checking.answer("Updated", [{}, {}], translates=True)
    with pytest.raises(SystemExit, match="a wrong answer"):
        checking.answer("Updated", [{}, {"idTokenInfo": {"status": "Invalid"}}], translates=True)
    with pytest.raises(SystemExit, match="a wrong answer"):
        checking.answer("Started/Ended", [{}, {}], translates=True)


def test_a_message_that_the_backend_never_heard_ends_the_run() -> None:
    checking.heard("Updated", 2, Counter({b"MeterValues": 2}), translates=True)
    for heard in ({b"MeterValues": 1}, {b"MeterValues": 2, b"Heartbeat": 1}, {b"TransactionEvent": 2}):
        with pytest.raises(SystemExit, match="the backend heard"):
            checking.heard("Updated", 2, Counter(heard), translates=True)


def test_every_message_has_an_id_of_its_own_and_of_full_length() -> None:
    story = Story("E0001")
    said = [story.boot(), story.started(), story.updated(), story.updated(), story.ended(), story.heartbeat()]

    assert {len(message_id) for message_id, _ in said} == {ID_LENGTH}
    assert len({message_id for message_id, _ in said}) == len(said)


def test_looking_for_nothing_is_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "SPINS", True)
    answers: list[phases.Events] = [[], [], [(5, 1)]]
    phase = phases.Phase(1)

    assert phase.look(lambda _: answers.pop(0), 60.0) == [(5, 1)]
    assert phase.idle > 0


def test_what_isnt_there_in_time_is_nothing() -> None:
    assert phases.Phase(1).look(lambda _: [], 0.0) == []
