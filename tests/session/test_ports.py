"""The records that cross the ports: their defaults, their names, and that nobody changes them in passing."""

from dataclasses import FrozenInstanceError

import pytest

from gateway.session.ports import BootStatus, JournalEntry, StationRecord


def test_a_station_that_has_never_booted() -> None:
    record = StationRecord("CS1", 2)

    assert (record.identity, record.minimum_profile) == ("CS1", 2)
    assert (record.serial, record.backend, record.password_hash) == (None, None, None)
    assert (record.boot_status, record.boot_interval, record.boot_payload) == (BootStatus.NONE, 0, None)
    assert record.boot_reported


@pytest.mark.parametrize(("serial", "name"), [("SN-1", "SN-1"), (None, "CS1"), ("", "CS1")])
def test_the_certificate_carries_the_serial_number_or_else_the_identity(serial: str | None, name: str) -> None:
    assert StationRecord("CS1", 3, serial=serial).certificate_name == name


@pytest.mark.parametrize("word", ["Pending", "Rejected", "Accepted"])
def test_the_boot_states_are_spelt_as_on_the_wire(word: str) -> None:
    assert BootStatus(word).value == word


@pytest.mark.parametrize("word", ["accepted", "", "PENDING"])
def test_no_other_word_is_a_boot_state(word: str) -> None:
    with pytest.raises(ValueError, match="is not a valid BootStatus"):
        BootStatus(word)


def test_the_records_are_not_changed_in_passing() -> None:
    record = StationRecord("CS1", 2)
    entry = JournalEntry(1, "CS1", "tx", "StopTransaction", {"meterStop": 1}, 0)

    with pytest.raises(FrozenInstanceError):
        record.minimum_profile = 1  # type: ignore[misc]  # that is what is tested
    with pytest.raises(FrozenInstanceError):
        entry.attempts = 1  # type: ignore[misc]  # that is what is tested


def test_a_stations_password_hash_is_not_shown() -> None:
    assert "scrypt" not in repr(StationRecord("CS1", 2, password_hash="scrypt$secret"))
