"""What a policy says in vain, or otherwise than its author can have meant: for ``voltgate policy check``."""

from policies.lint.names import Names
from policies.lint.review import lint

__all__ = ["Names", "lint"]
