"""Contracts as people write them: in a command, in a JSON document, in a CSV file out of a spreadsheet."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final, TypeVar

from gateway.session.contracts import BATCH_MAX, BatchRefused, ContractInvalid, NewContract
from pki.iso15118.identifiers import Emaid, Pcid

REQUIRED: Final = ("pcid", "emaid")
COLUMNS: Final = (*REQUIRED, "valid_from", "valid_until", "default")
"""Of a CSV file; the last three may be missing, or empty in a line."""
TEXT_MAX: Final = 100
"""Characters of one cell: every one of them is an identifier, a time or a word."""
_WORDS: Final = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True}

T = TypeVar("T")

Numbered = Sequence[tuple[int, NewContract]]
"""Contracts, each with the number of the line, or of the item, that it stands in."""


def new_contract(
    pcid: str, emaid: str, valid_from: str | None = None, valid_until: str | None = None, *, is_default: bool = False
) -> NewContract:
    """Read one contract; of times see :func:`read_moment`. Raises ContractInvalid saying what is wrong."""
    try:
        vehicle, contract = Pcid.parse(pcid), Emaid.parse(emaid)
    except ValueError as error:
        raise ContractInvalid(str(error)) from None
    return NewContract(
        vehicle,
        contract,
        read_moment(valid_from) if valid_from else None,
        read_moment(valid_until, is_end=True) if valid_until else None,
        is_default,
    )


def read_moment(text: str, *, is_end: bool = False) -> datetime:
    """Read a time (ISO 8601, UTC unless it says else), or a date: its first moment, as an end the moment after it.

    So a contract until 2026-12-31 is valid on that day. Raises ContractInvalid.
    """
    try:
        moment = datetime.fromisoformat(text[:TEXT_MAX])
    except ValueError:
        raise ContractInvalid(f"{text[:40]!r} isn't a time such as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        if is_end and len(text) <= len("2026-01-31") and moment.timetz() == time(tzinfo=UTC):
            moment += timedelta(days=1)
        return moment.astimezone(UTC)
    except OverflowError:
        instead = "; leave it empty where there is no end" if is_end else ""
        raise ContractInvalid(f"{text[:40]!r} is too far from now{instead}") from None


def read_csv(text: str) -> Numbered:
    """Read a file with a header, comma or semicolon between its columns. Raises BatchRefused naming every bad line."""
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines.fieldnames = [name.strip() for name in lines.fieldnames or ()]
        _check_header(lines.fieldnames)
        return collect(_lines(lines), _of_line)
    except csv.Error as error:
        raise BatchRefused([(lines.reader.line_num, f"isn't CSV: {error}")]) from None


def collect(items: Iterable[tuple[int, T]], read: Callable[[T], NewContract]) -> Numbered:
    """Read all items, each with its number; raise BatchRefused naming those that ``read`` raises ValueError for."""
    problems: list[tuple[int, str]] = []
    found: list[tuple[int, NewContract]] = []
    for number, item in items:
        if len(found) + len(problems) >= BATCH_MAX:
            raise BatchRefused([(number, f"at most {BATCH_MAX} contracts go in one batch: split it")])
        try:
            found.append((number, read(item)))
        except ValueError as error:
            problems.append((number, str(error)))
    if problems:
        raise BatchRefused(problems)
    return found


def _check_header(names: Sequence[str] | None) -> None:
    """Raises BatchRefused."""
    given = [*(names or ())]
    if missing := [name for name in REQUIRED if name not in given]:
        raise BatchRefused([(1, f"the header lacks {' and '.join(missing)}: it is {','.join(COLUMNS[:4])}")])
    if unknown := [name for name in given if name not in COLUMNS]:
        raise BatchRefused([(1, f"the header has a column {unknown[0][:40]!r}: there are {', '.join(COLUMNS)}")])
    if len(set(given)) < len(given):
        raise BatchRefused([(1, "the header has a column twice")])


def _lines(lines: "csv.DictReader[str]") -> Iterator[tuple[int, Mapping[str | None, str | list[str] | None]]]:
    """Yield the lines that aren't empty, each with its number in the file."""
    for line in lines:
        yield lines.line_num, {**line}


def _of_line(line: Mapping[str | None, str | list[str] | None]) -> NewContract:
    cells = {name: (cell or "").strip() for name, cell in line.items() if not isinstance(cell, list)}
    if None in line:
        raise ValueError("it has more columns than the header")
    default = cells.get("default", "").lower()
    if default not in _WORDS:
        raise ValueError(f"default: {default[:40]!r} is neither yes nor no")
    return new_contract(
        cells["pcid"], cells["emaid"], cells.get("valid_from"), cells.get("valid_until"), is_default=_WORDS[default]
    )
