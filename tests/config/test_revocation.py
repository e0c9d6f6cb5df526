"""Who is asked about revocation: CRLs, responders, and where those may be."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.revocation import Ocsp, Revocation, broken_by_revocation
from gateway.config.source import spell


def faults(**keys: Any) -> dict[str, str]:
    return {spell(key): text for key, text in broken_by_revocation(Revocation.model_validate(keys))}


@pytest.mark.parametrize(
    ("crls", "key", "words"),
    [
        (["http:///x"], "crls[0]", "must be a path, or a URL"),
        (["a.crl", "https://h:99999/x"], "crls[1]", "must be a path, or a URL"),
        (["https://h/a b"], "crls[0]", "must be a path, or a URL"),
        (["https://u:secret@h/x"], "crls[0]", "must not hold a user or password"),
        (["https://h/x#y"], "crls[0]", "must not have a # part"),
        (["a.crl", "a.crl"], "crls", "names a CRL twice"),
        (["a.crl", "b.crl", "http://ca.example.com/x?y=1"], "", ""),
    ],
)
def test_where_crls_come_from(crls: list[str], key: str, words: str) -> None:
    found = faults(crls=crls)

    assert list(found) == ([key] if key else [])
    assert all(words in text and "secret" not in text for text in found.values())


def test_what_is_done_when_nothing_is_known_needs_somebody_to_know() -> None:
    assert list(faults(when_unknown="refuse")) == ["when_unknown"]
    assert faults(when_unknown="accept", crls=["a.crl"]) == {}
    assert faults(when_unknown="accept", ocsp="certificate") == {}
    assert list(faults(ocsp_refresh=60.0)) == ["ocsp_refresh"]
    assert faults(ocsp_refresh=60.0, ocsp="certificate") == {}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("certificate", "certificate"),
        ("http://ocsp.example.com", "http://ocsp.example.com:80/"),
        ("https://vault.example.com:8200/v1/pki/ocsp", "https://vault.example.com:8200/v1/pki/ocsp"),
    ],
)
def test_who_is_asked_at_the_door(value: str, read: str) -> None:
    revocation = Revocation(ocsp=value)
    assert (revocation.ocsp, revocation.is_asked_for) == (read, True)
    assert Revocation.model_validate(revocation.model_dump()) == revocation


@pytest.mark.parametrize("value", ["", "off", True, 5, "ftp://x/", "http://u:secret@x/", "http://x/#y"])
def test_who_can_not_be_asked(value: Any) -> None:
    with pytest.raises(ValidationError, match="must be certificate, or the URL") as refused:
        Revocation.model_validate({"ocsp": value})
    assert "secret" not in str(refused.value)


def test_nobody_is_asked_by_default() -> None:
    assert (Revocation().ocsp, Revocation().is_asked_for) == (None, False)
    assert (Ocsp().responders, Ocsp().networks, Ocsp().issuers) == (None, (), ())


@pytest.mark.parametrize("place", ["ocsp.example.com", "*.example.com", "ocsp.example.com:8080", "http://x.example/a/"])
def test_a_place(place: str) -> None:
    assert Ocsp.model_validate({"responders": [place]}).responders == (place,)


@pytest.mark.parametrize("place", ["", "*", "a b", "x.example/path", "ftp://x.example/"])
def test_what_is_no_place(place: str) -> None:
    with pytest.raises(ValidationError):
        Ocsp.model_validate({"responders": [place]})


def test_files_and_networks(tmp_path: Path) -> None:
    ocsp = Ocsp.model_validate({"issuers": ["a.pem"], "networks": ["10.0.0.0/8"]}, context={"folder": tmp_path})
    assert ocsp.issuers == (tmp_path / "a.pem",)
    assert [str(network) for network in ocsp.networks] == ["10.0.0.0/8"]
