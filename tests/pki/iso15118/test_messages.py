"""Which generation a message is of."""

from pathlib import Path

import pytest

from pki.iso15118.exi import Schema
from pki.iso15118.messages import schema_of
from pki.iso15118.reading import read_message

VECTORS = Path(__file__).parent / "vectors"


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("iso2_cert_install_req", Schema.ISO_2),
        ("iso2_cert_install_res", Schema.ISO_2),
        ("iso2_cert_update_req", Schema.ISO_2),
        ("iso2_cert_update_res", Schema.ISO_2),
        ("iso20_cert_install_req", Schema.ISO_20),
        ("iso20_cert_install_res", Schema.ISO_20),
    ],
)
def test_the_generation_of_each_message(name: str, schema: Schema) -> None:
    message = read_message((VECTORS / f"{name}.exi").read_bytes(), schema)

    assert schema_of(message) is schema
