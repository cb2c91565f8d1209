"""The console script."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from aitrader.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
