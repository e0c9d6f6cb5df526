"""The policy engine and the bundled policies. Imports neither ``gateway`` nor ``pki``."""
