"""`voltgate firmware sign`: the operator signs an image himself. It needs no configuration of the gateway.

On purpose: the gateway's own login may not use the key that signs what stations install.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer

from gateway.cli.output import Failed, JsonOption, print_fields, print_json
from gateway.cli.pki_plan import checked_address, vault_token
from pki.firmware import ImageDigest, Signed
from pki.firmware.digest import digest_file
from pki.firmware.signing import FileSigner, FirmwareSigner, SigningCertificate, SigningFailed
from pki.pem_files import PUBLIC_MODE, read_secret, write_file
from pki.vault.bootstrap_plan import FIRMWARE_KEY, FIRMWARE_MOUNT, checked_mount

PEM_SIZE_MAX: Final = 100_000
"""Bytes of a certificate's or a key's file."""
SUFFIX: Final = ".sig"

_VAULT: Final = "The key in Vault or OpenBao"

Image = Annotated[Path, typer.Argument(help="The image, as stations are to load it.", show_default=False)]
Certificate = Annotated[Path, typer.Option(help="PEM: the signing certificate; its CAs may follow.")]
Key = Annotated[
    Path | None, typer.Option(help="For development: its private key in PEM, mode 0600, instead of one in Vault.")
]
Out = Annotated[Path | None, typer.Option(help="Where the signature is written, base64; default: FILE.sig.")]
Address = Annotated[
    str | None, typer.Option(envvar=["BAO_ADDR", "VAULT_ADDR"], help="Its URL.", rich_help_panel=_VAULT)
]
CaCert = Annotated[
    Path | None,
    typer.Option(
        envvar=["BAO_CACERT", "VAULT_CACERT"],
        help="The only roots that may have signed its certificate.",
        rich_help_panel=_VAULT,
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(envvar=["BAO_NAMESPACE", "VAULT_NAMESPACE"], help="The key's namespace.", rich_help_panel=_VAULT),
]
Mount = Annotated[str, typer.Option(help="The transit engine.", rich_help_panel=_VAULT)]
Name = Annotated[str, typer.Option(help="The key's name in it.", rich_help_panel=_VAULT)]


@dataclass(frozen=True, slots=True)
class _Vault:
    """Where the key is."""

    address: str | None
    cacert: Path | None
    namespace: str | None
    mount: str
    name: str


def sign(  # noqa: PLR0913, PLR0917 - one for each option, as typer reads them
    file: Image,
    certificate: Certificate,
    key: Key = None,
    out: Out = None,
    address: Address = None,
    cacert: CaCert = None,
    namespace: Namespace = None,
    mount: Mount = FIRMWARE_MOUNT,
    name: Name = FIRMWARE_KEY,
    as_json: JsonOption = False,
) -> None:
    """Sign an image with a key in Vault's transit engine; what comes back is verified before it is written.

    Vault is given the image's SHA-256 alone, with your token (VAULT_TOKEN, or what `vault login` has left).
    """
    target = file.with_name(file.name + SUFFIX) if out is None else out
    vault = _Vault(address, cacert, namespace or None, mount, name)
    try:
        signing = SigningCertificate(_read(certificate).decode("ascii", "replace"))
        digest, signed = asyncio.run(_signed(file, signing, key, vault))
        write_file(target, f"{signed.signature}\n".encode(), PUBLIC_MODE)
    except SigningFailed as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"{target} can't be written: {error.strerror}; name another file: --out") from None
    shown = _shown(digest, signed, signing, target)
    if as_json:
        print_json(shown)
    else:
        print_fields({each: shown[each] for each in ("signature", "sha256", "algorithm", "signer", "written")})


async def _signed(
    file: Path, certificate: SigningCertificate, key: Path | None, vault: _Vault
) -> tuple[ImageDigest, Signed]:
    """Raises SigningFailed, Failed, typer.BadParameter."""
    if key is not None:
        return await _by(FileSigner(certificate, _read(key, is_secret=True)), file)
    return await _in_vault(vault, certificate, file)


async def _in_vault(vault: _Vault, certificate: SigningCertificate, file: Path) -> tuple[ImageDigest, Signed]:
    from pki.client_tls import TlsTrust  # noqa: PLC0415  # what speaks to Vault takes 0.4 s to load
    from pki.firmware.transit import TransitSigner  # noqa: PLC0415  # as above
    from pki.vault.connection import VaultConnection  # noqa: PLC0415  # as above
    from pki.vault.logins import TokenLogin  # noqa: PLC0415  # as above

    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # what it would log, its errors say, too
    if vault.address is None:
        raise typer.BadParameter("name the Vault that has the key, --address (VAULT_ADDR), or a --key")
    try:
        checked_mount(vault.mount)
        checked_mount(vault.name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    address, token = checked_address(vault.address, vault.cacert), vault_token()
    login, trust = TokenLogin(lambda: token), TlsTrust(vault.cacert)
    connection = VaultConnection([address], login, trust=trust, namespace=vault.namespace)
    try:
        return await _by(TransitSigner(connection, certificate, mount=vault.mount, key=vault.name), file)
    finally:
        await connection.close()


async def _by(signer: FirmwareSigner, file: Path) -> tuple[ImageDigest, Signed]:
    try:
        digest = await asyncio.to_thread(digest_file, file, md5=False)
    except OSError as error:
        raise Failed(f"{file} can't be read: {error.strerror}") from None
    if not digest.size:
        raise Failed(f"{file} is empty; name the image")
    return digest, await signer.sign(digest)


def _shown(digest: ImageDigest, signed: Signed, certificate: SigningCertificate, target: Path) -> dict[str, Any]:
    return {
        "sha256": digest.sha256.hex(),
        "size": digest.size,
        "algorithm": certificate.algorithm.value,
        "signer": certificate.subject,
        "signature": signed.signature,
        "signing_certificate": signed.signing_certificate,
        "written": str(target),
    }


def _read(file: Path, *, is_secret: bool = False) -> bytes:
    """Read a small file. Raises Failed."""
    try:
        if file.stat().st_size > PEM_SIZE_MAX:
            raise Failed(f"{file} is larger than {PEM_SIZE_MAX} bytes; it can't be PEM of one certificate or key")
        return read_secret(file) if is_secret else file.read_bytes()
    except OSError as error:
        raise Failed(f"{file} can't be read: {error.strerror}") from None
    except ValueError as error:  # KeyExposed
        raise Failed(str(error)) from None
