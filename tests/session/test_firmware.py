"""Which updates something is still to come of, and what no log shows."""

import dataclasses

import pytest

from gateway.session.firmware import (
    FirmwareImage,
    LogRecord,
    NewImage,
    NewLog,
    NewUpdate,
    PublicationRecord,
    UpdateRecord,
    UpdateState,
)


def test_an_update_is_open_until_it_has_its_end() -> None:
    ended = {each for each in UpdateState if not each.is_open}

    assert ended == {UpdateState.INSTALLED, UpdateState.FAILED, UpdateState.REFUSED, UpdateState.CANCELED}


@pytest.mark.parametrize(
    "record", [FirmwareImage, LogRecord, NewImage, NewLog, NewUpdate, PublicationRecord, UpdateRecord]
)
def test_no_repr_shows_a_location(record: type) -> None:
    """It may hold a password."""
    shown = {each.name for each in dataclasses.fields(record) if each.repr}
    assert not shown & {"location", "destination"}
