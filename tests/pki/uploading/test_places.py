"""Where a file is to go: what is read, what is refused, what is shown."""

import pytest

from pki.destinations import DestinationRefused
from pki.uploading.places import UploadPlace, shown
from tests.pki.uploading.conftest import allowed

LIST = allowed("files.example.com", "files.example.com:2121", "ftps://secure.example.com/logs")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://files.example.com/in/", "https://files.example.com:443/in/a%20b.zip"),
        ("https://files.example.com", "https://files.example.com:443/a%20b.zip"),
        ("https://files.example.com/in?sig=x", "https://files.example.com:443/in?sig=x"),
        ("http://files.example.com/in/?sig=x", "http://files.example.com:80/in/a%20b.zip?sig=x"),
        ("https://u:p@files.example.com/in", "https://files.example.com:443/in"),
    ],
)
def test_a_folder_gets_the_files_name(location: str, url: str) -> None:
    assert UploadPlace.parse(location, LIST).url("a b.zip") == url


@pytest.mark.parametrize(
    ("location", "folders", "last"),
    [
        ("ftp://files.example.com", [], ""),
        ("ftp://files.example.com/in", [], "in"),
        ("ftp://files.example.com:2121/a/b%20c/", ["a", "b c"], ""),
        ("ftp://files.example.com/%2Fvar/log/x.zip", ["/var", "log"], "x.zip"),
    ],
)
def test_the_way_through_folders(location: str, folders: list[str], last: str) -> None:
    assert UploadPlace.parse(location, LIST).folders() == (folders, last)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("sftp://files.example.com/in", "only http, https, ftp and ftps are spoken"),
        ("ftp://files.example.com:2122/in", "isn't on the list"),
        ("ftp://secure.example.com/logs/x", "isn't on the list"),
        ("ftps://secure.example.com/other", "isn't on the list"),
        ("ftp://files.example.com/a/%2e%2e/b", "path with . or .."),
        ("ftp://files.example.com/a%0d%0aDELE%20b", "control character"),
        ("ftp://u:p%0aDELE@files.example.com/a", "control character"),
        ("ftp://[files.example.com/a", "it isn't a URL"),
    ],
)
def test_nothing_is_sent_to_other_places(location: str, reason: str) -> None:
    with pytest.raises(DestinationRefused, match=reason):
        UploadPlace.parse(location, LIST)


def test_user_and_password_are_read_and_never_printed() -> None:
    place = UploadPlace.parse("ftps://log%40cpo:s%3Acret@secure.example.com/logs/a", LIST)

    assert place.credentials == ("log@cpo", "s:cret")
    assert place.target.port == 21
    assert "cret" not in repr(place) + place.url("x")


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("ftp://u:secret@Files.example.com:2121/in?token=secret#secret", "ftp://files.example.com:2121/in"),
        ("https://[2001:db8::1]:8443/in", "https://[2001:db8::1]:8443/in"),
        ("http://h:secret/", "(not a URL)"),
        ("secret", "(not a URL)"),
        ("(not a URL)", "(not a URL)"),
    ],
)
def test_what_is_shown(location: str, text: str) -> None:
    assert shown(location) == text
