"""Contract certificates and a vehicle of another hand: PyPI's ``iso15118`` asks, we answer, and it judges.

Its vehicle is of ISO 15118-2. Of -20 it has the messages, no signatures: there EXIficient says what is signed.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority.local import LocalAuthority
from pki.clock import utc_now
from pki.iso15118.cps import CpsChain, FileCps
from pki.iso15118.development import write_plug_and_charge_pki, write_vehicle
from pki.iso15118.envelope import Sealed, open_20
from pki.iso15118.exi import Schema
from pki.iso15118.exi.codec import decode_document
from pki.iso15118.messages import (
    Action,
    CertificateInstallationReq20,
    CertificateInstallationRes,
    CertificateInstallationRes20,
)
from pki.iso15118.native import NativeProvider
from pki.iso15118.provisioning import Provision, ProvisioningRefused, Refusal, VerifiedRequest
from pki.iso15118.reading import read_message
from pki.iso15118.signature import Suite, check_signature
from pki.iso15118.trust import TrustedPaths
from pki.iso15118.verification import RequestVerifier
from pki.iso15118.writing import write_message
from pki.issuing import PrivateKey
from pki.pem_files import key_pem, read_key
from tests.interop.josev import Josev, JosevRaised
from tests.pki.iso15118.element_xml import xml_of
from tests.pki.iso15118.provisioning_parts import (
    EMAID,
    Vehicle,
    contract,
    file_cps,
    issuer_of,
    mo_hierarchy,
    v2g_pki,
)

pytestmark = pytest.mark.timeout(180)  # the first test starts a JVM, which reads all schemas

SESSION: Final = "0102030405060708"
PCID: Final = "WVGTEST0000000001"
REFUSED: Final = "Signature verification of CertificateInstallationRes failed"


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def certificates(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


@dataclass
class World:
    """What stands between the vehicle and us: a development PKI on disk, an embedded CA for contracts."""

    pki: Path
    authority: LocalAuthority
    mo_root: x509.Certificate
    mo_issuing: x509.Certificate
    provider: NativeProvider
    verifier: RequestVerifier

    @classmethod
    def made(cls, folder: Path) -> "World":
        now, pki = utc_now(), folder / "dev"
        write_plug_and_charge_pki(pki, operator="Example CPO")
        hierarchy = mo_hierarchy(Schema.ISO_2, now)
        authority = LocalAuthority(folder, hierarchy)
        mo_root = hierarchy.root.certificate
        cps = FileCps(CpsChain((pki / "cps.pem").read_text(), Suite.ISO_2), (pki / "cps.key").read_bytes())
        oem = TrustedPaths(certificates(pki / "oem-roots.pem"), certificates(pki / "oem-intermediates.pem"))
        return cls(
            pki,
            authority,
            mo_root,
            hierarchy.issuing.certificate,
            NativeProvider({Schema.ISO_2: issuer_of(Schema.ISO_2, authority, now)}, {Schema.ISO_2: cps}),
            RequestVerifier(oem, TrustedPaths([mo_root]), profiles="enforce"),
        )

    def vehicle(self, folder: Path, leaf: x509.Certificate, key: PrivateKey, root: x509.Certificate) -> str:
        """Write what the package's vehicle has on board, under its names for it, and return where."""
        own = {"v2gRootCACert": root, "oemLeafCert": leaf}
        for name in ("moSubCA1Cert", "moSubCA2Cert", "oemSubCA1Cert", "oemSubCA2Cert"):  # it sends two; there is one
            own[name] = self.mo_issuing
        inside = folder / "iso15118_2"
        for name in ("certs", "private_keys"):
            (inside / name).mkdir(parents=True)
        for name, certificate in own.items():
            (inside / "certs" / f"{name}.der").write_bytes(der(certificate))
        (inside / "private_keys/oemLeaf.key").write_bytes(key_pem(key))
        (inside / "private_keys/oemLeafPassword.txt").write_bytes(b"")
        return str(folder)

    def new_vehicle(self, folder: Path, root: x509.Certificate | None = None) -> str:
        """Build a vehicle that has no contract, and trusts ``root`` (the V2G root without it)."""
        files = write_vehicle(self.pki, folder / "factory", pcid=PCID)
        (leaf,), (v2g,) = certificates(files.certificate), certificates(files.v2g_roots)
        return self.vehicle(folder / "josev", leaf, read_key(files.key), root or v2g)

    async def answer(self, exi: bytes, action: Action) -> tuple[VerifiedRequest, Provision]:
        request = self.verifier.verify(exi, Schema.ISO_2, action)
        return request, await self.provider.provide(request, contract(), remaining=0)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.made(tmp_path)


def asks(josev: Josev, vehicle: str) -> bytes:
    return bytes.fromhex(josev.do("ask", folder=vehicle, session_id=SESSION)["exi"])


