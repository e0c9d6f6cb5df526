"""The Open Plug&Charge Protocol (OPCP 1.0.0): a provider of contracts asked over HTTPS, seen from an operator's CSMS.

``provider.OpcpProvider`` forwards a vehicle's request to a contract certificate pool and takes its answer;
``signing.NativeWithOpcpCps`` issues itself and has a certificate provisioning service sign under the V2G root.
Nothing that comes back reaches a vehicle unchecked.
"""
