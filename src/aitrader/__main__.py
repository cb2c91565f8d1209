"""The console script."""

import io
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="backslashreplace")  # cron's locale may not know a letter of a table
    from aitrader.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
