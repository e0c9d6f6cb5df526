"""One connected station: boot gate, message pipeline, ownership and takeover."""
