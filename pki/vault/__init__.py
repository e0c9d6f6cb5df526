"""A connection to HashiCorp Vault or OpenBao: its nodes, its logins, what may be repeated and what may not.

``connection.VaultConnection`` is what to use; hvac's API classes speak through it. Nothing in here knows what a
certificate is, and nothing blocks the event loop.
"""
