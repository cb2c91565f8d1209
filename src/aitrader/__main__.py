"""The console script: sends ``emergency-shutdown`` its short way, everything else to the command line."""

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
    arguments = sys.argv[1:]
    if "emergency-shutdown" in arguments and "_AITRADER_COMPLETE" not in os.environ:
        from aitrader.live.kill_switch import main as kill_switch

        sys.exit(kill_switch(arguments, _command_line, env=os.environ))
    sys.exit(_command_line(arguments))


def _command_line(arguments: list[str]) -> int:
    """Run ``arguments`` through the installed command line."""
    # One fit for each processor is all the parallelism there is: threads of BLAS below them double the processor time,
    # and the last bits of a model would depend on how many there are. It reads this when NumPy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from aitrader.cli.app import main as run
    from aitrader.disk.kernel_cache import use_kernel_cache

    use_kernel_cache(os.environ)
    return run(arguments)


def _stopped_early(number: int, frame: FrameType | None) -> None:
    """Leave in two lines while the program is still loading; a command listens by itself once it runs."""
    del frame
    name = signal.Signals(number).name
    with suppress(OSError):
        os.write(2, f"error: Stopped by {name}.\nfix: Run the command again; finished work is kept.\n".encode())
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
