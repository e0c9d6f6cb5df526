"""How a problem reads."""

from gateway.config.problems import Problem


def test_how_a_problem_reads() -> None:
    error, warning = Problem.error("store.url", "is away"), Problem.warning("operator", "isn't set")

    assert (str(error), error.is_error) == ("error: store.url: is away", True)
    assert (str(warning), warning.is_error) == ("warning: operator: isn't set", False)
    assert error.shown() == {"severity": "error", "key": "store.url", "text": "is away"}
