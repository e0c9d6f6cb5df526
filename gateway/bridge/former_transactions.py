"""What a station says late of a transaction that ended at the backend which it had before (docs/backends.md)."""

from gateway.bridge.books import Json
from gateway.bridge.ports import Ledger, Note


async def set_former_aside(ledger: Ledger, note: Note, action: str, payload: Json, name: object) -> Json:
    """Keep it for a person and return the station's answer: the backend of now never heard of transaction ``name``.

    It may even know it as another station's (attack A7). Raises what the ledger raises: the station must not be
    answered.
    """
    reason = f"transaction {name} ended at the backend that this station had before"
    await ledger.set_aside(action, payload, reason)
    note("former-transaction", f"{reason}: what it says of it now is set aside for a person")
    return {}
