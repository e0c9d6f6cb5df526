"""The tests that a rule makes of fields: one module for each family of them, compiled once, at load.

A test is checked against the type of the field that it is for: what can't fit is refused, with the place in the rule.
"""

from policies.matchers.field_checks import FieldCheck, compile_field
from policies.matchers.specs import compile_tests

__all__ = ["FieldCheck", "compile_field", "compile_tests"]
