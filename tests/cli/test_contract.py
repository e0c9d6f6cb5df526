"""`voltgate contract add|list|show|remove|import`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import contract

Run = Callable[..., Any]
CAR, OTHER, EMAID = "WVWZZZ1KZAW000123", "WVWZZZ1KZAW000124", "DE8EXC12345678"


@pytest.fixture
def added(run: Run) -> None:
    assert run("contract", "add", CAR.lower(), "de-8ex-c12345678", "--until", "2099-12-31").exit_code == 0


def test_add(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    text = run("contract", "add", CAR, EMAID, "--from", "2026-01-01T12:00:00+01:00", "--until", "2026-12-31")
    assert text.stdout == f"vehicle {CAR} has the contract {EMAID}\n"
    shown = json.loads(run("contract", "add", CAR, "DE8EXC99999999", "--default", "--json").stdout)
    assert (shown["valid_from"], shown["default"], shown["added_by"]) == (None, True, "ann")
    listed = json.loads(run("contract", "list", "--json").stdout)
    assert [(each["valid_from"], each["valid_until"], each["default"]) for each in listed] == [
        ("2026-01-01T11:00:00+00:00", "2027-01-01T00:00:00+00:00", False),
        (None, None, True),
    ]


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("add", CAR, EMAID), 1, f"vehicle {CAR} has the contract DE-8EX-C12345678 already: import it to change"),
        (("add", CAR, "DE8EXC12345678A"), 1, "must be O: one of its characters is wrong"),
        (("add", "short", EMAID), 1, "isn't a PCID"),
        (("add", OTHER, EMAID, "--from", "soon"), 1, "isn't a time such as 2026-01-31"),
        (("add", OTHER, EMAID, "--from", "2026-02-01", "--until", "2026-01-01"), 1, "would never be valid"),
        (("list", "short"), 2, "isn't a PCID"),
        (("list", "--emaid", "short"), 2, "isn't an eMAID"),
        (("list", "--limit", str(2**63)), 2, "Invalid value for '--limit'"),
        (("list", "--after", str(2**63)), 2, "Invalid value for '--after'"),
        (("certificates", "--limit", str(2**63)), 2, "Invalid value for '--limit'"),
        (("certificates", "--after", str(2**63)), 2, "Invalid value for '--after'"),
        (("log", "--limit", str(2**63)), 2, "Invalid value for '--limit'"),
        (("show", OTHER), 1, f"vehicle {OTHER} has no contract; `voltgate contract add {OTHER} EMAID` gives it one"),
        (("show", "short"), 2, "isn't a PCID"),
        (("remove", OTHER, EMAID), 1, f"vehicle {OTHER} has no contract DE-8EX-C12345678"),
        (("remove", CAR, "short"), 2, "isn't an eMAID"),
        (("import", "missing.csv"), 1, "missing.csv: No such file or directory"),
    ],
)
def test_refusals(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    result = run("contract", *arguments)
    said = "".join(line.strip("│ ") + " " for line in (result.stderr + capsys.readouterr().err).splitlines())
    assert (result.exit_code, complaint in said or said) == (status, True)


@pytest.mark.usefixtures("added")
def test_list_has_filters_and_pages(run: Run) -> None:
    run("contract", "add", OTHER, EMAID)
    for options, found in (
        ((), [1, 2]),
        ((OTHER.lower(),), [2]),
        (("--emaid", "de-8ex-c12345678-o"), [1, 2]),
        (("--after", "1"), [2]),
        (("--limit", "1"), [1]),
    ):
        assert [each["id"] for each in json.loads(run("contract", "list", *options, "--json").stdout)] == found
    assert "2100-01-01" in run("contract", "list").stdout


@pytest.mark.usefixtures("added")
def test_show_has_the_default_first(run: Run) -> None:
    run("contract", "add", CAR, "DE8EXC99999999", "--default")
    shown = json.loads(run("contract", "show", CAR.lower(), "--json").stdout)
    assert [each["emaid"] for each in shown["contracts"]] == ["DE8EXC99999999", EMAID]
    assert shown["certificates"] == []
    text = run("contract", "show", CAR).stdout
    assert text.index("DE8EXC99999999") < text.index(EMAID)


@pytest.mark.usefixtures("added")
def test_remove(run: Run) -> None:
    told = json.loads(run("contract", "remove", CAR, EMAID, "--json").stdout)
    assert told == {"pcid": CAR, "emaid": EMAID, "valid_certificates": []}
    assert json.loads(run("contract", "list", "--json").stdout) == []


def test_import(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "contracts.csv"
    file.write_text(f"pcid,emaid,valid_from,valid_until\n{CAR},{EMAID},,2099-12-31\n{OTHER},{EMAID},,\n")
    assert run("contract", "import", str(file)).stdout == "2 added, 0 changed, 0 unchanged\n"
    changed = f"pcid;emaid;default\n{CAR};{EMAID};\n{OTHER};{EMAID};yes\n"
    told = json.loads(run("contract", "import", "-", "--json", stdin=changed).stdout)
    assert told == {"added": 0, "changed": 2, "unchanged": 0}
    listed = json.loads(run("contract", "list", "--json").stdout)
    assert [(each["valid_until"], each["default"]) for each in listed] == [(None, False), (None, True)]


@pytest.mark.parametrize(
    ("octets", "complaint"),
    [
        (f"pcid,emaid\n{CAR},{EMAID}\n{CAR},x\ny,{EMAID}\n".encode(), "nothing was registered: line 3: 'x' isn't"),
        (b"driver,car\n", "line 1: the header lacks pcid and emaid"),
        (b"pcid,emaid\n\xff\n", "isn't UTF-8 (byte 11)"),
        (b"x" * (contract.FILE_MAX + 1), "is larger than 5000000 bytes"),
    ],
)
def test_a_file_that_is_wrong(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, octets: bytes, complaint: str
) -> None:
    file = tmp_path / "contracts.csv"
    file.write_bytes(octets)
    assert run("contract", "import", str(file)).exit_code == 1
    error = capsys.readouterr().err
    assert complaint in error
    assert len(error.splitlines()) == 1
    assert json.loads(run("contract", "list", "--json").stdout) == []
