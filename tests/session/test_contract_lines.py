"""Contracts as people write them, and every way to write them wrong."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session import contract_lines
from gateway.session.contract_lines import collect, new_contract, read_csv, read_moment
from gateway.session.contracts import BatchRefused
from pki.iso15118.identifiers import Emaid, Pcid

CAR, EMAID = "WVWZZZ1KZAW000123", "DE8EXC12345678"


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31T00:00:00", datetime(2026, 12, 31, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)),
        ("2026-12-31T12:00:00Z", datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2026, 12, 31, 12, tzinfo=UTC)),
        ("2026-12-31T01:00:00+02:00", datetime(2026, 12, 30, 23, tzinfo=UTC), datetime(2026, 12, 30, 23, tzinfo=UTC)),
    ],
)
def test_a_date_is_its_whole_day(text: str, start: datetime, end: datetime) -> None:
    assert read_moment(text) == start
    assert read_moment(text, is_end=True) == end


@pytest.mark.parametrize("text", ["tomorrow", "31.12.2026", "2026-13-01", "0001-01-01T00:00:00+14:00", "x" * 1000])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"isn't a time such as|too far from now") as refused:
        read_moment(text)
    assert len(str(refused.value)) < 200


def test_the_last_day_has_no_day_after_it() -> None:
    with pytest.raises(ValueError, match="too far from now; leave it empty where there is no end"):
        read_moment("9999-12-31", is_end=True)


def test_a_contract_is_read() -> None:
    new = new_contract(CAR.lower(), "de-8ex-c12345678", "2026-01-01", "2026-01-31", is_default=True)

    assert (new.pcid, new.emaid) == (Pcid(CAR), Emaid("DE", "8EX", "C12345678"))
    assert new.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert new.valid_until == datetime(2026, 2, 1, tzinfo=UTC)
    assert new.is_default
    assert new_contract(CAR, EMAID, "", "").valid_from is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"pcid,emaid\n{CAR},{EMAID}\n", [(2, CAR, EMAID, False)]),
        (f"emaid;default;pcid\r\n{EMAID};yes;{CAR.lower()}\r\n", [(2, CAR, EMAID, True)]),
        (f'\ufeffpcid,emaid,valid_from,valid_until\n"{CAR}", DE-8EX-C12345678-O ,,\n', [(2, CAR, EMAID + "O", False)]),
        (
            f"pcid,emaid,default\n{CAR},{EMAID},no\n\n{CAR},DE8EXC99999999,TRUE\n",
            [(2, CAR, EMAID, False), (4, CAR, "DE8EXC99999999", True)],
        ),
        ("pcid,emaid\n", []),
    ],
)
def test_a_file_is_read(text: str, found: list[tuple[int, str, str, bool]]) -> None:
    assert [(line, new.pcid.text, new.emaid.wire, new.is_default) for line, new in read_csv(text)] == found


def test_every_bad_line_is_named() -> None:
    with pytest.raises(BatchRefused) as refused:
        read_csv(
            "pcid,emaid,valid_from,valid_until,default\n"
            f"short,{EMAID},,,\n"
            f"{CAR},{EMAID},,,\n"
            f"{CAR},{EMAID}A,,,\n"
            f"{CAR},{EMAID},soon,,\n"
            f"{CAR},{EMAID},2026-02-01,2026-01-01,\n"
            f"{CAR},{EMAID},,,perhaps\n"
            f"{CAR},{EMAID},,,,too much\n"
            f"{CAR}\n"
        )
    assert [(line, text.split(":")[0][:30]) for line, text in refused.value.problems] == [
        (2, "'short' isn't a PCID"),
        (4, "the check digit of the eMAID D"),
        (5, "'soon' isn't a time such as 20"),
        (6, "it would never be valid"),
        (7, "default"),
        (8, "it has more columns than the h"),
        (9, "'' isn't an eMAID"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the header lacks pcid and emaid: it is pcid,emaid,valid_from,valid_until"),
        (f"{CAR},{EMAID}\n", "the header lacks pcid and emaid"),
        ("pcid\n", "the header lacks emaid"),
        (" pcid ; driver\n", "the header lacks emaid"),
        ("pcid,emaid,driver\n", "the header has a column 'driver'"),
        ("pcid,emaid,pcid\n", "the header has a column twice"),
        (f'pcid,emaid\n"{CAR}"x,{EMAID}\n', "line 2: isn't CSV"),
        (f'pcid,emaid\n{CAR},"{EMAID}\n', "line 2: isn't CSV: unexpected end of data"),
        ("pcid,emaid\n" + "x" * 200_000, "isn't CSV: field larger than field limit"),
    ],
)
def test_what_is_no_such_file(text: str, said: str) -> None:
    with pytest.raises(BatchRefused, match=said):
        read_csv(text)


def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_lines, "BATCH_MAX", 2)
    lines = [(number, EMAID) for number in range(1, 4)]
    assert len(collect(lines[:2], lambda text: new_contract(CAR, text))) == 2
    with pytest.raises(BatchRefused, match="line 3: at most 2 contracts"):
        collect(lines, lambda text: new_contract(CAR, text))


@given(st.one_of(st.text(), st.text().map(lambda text: "pcid,emaid,valid_from,valid_until,default\n" + text)))
def test_whatever_is_given_is_read_or_refused(text: str) -> None:
    try:
        found = read_csv(text)
    except BatchRefused:
        return
    assert all(line > 1 for line, _ in found)


@given(st.text(), st.booleans())
def test_whatever_is_given_is_a_time_or_none(text: str, is_end: bool) -> None:
    try:
        moment = read_moment(text, is_end=is_end)
    except ValueError:
        return
    assert moment.tzinfo is UTC
