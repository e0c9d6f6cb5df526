"""`voltgate firmware ...`: which firmware may be installed."""

import asyncio
import base64
import binascii
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import structlog
import typer
from rich.console import Console

from gateway.app.problems import StartFailed
from gateway.cli import firmware_campaigns, firmware_sign, firmware_updates
from gateway.cli.on_records import who
from gateway.cli.output import (
    DEFAULT_CONFIG,
    NUMBER_MAX,
    ConfigOption,
    Failed,
    JsonOption,
    load_config,
    print_fields,
    print_json,
    print_table,
    tell_of_more,
)
from gateway.config import Config

if TYPE_CHECKING:
    from gateway.app.firmware import FirmwareImage, FirmwareParts

T = TypeVar("T")

LIMIT: Final = 1000
"""Images that are listed, where no number is asked for."""
SIGNATURE_FILE_MAX: Final = 65_536
"""Bytes of a file with a signature, or with a signing certificate."""
SIGNATURE_MAX: Final = 800
"""Characters of a signature in base64; what is longer is the name of a file, or nothing."""

app = typer.Typer(
    help="Firmware of stations: nothing is installed that its manufacturer didn't sign.", no_args_is_help=True
)
app.command("sign")(firmware_sign.sign)
app.command("update")(firmware_updates.update)
app.command("updates")(firmware_updates.updates)
app.command("cancel")(firmware_updates.cancel)
app.add_typer(firmware_campaigns.app, name="campaign")

ImageId = Annotated[int, typer.Argument(metavar="IMAGE", help="The image's number.", min=1, max=NUMBER_MAX)]


