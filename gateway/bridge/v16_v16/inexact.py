"""Where messages of a 1.6 station don't just pass, by the topic under which the log says so once per station."""

from typing import Final

INEXACT: Final = {
    "foreign-transaction": "MeterValues and StopTransaction of a transaction that the station didn't open through "
    "Voltgate are set aside for a person.",
    "never-stopped": "A transaction that is never stopped is given up when a hundred others began after it.",
    "refused-start": "A transaction that began while the station spoke 2.0.1 can't be stopped when it is refused late.",
    "status-refused": "A StatusNotification that the backend refuses is not repeated.",
    "stopped-twice": "A transaction is stopped twice with different registers: the backend hears both.",
}
"""Topic -> what becomes of it."""
