"""Hostile values: what an attacker puts where the schema wants a text, a number, a time or a list.

Each has a marker, so that it is known again wherever it turns up.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policies.vocabulary import Field

LIST_LENGTH: Final = 2500
"""Elements of a list without a bound in its schema."""
CUT: Final = re.compile(r"vg[0-9]{4}")
"""A marker in a text."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One kind of hostile value. ``value(number)`` makes the one with that marker."""

    name: str
    value: Callable[[int], Any]
    is_mended: bool = False
    """A text that may go on without what is hostile in it."""


def marker(number: int) -> str:
    """Return what a hostile text has in it."""
    return f"vg{number:04}"


def _text(form: str) -> Callable[[int], str]:
    return lambda number: form.replace("¤", marker(number))


TEXTS: Final = (
    Attack("terminal escape", _text("¤\x1b]0;x\x07"), is_mended=True),
    Attack("start of heading", _text("¤\x01"), is_mended=True),
    Attack("text direction", _text("¤\u202egpj"), is_mended=True),
    Attack("invisible", _text("¤\u200b\u2060"), is_mended=True),
    Attack("C1 control", _text("¤\x9b2J"), is_mended=True),
    Attack("line separator", _text("¤\u2028x"), is_mended=True),
)
LINES: Final = (Attack("forged line", _text("¤\r\n[x]"), is_mended=True),)
SHELL: Final = (
    Attack("backticks", _text("¤`id`")),
    Attack("substitution", _text("¤$(id)")),
    Attack("variable", _text("¤${IFS}")),
    Attack("second command", _text("¤;reboot")),
    Attack("pipe", _text("¤|sh")),
    Attack("both", _text("¤&&id")),
)
SHELL_IN_URL: Final = tuple(
    Attack(each.name, _text(f"https://files.example.com/{each.value(0).replace(marker(0), '¤')}")) for each in SHELL
)
URLS: Final = (
    Attack("private address", _text("http://10.1.2.3/¤")),
    Attack("metadata service", _text("http://169.254.169.254/¤")),
    Attack("decimal address", _text("http://2130706433/¤")),
    Attack("hexadecimal address", _text("http://0x7f.1/¤")),
    Attack("mapped address", _text("http://[::ffff:127.0.0.1]/¤")),
    Attack("name of an address", _text("https://127.0.0.1.nip.io/¤")),
    Attack("this machine", _text("https://localhost/¤")),
    Attack("local name", _text("https://printer.local/¤")),
    Attack("password in it", _text("ftp://¤:secret@files.example.com/")),
    Attack("other scheme", _text("gopher://files.example.com/¤")),
    Attack("file", _text("file:///¤")),
)
TIMES: Final = (
    Attack("before the clock", lambda n: f"1970-01-01T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}Z"),
    Attack("after everybody", lambda n: f"9997-12-31T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}Z"),
)
NUMBERS: Final = (
    Attack("overflow", lambda n: 9_007_000_000_000_000 + n),
    Attack("negative", lambda n: -7_000_000_000_000_000 - n),
)
BREACHES: Final = (
    Attack("another type", lambda n: {marker(n): marker(n)}),
    Attack("a list", lambda n: [marker(n)]),
)
ENDLESS: Final = Attack("endless list", lambda _: LIST_LENGTH)
TOO_LONG: Final = "too long"
CUSTOM: Final = Attack("customData", lambda n: {"vendorId": marker(n), "command": marker(n)})


def attacks_on(field: Field, *, towards_station: bool, is_line: bool) -> Iterator[Attack]:
    """Yield what may be done to a field by the type that its schema gives it."""
    if field.type == "string":
        yield from _attacks_on_text(field, towards_station=towards_station, is_line=is_line)
    elif field.type in {"integer", "number"}:
        yield from NUMBERS
    elif field.is_list and "maxItems" not in field.schema:
        yield ENDLESS
    elif field.steps[-1] == "customData":
        yield CUSTOM
        return
    if field.type not in {"any", "object"}:
        yield from BREACHES


def _attacks_on_text(field: Field, *, towards_station: bool, is_line: bool) -> Iterator[Attack]:
    name = str(field.steps[-1])
    if field.format == "date-time":
        yield from TIMES
    elif towards_station and (field.format == "uri" or "ocation" in name):
        yield from URLS
        yield from SHELL_IN_URL
    elif field.enum is not None:
        yield Attack("another word", marker)
    else:
        yield from TEXTS
        yield from LINES if is_line else ()
        yield from SHELL if towards_station else ()
        if field.max_length is not None:
            most = field.max_length
            yield Attack(TOO_LONG, lambda n: marker(n).ljust(most + 1, "x"))


def leaves(value: Any) -> Iterator[Any]:
    """Yield every text and number in a payload, the names of its fields too."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield name
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)
    else:
        yield value
