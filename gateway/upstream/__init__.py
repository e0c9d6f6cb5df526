"""The backend side: one WebSocket per station to its backend, and the journal of what the backend must still hear."""
