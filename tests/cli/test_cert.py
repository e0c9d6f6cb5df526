"""`voltgate cert ...`."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pki.authority.local import LocalAuthority
from pki.reasons import FOR_GOOD

Run = Callable[..., Any]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def issued(stored: Callable[..., Any]) -> None:
    async def add(records: Any) -> None:
        await records.certificates.add(
            "CS1",
            serial="af01",
            fingerprint="f" * 64,
            subject="CN=[b]SN1",
            not_before=NOON,
            not_after=datetime.now(UTC) + timedelta(days=20),
            chain="-----BEGIN CERTIFICATE-----\n",
        )

    stored(add)


@pytest.fixture
def logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """How the log was set up: it isn't here, for it would be for all tests of this process."""
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr("gateway.cli.cert.configure", lambda level, form: asked.append((level, form)))
    with capture_logs():
        yield asked


def test_none(run: Run) -> None:
    assert json.loads(run("cert", "list", "--json").stdout) == []
    assert "not after" in run("cert", "list").stdout


@pytest.mark.usefixtures("issued")
def test_list_and_show(run: Run) -> None:
    (listed,) = json.loads(run("cert", "list", "CS1", "--json").stdout)
    assert json.loads(run("cert", "list", "CS2", "--json").stdout) == []
    shown = json.loads(run("cert", "show", "AF:01", "--json").stdout)
    assert shown.pop("chain").startswith("-----BEGIN")
    assert [step["state"] for step in shown.pop("history")] == ["issued"]
    assert shown == listed
    assert json.loads(run("cert", "show", "F" * 64, "--json").stdout)["serial"] == "af01"
    assert "CN=[b]SN1" in run("cert", "list").stdout
    text = run("cert", "show", "af01").stdout
    assert "state: issued" in text
    assert text.endswith("-----BEGIN CERTIFICATE-----\n")


@pytest.mark.usefixtures("issued")
@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--state", "issued"), 1),
        (("--state", "issued", "--state", "revoked", "--usage", "station"), 1),
        (("--state", "in_use"), 0),
        (("--usage", "v2g"), 0),
        (("--expiring", "21d"), 1),
        (("--expiring", "19d"), 0),
    ],
)
def test_filters(run: Run, arguments: tuple[str, ...], count: int) -> None:
    assert len(json.loads(run("cert", "list", *arguments, "--json").stdout)) == count


@pytest.mark.usefixtures("issued", "logging")
@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("show", "af02"), 1, "af02"),
        (("show", "xyz"), 1, "hex"),
        (("revoke", "af02"), 1, "af02"),
        (("revoke", "xyz"), 1, "hex"),
        (("revoke", "af01", "--reason", "removeFromCRL"), 2, "keyCompromise"),
        (("list", "--state", "lost"), 2, "in_use"),
        (("list", "--usage", "stations"), 2, "v2g"),
        (("list", "--expiring", "soon"), 2, "days"),
    ],
)
def test_refusals(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    result = run("cert", *arguments)
    assert result.exit_code == status
    assert complaint in result.stderr + capsys.readouterr().err


@pytest.mark.usefixtures("issued", "logging")
def test_revoke(run: Run, tmp_path: Path) -> None:
    LocalAuthority.open(tmp_path / "certs/dev/ca")
    shown = json.loads(run("cert", "revoke", "AF01", "--reason", "keyCompromise", "--json").stdout)
    assert (shown["state"], shown["reason"], shown["authority_problem"]) == ("revoked", "keyCompromise", None)
    assert shown["authority_told"] is True
    text = run("cert", "revoke", "af01").stdout
    assert "af01 of station CS1 is revoked (keyCompromise); its authority was told" in text
    (event, *_) = json.loads(run("events", "CS1", "--json").stdout)
    assert event["type"] == "CertificateRevoked"


@pytest.mark.usefixtures("issued")
def test_a_ca_that_is_elsewhere_is_said(
    run: Run, capsys: pytest.CaptureFixture[str], logging: list[tuple[str, str]]
) -> None:
    result = run("cert", "revoke", "af01", "--json")
    assert result.exit_code == 1
    assert logging == [("info", "auto")]
    shown = json.loads(result.stdout)
    assert (shown["state"], shown["authority_told"]) == ("revoked", False)
    assert "refuses it from now on, but" in capsys.readouterr().err
    assert "its authority is still to be told" in run("cert", "revoke", "af01").stdout
    assert "a running gateway tells it as soon as it can" in capsys.readouterr().err


@pytest.mark.usefixtures("logging")
def test_another_issuers_certificate_is_refused_here(run: Run, stored: Callable[..., Any]) -> None:
    async def add(records: Any) -> None:
        common = {"subject": "", "not_before": NOON, "not_after": NOON, "chain": ""}
        await records.certificates.add("CS1", serial="1", fingerprint="a" * 64, usage="seen", **common)
        await records.certificates.add("", serial="2", fingerprint="b" * 64, usage="server", **common)

    stored(add)
    result = run("cert", "revoke", "1")
    assert result.exit_code == 0
    assert "none of our authorities issued it" in result.stdout
    assert "of the gateway is revoked" in run("cert", "revoke", "2").stdout


def test_every_reason_is_named(run: Run) -> None:
    text = " ".join(run("cert", "revoke", "--help").output.split())
    assert all(reason in text for reason in FOR_GOOD)


def test_renew_needs_a_gateway(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cert", "renew", "CS1").exit_code == 1
    assert "admin.token" in capsys.readouterr().err


def test_renew_as_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answered(*_: Any) -> Any:
        return {"status": "requested"}

    monkeypatch.setattr("gateway.cli.api.request", answered)
    assert json.loads(run("cert", "renew", "CS1", "--json").stdout) == {"identity": "CS1", "status": "requested"}
    assert "CS1 was asked" in run("cert", "renew", "CS1").stdout


def test_what_is_renewed_is_what_was_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def answered(_: Any, *what: Any) -> Any:
        asked.append(what)
        return {"usage": "v2g", "group": "depot", "count": 41}

    monkeypatch.setattr("gateway.cli.api.request", answered)
    run("cert", "renew", "CS1", "--usage", "v2g")
    assert "41 certificates" in run("cert", "renew", "--all", "--usage", "v2g", "--group", "depot").stdout
    assert json.loads(run("cert", "renew", "--all", "--json").stdout)["count"] == 41
    assert asked == [
        ("POST", "stations/CS1/certificate?usage=v2g", None),
        ("POST", "renewals", {"usage": "v2g", "group": "depot"}),
        ("POST", "renewals", {"usage": "station", "group": None}),
    ]


@pytest.mark.parametrize(
    "words", [(), ("CS1", "--all"), ("CS1", "--group", "depot"), ("CS1", "--usage", "server")], ids=" ".join
)
def test_one_station_or_all(run: Run, words: tuple[str, ...]) -> None:
    assert run("cert", "renew", *words).exit_code == 2