@app.command()
def add(  # noqa: PLR0913, PLR0917 - one for each option, as typer reads them
    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="The image, or where it is fetched from.")],
    manufacturer: Annotated[
        str, typer.Option("--manufacturer", "--vendor", help="A key of firmware.manufacturers, or a vendor's name.")
    ],
    version: Annotated[str, typer.Option(help="As the station's BootNotification will have it.")],
    signature: Annotated[
        str | None, typer.Option(help="File with the signature (binary or base64), or the base64 itself.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="File with the signing certificate, PEM.")] = None,
    model: Annotated[str | None, typer.Option(help="Only for stations of this model.")] = None,
    location: Annotated[
        str | None, typer.Option(help="For a FILE: the URL by which backends order it.", show_default=False)
    ] = None,
    signed_at: Annotated[
        str | None, typer.Option(help="When it was signed, ISO 8601; counts for validity: signing.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Add an image to the catalogue and verify it. What is refused stays there, with the reason."""
    is_url = "://" in source
    if is_url and location is not None:
        raise typer.BadParameter("is for a FILE; a URL is its own location", param_hint="--location")
    signing_certificate = None if certificate is None else _text_of(certificate)
    signed = None if signature is None else _signature(signature)

    async def work(firmware: "FirmwareParts") -> "FirmwareImage":
        from gateway.app.firmware import NewImage  # noqa: PLC0415 - the store is open by now

        new = NewImage(
            manufacturer=firmware.manufacturers.of_vendor(manufacturer) or manufacturer,
            version=version,
            model=model,
            location=source if is_url else location,
            signature=signed,
            signing_certificate=signing_certificate,
            signed_at=_moment(signed_at),
        )
        with _progress(hidden=as_json) as progress:
            return await firmware.catalogue.add(new, who(), None if is_url else Path(source), progress)

    _tell(_on_firmware(load_config(config), work), as_json=as_json)


@app.command("list")
def list_images(
    state: Annotated[str | None, typer.Option(help="Only those that are quarantined, verified, ...")] = None,
    manufacturer: Annotated[str | None, typer.Option(help="Only this one's.")] = None,
    after: Annotated[int, typer.Option(help="Only those behind this id: the next page.", min=0, max=NUMBER_MAX)] = 0,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=NUMBER_MAX)] = LIMIT,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the catalogue, in the order in which images were added."""

    async def work(firmware: "FirmwareParts") -> list[dict[str, Any]]:
        from gateway.app.firmware import ImageState, image_shown  # noqa: PLC0415 - the store is open by now

        try:
            wanted = None if state is None else ImageState(state)
        except ValueError:
            known = ", ".join(each.value for each in ImageState)
            raise typer.BadParameter(f"must be one of {known}", param_hint="--state") from None
        found = await firmware.catalogue.list(state=wanted, manufacturer=manufacturer, after_id=after, limit=limit)
        return [image_shown(each) for each in found]

    shown = _on_firmware(load_config(config), work)
    if as_json:
        print_json(shown)
        return
    columns = ("id", "manufacturer", "model", "version", "state", "reason", "size", "sha256")
    print_table(columns, ([each[key] for key in columns] for each in shown))
    tell_of_more(shown, limit)


@app.command()
def show(image: ImageId, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show one image, with its signature and signing certificate."""

    async def work(firmware: "FirmwareParts") -> dict[str, Any]:
        from gateway.app.firmware import image_shown  # noqa: PLC0415 - the store is open by now

        found = await firmware.catalogue.find(image)
        if found is None:
            raise Failed(f"there is no firmware image {image}")
        return image_shown(found, whole=True)

    shown = _on_firmware(load_config(config), work)
    if as_json:
        print_json(shown)
    else:
        print_fields(shown)


@app.command()
def verify(
    image: ImageId,
    signature: Annotated[
        str | None, typer.Option(help="For one that has none: file (binary or base64), or the base64 itself.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="File with the signing certificate, PEM.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Look at an image again: octets, signature, certificate, revocation; fetch it where it isn't here."""
    if (signature is None) != (certificate is None):
        raise typer.BadParameter("signature and certificate come together", param_hint="--signature")
    signed = None if signature is None or certificate is None else (_signature(signature), _text_of(certificate))

    async def work(firmware: "FirmwareParts") -> "FirmwareImage":
        if signed is not None:
            await firmware.catalogue.sign(image, *signed, who())
        with _progress(hidden=as_json) as progress:
            return await firmware.catalogue.verify(image, who(), progress=progress)

    _tell(_on_firmware(load_config(config), work), as_json=as_json)


@app.command()
def withdraw(
    image: ImageId,
    reason: Annotated[str, typer.Option(help="Why, for those who come after.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Serve an image no more, and let no order bring it back."""

    async def work(firmware: "FirmwareParts") -> "FirmwareImage":
        return await firmware.catalogue.withdraw(image, reason, who())

    withdrawn = _on_firmware(load_config(config), work)
    if as_json:
        _print_image(withdrawn)
    else:
        typer.echo(f"image {image} is withdrawn: {withdrawn.reason}")


@app.command()
def remove(image: ImageId, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Forget an image and delete its file. One that was withdrawn may come back then."""

    async def work(firmware: "FirmwareParts") -> None:
        await firmware.catalogue.remove(image)

    _on_firmware(load_config(config), work)
    if as_json:
        print_json({"id": image, "removed": True})
    else:
        typer.echo(f"image {image} is removed")


def _on_firmware(config: Config, work: "Callable[[FirmwareParts], Awaitable[T]]") -> T:
    """Run ``work`` on the catalogue beside a gateway that may be running. Raises :class:`Failed`."""
    from gateway.app.firmware import FirmwareConflict, FirmwareInvalid, FirmwareRefused, firmware_beside  # noqa: PLC0415 - the store: half of the start

    structlog.configure(
        logger_factory=structlog.ReturnLoggerFactory()
    )  # what it would log, the image's reason says, too

    async def run() -> T:
        async with firmware_beside(config) as opened:
            return await work(opened)

    try:
        return asyncio.run(run())
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None
    except (FirmwareConflict, FirmwareInvalid, FirmwareRefused, LookupError, StartFailed) as error:
        raise Failed(str(error)) from None


def _tell(image: "FirmwareImage", *, as_json: bool) -> None:
    """Print what came of an image. Raises :class:`Failed` where it isn't verified."""
    if as_json:
        _print_image(image)
    elif image.refusal is None:
        typer.echo(f"image {image.id} is verified: SHA-256 {image.sha256}, signed by {image.signer}")
    if image.refusal is not None:
        raise Failed(f"image {image.id} is {image.state.value} ({image.refusal}): {image.reason}")


def _print_image(image: "FirmwareImage") -> None:
    from gateway.app.firmware import image_shown  # noqa: PLC0415 - the store was open

    print_json(image_shown(image))


@contextmanager
def _progress(*, hidden: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Show on stderr how much of an image is here, if that is a terminal."""
    from rich.progress import (  # noqa: PLC0415 - not at each start
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=hidden or not sys.stderr.isatty()) as bar:
        task = bar.add_task("image", total=None)
        yield lambda here, total: bar.update(task, completed=here, total=total)


def _signature(given: str) -> str:
    """Return base64, whether that, its file or the file of the bare signature was named. Raises :class:`Failed`."""
    path = Path(given)
    if not path.is_file():
        if len(given) <= SIGNATURE_MAX and _is_base64(given):
            return given
        raise Failed(f"--signature: {given[:60]!a} is neither a file nor base64")
    content = _read(path)
    text = "".join(content.decode("ascii", "replace").split())
    return text if text and _is_base64(text) else base64.b64encode(content).decode()


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _text_of(path: Path) -> str:
    """Raises :class:`Failed`."""
    try:
        return _read(path).decode("ascii")
    except UnicodeDecodeError:
        raise Failed(f"{path}: isn't PEM") from None


def _read(path: Path) -> bytes:
    """Raises :class:`Failed`."""
    try:
        with path.open("rb") as file:
            content = file.read(SIGNATURE_FILE_MAX + 1)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
    if len(content) > SIGNATURE_FILE_MAX:
        raise Failed(f"{path}: has more than {SIGNATURE_FILE_MAX} bytes")
    return content


def _moment(text: str | None) -> Any:
    """Raises :class:`Failed`."""
    from gateway.app.firmware import read_moment  # noqa: PLC0415 - the store is open by now

    try:
        return None if text is None else read_moment(text)
    except ValueError as error:
        raise Failed(f"--signed-at: {error}") from None
