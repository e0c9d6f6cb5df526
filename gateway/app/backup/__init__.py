"""Backup and restoring of a deployment with the embedded store and the embedded CAs."""
