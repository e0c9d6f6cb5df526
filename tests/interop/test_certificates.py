"""Certificates and TLS, as a third party's stack (node's) sees them."""

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.interop.peers import OPERATOR, make_csr, make_self_signed

if TYPE_CHECKING:
    from tests.interop.conftest import NewStation
    from tests.interop.peers import Station


@pytest.fixture
def enrolled(new_station: "NewStation") -> "Station":
    """A station that has its certificate and is up under profile 3."""
    station = new_station(2)
    station.come_up()
    station.enrol()
    station.come_up()
    return station


def leaf_of(station: "Station") -> x509.Certificate:
    """The station's certificate: the first of the chain."""
    return x509.load_pem_x509_certificates(station.certificate["cert"].encode())[0]


def test_the_certificate(enrolled: "Station") -> None:
    """OCPP 2.0.1 A00.FR.509, FR.511: O is the operator, CN the serial number."""
    names = {name.oid: name.value for name in leaf_of(enrolled).subject}
    assert names == {NameOID.ORGANIZATION_NAME: OPERATOR, NameOID.COMMON_NAME: enrolled.serial}


def test_a_renewal_that_the_operator_asks_for(enrolled: "Station") -> None:
    """OCPP 2.0.1 A02, all the way: trigger, CSR with a new key, certificate, reconnect."""
    before = leaf_of(enrolled)
    enrolled.answer("TriggerMessage", {"status": "Accepted"})
    enrolled.gateway.api(f"stations/{enrolled.identity}/certificate", {})
    assert enrolled.asked("TriggerMessage") == {"requestedMessage": "SignChargingStationCertificate"}
    enrolled.enrol()
    enrolled.connect()

    assert enrolled.call("Heartbeat", {})["currentTime"]
    assert leaf_of(enrolled).serial_number != before.serial_number
    assert leaf_of(enrolled).public_key() != before.public_key()


@pytest.mark.parametrize(
    ("common_name", "organization"), [("SN.OTHER", OPERATOR), (None, "Another CPO")], ids=["other CN", "other O"]
)
def test_a_csr_for_somebody_else(new_station: "NewStation", common_name: str | None, organization: str) -> None:
    station = new_station(2)
    station.come_up()
    _, csr = make_csr(common_name or station.serial, organization)
    answer = station.call("SignCertificate", {"csr": csr})
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidCSR")
    assert station.calls("CertificateSigned") == []


def test_a_v2g_certificate_is_not_ours_to_sign(new_station: "NewStation") -> None:
    station = new_station(2)
    station.come_up()
    _, csr = make_csr(station.serial)
    answer = station.call("SignCertificate", {"csr": csr, "certificateType": "V2GCertificate"})
    assert answer["status"] == "Rejected"


def test_a_certificate_of_another_ca(enrolled: "Station") -> None:
    """The installer sees why: the alert arrives."""
    enrolled.leave()
    enrolled.certificate = make_self_signed(enrolled.serial)
    assert "unknown ca" in enrolled.try_to_connect().message


def test_a_certificate_of_another_station(enrolled: "Station", new_station: "NewStation") -> None:
    victim = new_station(2)
    assert enrolled.try_to_connect(identity=victim.identity).code == 401


def test_no_way_back_from_profile_3(enrolled: "Station") -> None:
    """A05.FR.07: the password that served under profile 2 doesn't any more."""
    enrolled.leave()
    enrolled.profile, enrolled.certificate = 2, {}
    assert enrolled.try_to_connect().code == 401


@pytest.mark.parametrize(
    ("openssl", "iana"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        ("AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256"),
        ("AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    ],
)
def test_the_four_suites(new_station: "NewStation", openssl: str, iana: str) -> None:
    """OCPP 2.0.1 A00.FR.318."""
    station = new_station(2)
    tls = {"ca": station.gateway.ca, "ciphers": openssl, "maxVersion": "TLSv1.2"}
    assert station.connect(tls=tls)["cipher"] == iana


def test_tls_1_1(new_station: "NewStation") -> None:
    """OCPP 2.0.1 A00.FR.313, FR.314. Without its security level, node's OpenSSL would not even ask."""
    station = new_station(2)
    old = {"ciphers": "DEFAULT@SECLEVEL=0", "minVersion": "TLSv1", "maxVersion": "TLSv1.1"}
    assert "protocol version" in station.try_to_connect(tls={"ca": station.gateway.ca, **old}).message
