"""The limit of file descriptors, as a table; the kernel is made up."""

import resource

import pytest
from structlog.testing import capture_logs

from gateway.app.descriptors import allow_for

NO_LIMIT = resource.RLIM_INFINITY
WANTED = 2 * 1_000 + 500 + 256
"""For a thousand connections, and those who wait beside them."""


@pytest.mark.parametrize(
    ("soft", "hard", "becomes", "enough"),
    [
        (1_024, 524_288, WANTED, True),
        (1_024, NO_LIMIT, WANTED, True),
        (1_024, WANTED, WANTED, True),
        (1_024, WANTED - 1, WANTED - 1, False),
        (1_024, 1_024, 1_024, False),
        (WANTED, 524_288, None, True),
        (NO_LIMIT, NO_LIMIT, None, True),
    ],
)
def test_it_is_raised_as_far_as_it_must_and_may_be(
    soft: int, hard: int, becomes: int | None, *, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    was_set: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: was_set.append(limits))
    with capture_logs() as lines:
        allow_for(1_000)
    assert was_set == ([] if becomes is None else [(becomes, hard)])
    few = {"event": "few_file_descriptors", "log_level": "warning", "limit": becomes, "wanted": WANTED}
    assert lines == ([] if enough else [few])


def test_a_kernel_that_refuses_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, NO_LIMIT))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    with capture_logs() as lines:
        allow_for(1_000)
    assert [line["limit"] for line in lines] == [1_024]
