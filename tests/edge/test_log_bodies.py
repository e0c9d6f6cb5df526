"""Bodies of uploads, as forms and as what isn't one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.edge import log_bodies
from tests.edge.file_street import CONTENT, LOG, Street, ask, call, street

UPLOAD = f"/logs/{LOG}/"
FORM = "multipart/form-data; boundary=XX"
MIXED = "multipart/mixed; boundary=XX"
FILE = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a/log.zip"\r\n\r\n'
FIELD = b'--XX\r\nContent-Disposition: form-data; name="comment"\r\n\r\nhello\r\n'
END = b"\r\n--XX--\r\n"


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Street]:
    async with street(tmp_path) as found:
        yield found


@pytest.mark.parametrize("before", [b"", FIELD, FIELD * 15])
@pytest.mark.parametrize("after", [b"", b"\r\n" + FIELD.removesuffix(b"\r\n")])
@pytest.mark.parametrize("content", [b"", b"log", CONTENT * 3, b"\r\n--X\r\n--XY"])
async def test_the_file_of_a_form(opened: Street, before: bytes, after: bytes, content: bytes) -> None:
    heard = await ask(opened.port, "POST", UPLOAD, before + FILE + content + after + END, Content_Type=FORM)
    assert heard.status == 201
    (kept,) = opened.uploads
    assert (kept.content, kept.name, kept.is_finished) == (content, "log.zip", True)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", FORM),
        (b"no form at all", FORM),
        (FIELD + END, FORM),
        (FIELD * 16 + FILE + b"log" + END, FORM),
        (FILE, FORM),
        (FILE + b"log", FORM),
        (FILE + b"log\r\n--X", FORM),
        (FILE + b"log" + END, "multipart/form-data"),
        (FILE + b"log" + END, f"multipart/form-data; boundary={'X' * 100}"),
        (b"--XX\r\nContent-Type: multipart/mixed; boundary=YY\r\n\r\n--YY\r\n\r\n\r\n--YY--" + END, FORM),
        (b"--XX\r\n" + b"A: b\r\n" * 1_000 + b"\r\nlog" + END, FORM),
        (b"--XX\r\n" + b"A" * 100_000 + b"\r\n\r\nlog" + END, FORM),
        (b'--XX\r\nContent-Disposition: x; filename="x"\r\nContent-Length: 99\r\n\r\nlog' + END, MIXED),
    ],
)
async def test_a_broken_form_is_refused_and_nothing_is_kept(opened: Street, body: bytes, content_type: str) -> None:
    heard = await ask(opened.port, "POST", UPLOAD, body, Content_Type=content_type)
    assert (heard.status, heard.body) == (400, b"")
    assert all(not kept.is_finished and kept.aborted is not None for kept in opened.uploads)
    assert opened.counted == {("upload", "malformed"): 1}


async def test_who_sends_too_slowly_is_dropped(opened: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_bodies, "STALL", 0.05)
    async with await call(opened.port) as station:
        station.say(f"PUT {UPLOAD} HTTP/1.1\r\nHost: files\r\nContent-Length: 9\r\n\r\nlog".encode())
        assert await station.is_dropped() == b""
    assert opened.uploads[0].aborted is not None
    assert opened.counted == {("upload", "broken_off"): 1}
