"""Conditions in CEL, from their text to a program with the few values that it names.

``lexer`` and ``syntax`` read the text, ``shapes`` knows what the official schemas say of a field, ``binding`` replaces
each ``payload.a.b`` by one value, ``reading`` fetches these values, ``cost`` measures. The evaluation itself is
common-expression-language's.
"""
