"""Attack A11 at the door: a weaker TLS, or a lower security profile than the station has used before."""

import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from gateway.edge.tls import server_context
from gateway.session.security import Kind
from gateway.transport import Accept, Refuse
from tests.edge.handshakes import client_context, shake, write
from tests.edge.street import RULES, Street, basic

PLAIN = replace(RULES, profiles=frozenset({1}), networks=[ipaddress.ip_network("10.0.0.0/8")])


@pytest.fixture
def street() -> Iterator[Street]:
    with Street() as made:
        yield made


async def test_a_right_password_does_not_open_a_door_below_the_profile(street: Street) -> None:
    for target, user, rules in (("/ocpp/CS3", "CS3", RULES), ("/ocpp/CS3", "CS3", PLAIN), ("/ocpp/CS1", "CS1", PLAIN)):
        assert (await street.knock(target, basic(user), rules=rules)).status == 401
    assert street.directory.entered == []
    assert [event.kind for event in street.events] == [Kind.DOWNGRADE] * 3
    assert {event.remote for event in street.events} == {"10.1.2.3"}


async def test_the_flag_lets_back_from_3_to_2_and_never_to_1(street: Street) -> None:
    street.change("CS3", allow_downgrade=True)
    assert isinstance(await street.knock("/ocpp/CS3", basic("CS3")), Accept)
    assert (await street.knock("/ocpp/CS3", basic("CS3"), rules=PLAIN)).status == 401


async def test_leaving_the_certificate_out_helps_nobody_where_one_is_required(street: Street) -> None:
    rules = replace(RULES, profiles=frozenset({3}))
    assert (await street.knock("/ocpp/CS1", basic("CS1"), rules=rules)).status == 401
    assert [event.kind for event in street.events] == [Kind.INVALID_CERTIFICATE]


async def test_in_clear_only_from_networks_that_are_trusted_by_name(street: Street) -> None:
    street.change("CS1", minimum_profile=1)
    nowhere = replace(PLAIN, networks=())
    assert await street.knock("/ocpp/CS1", basic("CS1"), rules=nowhere) == Refuse(403)
    assert await street.knock("/ocpp/CS1", basic("CS1"), rules=PLAIN, remote="192.0.2.1") == Refuse(403)
    assert isinstance(await street.knock("/ocpp/CS1", basic("CS1"), rules=PLAIN), Accept)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_an_older_tls_is_refused(tmp_path: Path, version: ssl.TLSVersion) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    context = server_context([write(authority, tmp_path, "a", "localhost")], [])
    client = client_context(tmp_path / "roots.pem")
    shake(context, client)
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        client.minimum_version = client.maximum_version = version
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        shake(context, client)
