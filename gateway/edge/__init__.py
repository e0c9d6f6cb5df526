"""The station side: listeners, TLS contexts, who may enter."""
