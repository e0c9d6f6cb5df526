"""The security log of a command: its events are kept when it ends."""

from gateway.session.security import EventRow, SecurityEvent


class Noted:
    """Fulfils :class:`gateway.session.security.SecurityLog`."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []

    def note(self, event: SecurityEvent) -> None:
        """Keep it for the end."""
        self.rows.append(EventRow(event))