def takes(josev: Josev, vehicle: str, exi: bytes) -> dict[str, Any]:
    return josev.do("take", folder=vehicle, session_id=SESSION, exi=exi.hex())


def stored(answer: dict[str, Any]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the contract that the vehicle has now: its certificate, and the private key that it decrypted."""
    certificate = x509.load_der_x509_certificate(bytes.fromhex(answer["stored"]["certificate"]))
    return certificate, ec.derive_private_key(int(answer["stored"]["key"], 16), ec.SECP256R1())


async def test_a_vehicle_without_a_contract_gets_one(josev: Josev, world: World, tmp_path: Path) -> None:
    vehicle = world.new_vehicle(tmp_path)
    exi = asks(josev, vehicle)
    request, provision = await world.answer(exi, Action.INSTALL)
    assert (request.pcid, request.warnings) == (PCID, ())
    # It names its root as Python shows a name, `<Name(DC=V2G,...)>`: nobody reads that, and nothing is refused for it.
    assert request.message.root_certificate_ids[0].issuer_name.startswith("<Name(")
    assert ["doesn't list the V2G root" in warning for warning in provision.warnings] == [True]
    assert write_message(request.message) == exi

    taken = takes(josev, vehicle, provision.exi)
    assert (taken["stopped"], taken["complaints"]) == (None, [])
    assert "PaymentDetails" in taken["next"]
    certificate, key = stored(taken)
    assert certificate == provision.certificate
    assert certificate.public_key() == key.public_key()
    certificate.verify_directly_issued_by(world.mo_issuing)


async def test_a_vehicle_whose_contract_ends_gets_the_next_one(josev: Josev, world: World, tmp_path: Path) -> None:
    vehicle = world.new_vehicle(tmp_path)
    _, first = await world.answer(asks(josev, vehicle), Action.INSTALL)
    certificate, key = stored(takes(josev, vehicle, first.exi))
    (v2g,) = certificates(world.pki / "v2g-roots.pem")
    vehicle = world.vehicle(tmp_path / "later", certificate, key, v2g)

    exi = asks_for_update(josev, vehicle, certificate, world)
    request, provision = await world.answer(exi, Action.UPDATE)
    assert (request.emaid, request.path[0]) == (EMAID, certificate)
    assert write_message(request.message) == exi

    taken = josev.do("take_update", folder=vehicle, session_id=SESSION, exi=provision.exi.hex())
    assert (taken["genuine"], taken["session_id"], taken["complaints"]) == (True, SESSION, [])
    renewed, new_key = stored(taken)
    assert (renewed, renewed.public_key()) == (provision.certificate, new_key.public_key())
    assert renewed.public_key() != certificate.public_key()


def asks_for_update(
    josev: Josev, vehicle: str, old: x509.Certificate, world: World, *, by_package: bool = False
) -> bytes:
    """Return the request to renew ``old``. What is signed EXIficient writes, unless the package is to do it."""
    body = {
        "Id": "id1",
        "ContractSignatureCertChain": {
            "Certificate": base64.b64encode(der(old)).decode(),
            "SubCertificates": {"Certificate": [base64.b64encode(der(world.mo_issuing)).decode()]},
        },
        "eMAID": EMAID,
        "ListOfRootCertificateIDs": {"RootCertificateID": [{"X509IssuerName": "CN=V2G", "X509SerialNumber": 1}]},
    }

    def signed_over(fragment: str | None) -> bytes:
        told = {"folder": vehicle, "session_id": SESSION, "body": body, "fragment": fragment}
        return bytes.fromhex(josev.do("ask_for_update", **told)["exi"])

    own = signed_over(None)
    if by_package:
        return own
    root = decode_document(own, Schema.ISO_2)
    (content,) = root.children[1].children
    return signed_over(josev.exificient_encode(xml_of(content), Schema.ISO_2, is_fragment=True).hex())


async def test_what_the_package_signs_of_an_update_isnt_the_request(josev: Josev, world: World, tmp_path: Path) -> None:
    """Its codec has no fragment of CertificateUpdateReq, and writes something else in its place."""
    vehicle = world.new_vehicle(tmp_path)
    _, first = await world.answer(asks(josev, vehicle), Action.INSTALL)
    certificate, key = stored(takes(josev, vehicle, first.exi))
    (v2g,) = certificates(world.pki / "v2g-roots.pem")
    vehicle = world.vehicle(tmp_path / "later", certificate, key, v2g)

    with pytest.raises(ProvisioningRefused) as refused:
        await world.answer(asks_for_update(josev, vehicle, certificate, world, by_package=True), Action.UPDATE)
    assert refused.value.refusal is Refusal.DIGEST_MISMATCH


def with_other_key(answer: CertificateInstallationRes) -> CertificateInstallationRes:
    return replace(answer, contract=replace(answer.contract, encrypted_private_key=bytes(48)))


def with_other_emaid(answer: CertificateInstallationRes) -> CertificateInstallationRes:
    return replace(answer, contract=replace(answer.contract, emaid="DE8EXC87654321A"))


def unsigned_by_cps(answer: CertificateInstallationRes) -> CertificateInstallationRes:
    assert answer.header.signature is not None
    value = bytes(63) + b"\1"
    return replace(answer, header=replace(answer.header, signature=replace(answer.header.signature, value=value)))


@pytest.mark.parametrize("change", [with_other_key, with_other_emaid, unsigned_by_cps])
async def test_the_vehicle_would_see_an_answer_that_was_changed(
    josev: Josev,
    world: World,
    tmp_path: Path,
    change: Callable[[CertificateInstallationRes], CertificateInstallationRes],
) -> None:
    vehicle = world.new_vehicle(tmp_path)
    _, provision = await world.answer(asks(josev, vehicle), Action.INSTALL)
    answer = read_message(provision.exi, Schema.ISO_2)
    assert isinstance(answer, CertificateInstallationRes)

    taken = takes(josev, vehicle, write_message(change(answer)))
    assert taken["stopped"] == REFUSED
    assert taken["stored"] == {}


async def test_the_vehicle_would_see_a_cps_of_another_root(josev: Josev, world: World, tmp_path: Path) -> None:
    vehicle = world.new_vehicle(tmp_path, v2g_pki(Schema.ISO_2, utc_now()).root)
    _, provision = await world.answer(asks(josev, vehicle), Action.INSTALL)
    assert "doesn't list the V2G root of the CPS" in provision.warnings[0]
    assert (
        takes(josev, vehicle, provision.exi)["stopped"] == "Signature verification of CertificateInstallationRes failed"
    )


async def test_an_answer_of_iso_15118_20(josev: Josev, tmp_path: Path) -> None:
    """Read by the package's codec; digest and signature over what EXIficient writes; the key fits the certificate."""
    schema, now = Schema.ISO_20, utc_now()
    v2g = v2g_pki(schema, now)
    issuer = issuer_of(schema, LocalAuthority(tmp_path, mo_hierarchy(schema, now)), now)
    provider = NativeProvider({schema: issuer}, {schema: file_cps(schema, v2g, now)})
    vehicle = Vehicle(schema, v2g.root)
    provision = await provider.provide(vehicle.asks(), contract(), remaining=2)

    answer = read_message(provision.exi, schema)
    assert isinstance(answer, CertificateInstallationRes20)
    assert answer.header.signature is not None
    read = josev.decode(provision.exi, schema)
    assert josev.encode(read, schema) == provision.exi
    assert read["CertificateInstallationRes"]["RemainingContractCertificateChains"] == 2

    root = decode_document(provision.exi, schema)
    parts = {
        element.name.local: xml_of(element) for element in (*root.children, *root.children[0].children[2].children)
    }
    (reference,) = answer.header.signature.signed_info.references
    signed = josev.exificient_encode(parts["SignedInstallationData"], schema, is_fragment=True)
    assert Suite.ISO_20.digest(signed) == reference.digest
    info = josev.exificient_encode(parts["SignedInfo"], Schema.XMLDSIG, is_fragment=True)
    value = answer.header.signature.value
    numbers = encode_dss_signature(int.from_bytes(value[:66]), int.from_bytes(value[66:]))
    key = v2g.leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(numbers, info, ec.ECDSA(Suite.ISO_20.hash_algorithm))
    check_signature(answer, key)

    data = answer.installation_data
    identifier = provision.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    sealed = Sealed(data.encrypted_private_key, data.dh_public_key)
    opened = open_20(sealed, vehicle.key, vehicle.pcid, identifier)
    assert opened.public_key() == provision.certificate.public_key()


async def test_a_request_of_iso_15118_20_that_is_signed_as_in_2(josev: Josev, world: World, tmp_path: Path) -> None:
    """The package signs both alike, with P-256 and SHA-256: it can be read, and has to be refused."""
    vehicle = world.new_vehicle(tmp_path)
    exi = bytes.fromhex(josev.do("ask_20", folder=vehicle, session_id=SESSION)["exi"])
    message = read_message(exi, Schema.ISO_20)
    assert isinstance(message, CertificateInstallationReq20)
    assert write_message(message) == exi

    with pytest.raises(ProvisioningRefused, match=r"ecdsa-sha256', ISO 15118-20 wants .*ecdsa-sha512") as refused:
        world.verifier.verify(exi, Schema.ISO_20, Action.INSTALL)
    assert refused.value.refusal is Refusal.SIGNATURE_PROFILE


def test_what_isnt_exi_is_the_packages_error(josev: Josev) -> None:
    with pytest.raises(JosevRaised, match="EOF"):
        josev.decode(b"\x80\x00", Schema.ISO_2)
