"""messageIds of our own CALLs."""

from gateway.app.message_ids import MessageIds


def test_message_ids_fit_and_never_repeat() -> None:
    first, second = MessageIds(), MessageIds()
    made = [source() for source in (first, second) for _ in range(1000)]
    assert len(set(made)) == 2000
    assert max(map(len, made)) <= 36
