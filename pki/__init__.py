"""X.509 work for charging: reviewing requests, issuing, checking what was issued and what is presented.

A library on its own: it knows nothing of the gateway or of OCPP sessions.
"""
