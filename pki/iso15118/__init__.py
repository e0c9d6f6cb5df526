"""ISO 15118 contract certificates: EXI messages, their signatures, and what a provider puts into an answer.

Plug & Charge of ISO 15118-2 and -20, seen from the CSMS (OCPP 2.0.1 M01, M02, C07): a vehicle's request comes as EXI,
its signature leads to the manufacturer's roots, and the answer carries a contract certificate with its private key,
encrypted to the vehicle, signed by a certificate provisioning service (CPS).
"""
