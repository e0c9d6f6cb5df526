"""Images and logs over HTTP: what a station says, and what it hears."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.edge import file_endpoint
from gateway.edge.file_endpoint import TRANSFERS_OF_STATION
from gateway.session.file_links import FileLink, UploadRefusal, UploadRefused
from tests.edge.file_street import (
    CONTENT,
    GOOD,
    LOG,
    PATIENCE,
    PUBLISHED,
    SHA256,
    UNKNOWN,
    Held,
    Street,
    ask,
    call,
    street,
)

IMAGE = f"/firmware/{GOOD}/box-2.0.bin"
UPLOAD = f"/logs/{LOG}/log.zip"
TAG = f'"{SHA256}"'


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Street]:
    async with street(tmp_path) as found:
        yield found


# --- images


@pytest.mark.parametrize("path", [IMAGE, f"/firmware/{GOOD}", f"/firmware/{PUBLISHED}/other.name?x=1"])
async def test_an_image_is_loaded_whole(opened: Street, path: str) -> None:
    heard = await ask(opened.port, "GET", path)
    assert (heard.status, heard.body) == (200, CONTENT)
    assert heard.headers["content-length"] == str(len(CONTENT))
    assert heard.headers["content-type"] == "application/octet-stream"
    assert heard.headers["etag"] == TAG
    assert heard.headers["accept-ranges"] == "bytes"
    assert heard.headers["connection"] == "close"
    assert "server" not in heard.headers
    assert opened.counted == {("download", "done"): 1}
    assert opened.octets["download"] == len(CONTENT)


async def test_its_head_alone(opened: Street) -> None:
    heard = await ask(opened.port, "HEAD", IMAGE)
    assert (heard.status, heard.body, heard.headers["content-length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ({"Range": "bytes=0-0"}, 0, 0),
        ({"Range": "bytes=1000-"}, 1_000, len(CONTENT) - 1),
        ({"Range": "bytes=-5"}, len(CONTENT) - 5, len(CONTENT) - 1),
        ({"Range": "bytes=7-9", "If_Range": TAG}, 7, 9),
    ],
)
async def test_a_part_of_it(opened: Street, asked: dict[str, str], first: int, last: int) -> None:
    heard = await ask(opened.port, "GET", IMAGE, **asked)
    assert (heard.status, heard.body) == (206, CONTENT[first : last + 1])
    assert heard.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert heard.headers["content-length"] == str(last + 1 - first)
    assert heard.headers["etag"] == TAG


@pytest.mark.parametrize(
    "asked",
    [
        {"Range": "bytes=5-3"},
        {"Range": "bytes=0-1,4-5"},
        {"Range": "bytes=7-9", "If_Range": '"another"'},
        {"Range": "bytes=7-9", "If_Range": f"W/{TAG}"},
        {"Range": "bytes=7-9", "If_Range": "Sun, 01 Mar 2026 12:00:00 GMT"},
    ],
)
async def test_all_of_it_where_a_part_cannot_be_meant(opened: Street, asked: dict[str, str]) -> None:
    heard = await ask(opened.port, "GET", IMAGE, **asked)
    assert (heard.status, heard.body) == (200, CONTENT)


async def test_a_part_behind_its_end(opened: Street) -> None:
    heard = await ask(opened.port, "GET", IMAGE, Range=f"bytes={len(CONTENT)}-")
    assert (heard.status, heard.body, heard.headers["content-range"]) == (416, b"", f"bytes */{len(CONTENT)}")


async def test_an_empty_image(opened: Street) -> None:
    opened.file.write_bytes(b"")
    # Its hash isn't the one that it is kept under: what can't be verified isn't served.
    assert (await ask(opened.port, "GET", IMAGE)).status == 404


async def test_a_swapped_image_is_not_served(opened: Street) -> None:
    assert (await ask(opened.port, "GET", IMAGE)).status == 200
    opened.file.write_bytes(CONTENT[:-1] + b"!")
    with capture_logs() as logs:
        heard = await ask(opened.port, "GET", IMAGE)
    assert (heard.status, heard.body) == (404, b"")
    assert [entry["event"] for entry in logs] == ["image_changed_on_disk"]
    assert opened.counted["download", "failed"] == 1


async def test_one_that_changes_on_the_way_is_cut_off(tmp_path: Path) -> None:
    async with street(tmp_path, station_rate=200_000) as opened, await call(opened.port) as station:
        station.say(f"GET {IMAGE} HTTP/1.1\r\nHost: files\r\n\r\n".encode())
        await station.reader.readuntil(b"\r\n\r\n")
        opened.file.write_bytes(CONTENT[:1_000])
        assert len(await station.is_dropped()) < len(CONTENT)
        assert opened.counted == {("download", "failed"): 1}


@pytest.mark.parametrize("is_away", [False, True])
async def test_one_that_is_withdrawn_on_the_way_goes_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_away: bool
) -> None:
    monkeypatch.setattr(file_endpoint, "ASKED_AGAIN_EVERY", 0.0)
    async with street(tmp_path, station_rate=500_000) as opened, await call(opened.port) as station:
        station.say(f"GET {IMAGE} HTTP/1.1\r\nHost: files\r\n\r\n".encode())
        await station.reader.readuntil(b"\r\n\r\n")
        opened.links.clear()
        opened.is_away = is_away  # then nobody knows, and what was good goes on
        octets = await station.is_dropped()
        assert (octets == CONTENT) is is_away
        assert opened.counted == {("download", "done" if is_away else "link_over"): 1}


# --- what isn't a link


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/firmware/{UNKNOWN}/box-2.0.bin"),
        ("GET", "/firmware/short"),
        ("GET", f"/firmware/{GOOD}/../{GOOD}"),
        ("GET", f"/firmware/{GOOD}/..%2f..%2fetc/passwd"),
        ("GET", "/firmware/../../../../etc/passwd"),
        ("GET", f"/firmware/{LOG}"),
        ("GET", f"/logs/{LOG}/log.zip"),
        ("HEAD", f"/logs/{LOG}"),
        ("DELETE", f"/logs/{LOG}"),
        ("PUT", f"/logs/{GOOD}/log.zip"),
        ("PUT", f"/firmware/{GOOD}"),
        ("POST", f"/firmware/{GOOD}"),
        ("OPTIONS", f"/firmware/{GOOD}"),
        ("GET", "/"),
        ("GET", "/metrics"),
        ("OPTIONS", "*"),
    ],
)
async def test_everything_else_sounds_alike(opened: Street, method: str, path: str) -> None:
    unknown = await ask(opened.port, "GET", "/nothing")
    heard = await ask(opened.port, method, path, b"" if method in {"PUT", "POST"} else None)
    drop = {"date", "content-length"} if method == "HEAD" else {"date"}
    assert heard.status == unknown.status == 404
    assert {name: text for name, text in heard.headers.items() if name not in drop} == {
        name: text for name, text in unknown.headers.items() if name not in drop
    }
    assert heard.body == unknown.body == b""
    assert set(opened.counted) == {("unknown", "not_found")}


async def test_a_withdrawn_link_sounds_like_any_unknown_one(opened: Street) -> None:
    opened.links.clear()
    heard = await ask(opened.port, "GET", IMAGE)
    assert (heard.status, heard.body) == (404, b"")


async def test_while_the_store_is_away_nobody_learns_anything(opened: Street) -> None:
    opened.is_away = True
    for path in (IMAGE, f"/firmware/{UNKNOWN}"):
        heard = await ask(opened.port, "GET", path)
        assert (heard.status, heard.headers["retry-after"]) == (503, "30")
    assert opened.counted == {("unknown", "unavailable"): 2}


async def test_no_secret_is_logged(opened: Street) -> None:
    with capture_logs() as logs:
        await ask(opened.port, "GET", IMAGE)
        await ask(opened.port, "PUT", UPLOAD, b"log")
        await ask(opened.port, "PUT", UPLOAD, b"log", Content_Range="bytes 0-2/3")
        await ask(opened.port, "GET", f"/firmware/{UNKNOWN}")
    assert [entry["event"] for entry in logs] == ["firmware_loaded", "log_uploaded"]
    assert not any(secret in str(logs) for secret in (GOOD, LOG, UNKNOWN))


async def test_a_defect_is_ours_and_bland(opened: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def fail(request: object, tag: str) -> None:
        shown.append(repr(request))
        raise LookupError

    monkeypatch.setattr(file_endpoint, "_asked", fail)
    with capture_logs() as logs:
        heard = await ask(opened.port, "GET", IMAGE)
    assert (heard.status, heard.body) == (500, b"")
    assert [entry["event"] for entry in logs] == ["file_request_failed"]
    assert shown == ["<GET of 127.0.0.1>"]


async def test_a_station_has_few_transfers_at_once(tmp_path: Path) -> None:
    async with street(tmp_path, station_rate=40_000) as opened:
        callers = [await call(opened.port) for _ in range(TRANSFERS_OF_STATION)]
        for each in callers:
            each.say(f"GET {IMAGE} HTTP/1.1\r\nHost: files\r\n\r\n".encode())
            await each.reader.readuntil(b"\r\n\r\n")
        refused = await ask(opened.port, "GET", IMAGE)
        assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        assert opened.counted == {("download", "too_many"): 1}
        assert (await ask(opened.port, "HEAD", f"/firmware/{PUBLISHED}")).status == 200
        for each in callers:
            each.writer.transport.abort()


@pytest.mark.parametrize(("secret", "is_noted"), [(PUBLISHED, True), (GOOD, False)])
async def test_what_is_loaded_for_all_is_known_while_it_lasts(tmp_path: Path, secret: str, is_noted: bool) -> None:
    async with street(tmp_path, station_rate=40_000) as opened:
        async with await call(opened.port) as caller:
            caller.say(f"GET /firmware/{secret} HTTP/1.1\r\nHost: files\r\n\r\n".encode())
            await caller.reader.readuntil(b"\r\n\r\n")
            assert opened.endpoint.is_loaded(1) is is_noted
            assert not opened.endpoint.is_loaded(2)
        async with asyncio.timeout(PATIENCE):
            await opened.was_counted.wait()
        assert not opened.endpoint.is_loaded(1)


async def test_who_does_not_read_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_endpoint, "STALL", 0.05)
    async with street(tmp_path) as opened:
        opened.file.write_bytes(b"\0" * (1 << 26))
        opened.links = {
            key: FileLink(each.kind, each.identity, 1, ZEROS, 1, None, each.expires_at)
            for key, each in opened.links.items()
        }
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port, limit=1_024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a ReadTransport, too
        writer.write(f"GET {IMAGE} HTTP/1.1\r\nHost: files\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            await opened.was_counted.wait()
        assert opened.counted == {("download", "broken_off"): 1}
        assert opened.octets["download"] < 1 << 26
        writer.transport.abort()
        del reader


ZEROS = "3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351"
"""The SHA-256 of 64 MiB of zeros."""


# --- logs


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    ("path", "name"), [(UPLOAD, "log.zip"), (f"/logs/{LOG}/", None), (f"/logs/{LOG}", None), (f"/logs/{LOG}//a/b", "b")]
)
async def test_a_log_is_taken(opened: Street, method: str, path: str, name: str | None) -> None:
    heard = await ask(opened.port, method, path, CONTENT)
    assert (heard.status, heard.body) == (201, b"")
    (kept,) = opened.uploads
    assert (kept.log_id, kept.identity, kept.name, kept.length) == (7, "CS1", name, len(CONTENT))
    assert (kept.content, kept.is_finished, kept.aborted) == (CONTENT, True, None)
    assert opened.counted == {("upload", "done"): 1}
    assert opened.octets["upload"] == len(CONTENT)


async def test_an_encoding_is_not_undone(opened: Street) -> None:
    await ask(opened.port, "PUT", UPLOAD, b"\x1f\x8b no gzip at all", Content_Encoding="gzip")
    assert opened.uploads[0].content == b"\x1f\x8b no gzip at all"


async def test_one_in_chunks_has_no_length(opened: Street) -> None:
    body = b"3\r\nlog\r\n2\r\n!!\r\n0\r\n\r\n"
    heard = await ask(opened.port, "PUT", UPLOAD, body, Transfer_Encoding="chunked", Content_Length="")
    # Both at once is refused: it is how requests are smuggled.
    assert heard.status == 400
    async with await call(opened.port) as station:
        station.say(f"PUT {UPLOAD} HTTP/1.1\r\nHost: files\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body)
        assert (await station.hear()).status == 201
    assert (opened.uploads[0].content, opened.uploads[0].length) == (b"log!!", None)


async def test_who_asks_whether_to_send_is_told(opened: Street) -> None:
    async with await call(opened.port) as station:
        head = f"PUT {UPLOAD} HTTP/1.1\r\nHost: files\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        station.say(head.encode())
        async with asyncio.timeout(PATIENCE):
            assert await station.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        station.say(b"log")
        assert (await station.hear()).status == 201


async def test_one_that_is_too_large_is_refused_before_it_comes(opened: Street) -> None:
    opened.refuses = UploadRefused(UploadRefusal.TOO_LARGE, "more than 5 bytes")
    async with await call(opened.port) as station:
        head = f"PUT {UPLOAD} HTTP/1.1\r\nHost: files\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        station.say(head.encode())
        assert (await station.hear()).status == 413


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (UploadRefusal.CLOSED, 404),
        (UploadRefusal.BUSY, 409),
        (UploadRefusal.TOO_LARGE, 413),
        (UploadRefusal.NO_SPACE, 507),
    ],
)
async def test_a_refusal_is_heard(opened: Street, refusal: UploadRefusal, status: int) -> None:
    opened.refuses_later = UploadRefused(refusal, "no")
    with capture_logs() as logs:
        assert (await ask(opened.port, "PUT", UPLOAD, CONTENT)).status == status
    assert opened.uploads[0].aborted is not None
    assert opened.counted == {("upload", refusal.value): 1}
    assert [entry["event"] for entry in logs] == ["log_refused", "log_upload_ended"]
    opened.refuses = opened.refuses_later
    assert (await ask(opened.port, "PUT", UPLOAD, CONTENT)).status == status


async def test_a_refusal_at_the_end_is_not_followed_by_another(opened: Street) -> None:
    opened.refuses_later = UploadRefused(UploadRefusal.NO_SPACE, "no")
    assert (await ask(opened.port, "PUT", UPLOAD, b"")).status == 507
    assert opened.uploads[0].aborted is None


async def test_half_a_log_is_none(opened: Street) -> None:
    async with await call(opened.port) as station:
        station.say(f"PUT {UPLOAD} HTTP/1.1\r\nHost: files\r\nContent-Length: 9\r\n\r\nlog".encode())
        async with asyncio.timeout(PATIENCE):
            await opened.began.wait()
    async with asyncio.timeout(PATIENCE):
        await opened.uploads[0].over.wait()
    assert not opened.uploads[0].is_finished
    assert opened.uploads[0].aborted is not None


@pytest.mark.parametrize(
    ("what", "sent", "outcome"),
    [("begin", b"", "broken_off"), ("write", b"log", "broken_off"), ("finish", b"log", "done")],
)
async def test_a_station_that_leaves_leaves_nothing_half_done(
    opened: Street, what: str, sent: bytes, outcome: str
) -> None:
    opened.held_at = held = Held(what)
    async with await call(opened.port) as station, asyncio.timeout(PATIENCE):
        station.say(f"PUT {UPLOAD} HTTP/1.1\r\nHost: files\r\nContent-Length: 3\r\n\r\n".encode() + sent)
        await held.is_under_way.wait()
    async with asyncio.timeout(PATIENCE):
        while opened.server.connections:
            await asyncio.wait(list(opened.server._carried))
        held.goes_on.set()
        await opened.was_counted.wait()
    (kept,) = opened.uploads
    assert (kept.is_finished, kept.aborted is None) == (outcome == "done", outcome == "done")
    assert opened.counted == {("upload", outcome): 1}


async def test_a_part_of_a_log_is_not_taken(opened: Street) -> None:
    assert (await ask(opened.port, "PUT", UPLOAD, b"log", Content_Range="bytes 0-2/9")).status == 400
    assert opened.uploads == []


async def test_an_upload_that_does_not_say_how_long_it_is_is_no_empty_log(opened: Street) -> None:
    assert (await ask(opened.port, "PUT", UPLOAD)).status == 411
    assert opened.uploads == []


async def test_where_no_logs_are_taken_the_link_is_unknown(tmp_path: Path) -> None:
    async with street(tmp_path, takes_logs=False) as opened:
        assert (await ask(opened.port, "PUT", UPLOAD, b"log")).status == 404
