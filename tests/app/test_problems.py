"""Why the gateway doesn't start is an exception of its own, with the text for the operator."""

from gateway.app.problems import StartFailed


def test_the_text_is_the_line() -> None:
    assert str(StartFailed("listeners: cannot listen on 0.0.0.0:8443: Address already in use")).startswith(
        "listeners: "
    )
