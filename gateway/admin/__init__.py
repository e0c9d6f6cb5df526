"""REST API, health and metrics."""
