"""Which updates something is still to come of."""

from gateway.session.firmware import UpdateState


def test_an_update_is_open_until_it_has_its_end() -> None:
    ended = {each for each in UpdateState if not each.is_open}

    assert ended == {UpdateState.INSTALLED, UpdateState.FAILED, UpdateState.REFUSED, UpdateState.CANCELED}
