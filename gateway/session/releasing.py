"""What a person has released is denied by no policy on its way to the backend: how the stages know of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_RELEASED: ContextVar[bool] = ContextVar("released", default=False)


@contextmanager
def releasing(is_so: bool = True) -> Iterator[None]:
    """While it is open, what this task says to the backend is (not) what a person has released.

    A task that is begun meanwhile inherits it, so whoever sends on behalf of others says for each message which it is.
    """
    token = _RELEASED.set(is_so)
    try:
        yield
    finally:
        _RELEASED.reset(token)


def is_released() -> bool:
    """Return whether a person has released what this task is about."""
    return _RELEASED.get()
