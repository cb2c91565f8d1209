"""The console script."""

import io
import os
import signal
import sys
from contextlib import suppress
from types import FrameType


def main() -> None:
    """Run the command line and leave with its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and `&` asked for that
            signal.signal(number, _stopped_early)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="backslashreplace")  # cron's locale may not know a letter of a table
    from aitrader.cli.app import main as run

    sys.exit(run())


def _stopped_early(number: int, frame: FrameType | None) -> None:
    """Leave in two lines while the program is still loading; a command listens by itself once it runs."""
    del frame
    name = signal.Signals(number).name
    with suppress(OSError):
        os.write(2, f"error: Stopped by {name}.\nfix: Run the command again; finished work is kept.\n".encode())
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
