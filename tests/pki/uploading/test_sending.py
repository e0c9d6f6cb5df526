"""Which way a file goes, by its URL's scheme."""

from pathlib import Path

import pytest

from pki.destinations import DestinationRefused
from pki.uploading import UploadFailed
from pki.uploading.sending import Uploading
from tests.pki.uploading.conftest import allowed


@pytest.mark.parametrize(("scheme", "text"), [("http", "can't connect"), ("ftp", "the connection failed")])
async def test_a_file_goes_by_its_scheme(log: Path, scheme: str, text: str) -> None:
    async with Uploading(allowed("127.0.0.1:9")) as uploading:
        with pytest.raises(UploadFailed, match=text):
            await uploading.send(f"{scheme}://127.0.0.1:9/in", log, "a.zip")


@pytest.mark.parametrize("location", ["sftp://127.0.0.1:9/in", "ftp://127.0.0.1/in", "nonsense"])
async def test_nothing_goes_elsewhere(log: Path, location: str) -> None:
    async with Uploading(allowed("127.0.0.1:9")) as uploading:
        with pytest.raises(DestinationRefused):
            await uploading.send(location, log, "a.zip")
