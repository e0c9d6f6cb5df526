"""Data, no code: certificate profiles (``profiles/*.yaml``). ``dev/`` is a development PKI, made locally."""
