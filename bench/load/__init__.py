"""The load generator of the messages, a process of its own: ``python -m bench.load`` (`__main__.py`)."""
