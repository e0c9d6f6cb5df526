"""Run every measurement and print one line each: ``python -m bench``."""

from bench import road

if __name__ == "__main__":
    road.main()
