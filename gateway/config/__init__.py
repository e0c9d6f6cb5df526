"""The configuration: one YAML file, one frozen typed tree, references to secrets. It knows nothing of the gateway."""

from gateway.config.source import ConfigError
from gateway.config.tree import (
    DEFAULT_OPERATOR,
    Backend,
    BasicAuth,
    Config,
    Listener,
    ListenerTls,
    load,
)

__all__ = ["DEFAULT_OPERATOR", "Backend", "BasicAuth", "Config", "ConfigError", "Listener", "ListenerTls", "load"]
