"""`voltgate firmware add|list|show|verify|withdraw|remove`."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pki.firmware import Signed
from tests.firmware_pki import FirmwarePki, manufacturer

Run = Callable[..., Any]
IMAGE = b"\x7fELF" + bytes(range(256)) * 16


@pytest.fixture(scope="module")
def acme() -> FirmwarePki:
    return manufacturer("ACME")


@pytest.fixture
def folder(config: Path, acme: FirmwarePki) -> Path:
    """The deployment's, with an image, its signature in three forms, and the certificate."""
    folder = config.parent
    acme.write(folder / "acme")
    signed = acme.ec.sign(IMAGE)
    for name, content in (
        ("fw.bin", IMAGE),
        ("bad.bin", IMAGE + b"!"),
        ("fw.sig", base64.b64decode(signed.signature)),
        ("fw.b64", f"{signed.signature[:40]}\n{signed.signature[40:]}\n".encode()),
        ("signer.pem", acme.ec.pem.encode()),
    ):
        (folder / name).write_bytes(content)
    made = {
        "roots": "acme/roots.pem",
        "intermediates": "acme/intermediates.pem",
        "crls": ["acme/signers.crl"],
        "vendors": ["ACME Ltd"],
    }
    tree = yaml.safe_load(config.read_text())
    tree["firmware"] = {
        "manufacturers": {"acme": made},
        "sources": ["127.0.0.1:1"],
        "trusted_networks": ["127.0.0.0/8"],
    }
    config.write_text(yaml.safe_dump(tree))
    return folder


@pytest.fixture
def signed(acme: FirmwarePki) -> Signed:
    return acme.ec.sign(IMAGE)


@pytest.fixture
def add(run: Run, folder: Path) -> Run:
    """``add("fw.bin", ...)`` adds this file of the deployment, with signature and certificate unless they are given."""

    def call(source: str, *options: str, version: str = "1.0", signature: str = "fw.sig") -> Any:
        where = source if "://" in source else str(folder / source)
        named = str(folder / signature) if (folder / signature[:99]).exists() else signature
        sure = ("--manufacturer", "acme", "--version", version)
        with_signature = ("--signature", named, "--certificate", str(folder / "signer.pem")) if signature else ()
        return run("firmware", "add", where, *sure, *with_signature, *options)

    return call


