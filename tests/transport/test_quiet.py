"""What websockets would log must not depend on the application's log level: it holds credentials and whole messages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.transport.frames import Frames
from gateway.transport.limits import Limits
from gateway.transport.quiet import QUIET
from gateway.transport.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def test_no_header_and_no_message_is_logged(
    caplog: pytest.LogCaptureFixture, new_request: Callable[..., bytes], new_frame: Callable[..., bytes]
) -> None:
    caplog.set_level(logging.DEBUG)
    Upgrade(new_request("Authorization: Basic c2VjcmV0")).accept(None, compression=False)
    frames = Frames(Limits(), client=False)
    frames.feed(memoryview(new_frame(0x1, b"secret", fin=False)))
    assert frames.next() is None
    assert frames.close(1000, "secret")
    assert caplog.records == []


def test_its_errors_are_logged() -> None:
    assert QUIET.isEnabledFor(logging.ERROR)
