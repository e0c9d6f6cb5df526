"""Why the gateway doesn't start."""


class StartFailed(Exception):
    """One clear line: what is wrong, where, and what to do."""
