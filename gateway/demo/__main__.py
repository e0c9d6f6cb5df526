"""``python -m gateway.demo``: the demo with the options of its tests."""

import argparse
import asyncio
import sys

from rich.console import Console

from gateway.demo import run


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo")
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument("--lose-wh", type=int, default=0, help="Wh that the backend books short: the demo has to fail")
    arguments = parser.parse_args()
    options = ("--lose-wh", str(arguments.lose_wh))
    return 0 if asyncio.run(run(keep=arguments.keep, console=Console(), backend_options=options)) else 1


if __name__ == "__main__":
    sys.exit(main())