def test_add(add: Run, run: Run, acme: FirmwarePki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    told = add("fw.bin", "--model", "A", "--location", "ftp://u:p@old.example/fw.bin", "--signed-at", "2026-01-31")
    assert told.exit_code == 0
    assert told.stdout.startswith("image 1 is verified: SHA-256 ")
    (shown,) = json.loads(run("firmware", "list", "--json").stdout)
    assert (shown["state"], shown["model"], shown["added_by"], shown["size"]) == ("verified", "A", "ann", len(IMAGE))
    assert (shown["location"], shown["signed_at"]) == ("ftp://old.example/fw.bin", "2026-01-31T00:00:00+00:00")
    whole = json.loads(run("firmware", "show", "1", "--json").stdout)
    assert whole["signing_certificate"] == acme.ec.pem
    assert f"sha256: {shown['sha256']}" in run("firmware", "show", "1").stdout
    assert shown["sha256"] in run("firmware", "list").stdout


def test_signatures_in_all_forms(add: Run, signed: Signed) -> None:
    for number, signature in enumerate(("fw.sig", "fw.b64", signed.signature)):
        shown = json.loads(add("fw.bin", "--json", version=str(number), signature=signature).stdout)
        assert (shown["id"], shown["state"]) == (number + 1, "verified")


def test_a_vendor_in_the_place_of_its_manufacturer(run: Run, folder: Path) -> None:
    told = run("firmware", "add", str(folder / "fw.bin"), "--vendor", "ACME Ltd", "--version", "1", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["manufacturer"] == "acme"


def test_what_is_refused_stays_with_its_reason(add: Run, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    told = add("bad.bin")
    assert (told.exit_code, told.stdout) == (1, "")
    assert capsys.readouterr().err.startswith("image 1 is refused (signature_invalid): ")
    assert json.loads(run("firmware", "list", "--state", "refused", "--manufacturer", "acme", "--json").stdout)
    (event,) = json.loads(run("events", "--json").stdout)
    assert event["type"] == "InvalidFirmwareSignature"


def test_a_signature_that_comes_later(add: Run, run: Run, folder: Path) -> None:
    assert add("fw.bin", signature="").exit_code == 1
    assert run("firmware", "verify", "1").exit_code == 1
    options = ("--signature", str(folder / "fw.sig"), "--certificate", str(folder / "signer.pem"))
    told = run("firmware", "verify", "1", *options)
    assert (told.exit_code, told.stdout[:21]) == (0, "image 1 is verified: ")
    assert json.loads(run("firmware", "verify", "1", "--json").stdout)["state"] == "verified"


def test_what_can_not_be_fetched_is_quarantined(add: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert add("http://127.0.0.1:1/fw.bin?token=secret").exit_code == 1
    said = capsys.readouterr().err
    assert said.startswith("image 1 is quarantined (fetch_failed): ")
    assert "secret" not in said


def test_withdraw_and_remove(add: Run, run: Run, folder: Path) -> None:
    add("fw.bin")
    told = run("firmware", "withdraw", "1", "--reason", "it bricks the meter")
    assert told.stdout == "image 1 is withdrawn: it bricks the meter\n"
    assert json.loads(run("firmware", "withdraw", "1", "--reason", "x", "--json").stdout)["state"] == "withdrawn"
    assert [path for path in (folder / "firmware").iterdir() if path.is_file()]
    assert run("firmware", "remove", "1").stdout == "image 1 is removed\n"
    assert not [path for path in (folder / "firmware").iterdir() if path.is_file()]
    add("fw.bin")
    assert json.loads(run("firmware", "remove", "2", "--json").stdout) == {"id": 2, "removed": True}


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("add", "nowhere.bin", "--vendor", "acme", "--version", "1"), 1, "nowhere.bin: No such file or directory"),
        (("add", "{}/fw.bin", "--vendor", "b", "--version", "1"), 1, "manufacturer: 'b' isn't a key of"),
        (("add", "https://h/a", "--vendor", "acme", "--version", "1"), 1, "isn't on the list"),
        (("add", "https://h/a", "--vendor", "acme", "--version", "1", "--location", "x"), 2, "is for a FILE"),
        (
            ("add", "{}/fw.bin", "--vendor", "acme", "--version", "1", "--signature", "nowhere!"),
            1,
            "'nowhere!' is neither a file nor base64",
        ),
        (
            ("add", "{}/fw.bin", "--vendor", "acme", "--version", "1", "--certificate", "{}/fw.bin"),
            1,
            "fw.bin: isn't PEM",
        ),
        (("add", "{}/fw.bin", "--vendor", "acme", "--version", "1", "--certificate", "{}"), 1, "Is a directory"),
        (("add", "{}/fw.bin", "--vendor", "acme", "--version", "1", "--signed-at", "soon"), 1, "isn't a time such as"),
        (("list", "--state", "lost"), 2, "must be one of quarantined, verified, refused, withdrawn"),
        (("show", "9"), 1, "there is no firmware image 9"),
        (("verify", "9"), 1, "there is no firmware image 9"),
        (("verify", "9", "--signature", "AAAA"), 2, "come together"),
        (("withdraw", "9", "--reason", "x"), 1, "there is no firmware image 9"),
        (("remove", "9"), 1, "there is no firmware image 9"),
        (("remove", "0"), 2, "Invalid value for 'IMAGE'"),
    ],
)
def test_refusals(
    run: Run,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    complaint: str,
) -> None:
    result = run("firmware", *(each.replace("{}", str(folder)) for each in arguments))
    said = "".join(line.strip("│ ") + " " for line in (result.stderr + capsys.readouterr().err).splitlines())
    assert (result.exit_code, complaint in said or said) == (status, True)


def test_files_that_are_too_large(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "large").write_bytes(b"A" * 65_537)
    for option in ("--signature", "--certificate"):
        arguments = (str(folder / "fw.bin"), "--vendor", "acme", "--version", "1", option, str(folder / "large"))
        assert run("firmware", "add", *arguments).exit_code == 1
        assert "has more than 65536 bytes" in capsys.readouterr().err


def test_without_the_section(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("firmware", "list").exit_code == 1
    assert capsys.readouterr().err.startswith("firmware: the section is missing; add it")
