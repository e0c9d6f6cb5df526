"""`voltgate demo`: a 2.0.1 station charges through Voltgate on a 1.6 backend. Three processes, real sockets, real TLS.

It looks at the gateway from outside, as a customer does: commands, API, sockets.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


async def run(
    *,
    keep: bool,
    console: "Console",
    backend_options: Sequence[str] = (),
    plug_and_charge: bool = False,
    firmware: bool = False,
) -> bool:
    """Play the demo on ``console``. True: every step happened and ledger and meter agree to the Wh.

    With ``plug_and_charge`` a vehicle pays, with a contract certificate that it gets first, not a card; with
    ``firmware``, in its place, the station is updated first. ``keep`` leaves everything running until SIGINT or
    SIGTERM, and the folder afterwards. Must run in the main thread.
    """
    # Here: `voltgate` imports this package for each of its commands.
    from gateway.demo.contract_story import ContractStory  # noqa: PLC0415  # see above
    from gateway.demo.director import Director  # noqa: PLC0415  # see above
    from gateway.demo.firmware_story import FirmwareStory  # noqa: PLC0415  # see above

    tale = ContractStory if plug_and_charge else FirmwareStory if firmware else None
    return await Director(console, keep=keep, backend_options=backend_options, tale=tale).run()
