"""The words of links."""

import pytest

from gateway.session.file_links import LinkKind, UploadRefusal, UploadRefused


@pytest.mark.parametrize("refusal", UploadRefusal)
def test_a_refused_upload_says_why(refusal: UploadRefusal) -> None:
    refused = UploadRefused(refusal, "log 7 is closed")
    assert (refused.refusal, str(refused)) == (refusal, "log 7 is closed")


def test_what_the_store_keeps_of_a_kind() -> None:
    assert [kind.value for kind in LinkKind] == ["download", "upload"]
