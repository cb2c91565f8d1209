"""`aitrader status`: whether every book is well."""

from typing import TYPE_CHECKING, Any

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.cli.tables import usd

if TYPE_CHECKING:
    from aitrader.jobs.status import BookStatus, LastRun


@command
def status(run: Run) -> Outcome:
    """Say whether every book is well; the check for a monitor.

    Exit code 0 only if every book (with --book: that one) has the newest bars, agrees with its account, is not halted,
    and its last `trade` succeeded or was skipped with a reason; 5 where a book does not agree or cannot be compared,
    4 otherwise. What is wrong stands on stderr, each thing once; --json has all of it. Nothing is written.
    """
    from aitrader.jobs.status import status as job

    report = job(run.config, run.root, run.visit, book=run.common.book)
    return Outcome(
        report,
        [_shown(one) for one in report.books],
        report.warnings,
        status="done" if report.well else "refused" if report.reconciled else "failed",
        exit_code=report.exit_code,
    )


def _shown(one: "BookStatus") -> Any:
    good, bad = "bold green", "bold red"
    rows: list[tuple[str, Any]] = [("", colored("well", good) if one.well else colored("not well", bad))]
    if one.at is not None and one.equity is not None and one.cash is not None:
        rows += [
            ("time of the book", f"{one.at:%Y-%m-%d %H:%M} UTC"),
            ("last session met", one.session),
            ("newest bars", one.bars),
            ("equity, USD", usd(one.equity)),
            ("cash, USD", usd(one.cash)),
            ("positions", str(one.positions)),
            ("open orders", str(one.open_orders)),
            ("account agrees", colored("yes", good) if one.reconciled else colored("no", bad)),
            ("latches", colored(", ".join(one.latches), bad) if one.latches else "none"),
            ("last trade", _last(one.last_trade)),
            (
                "next decision",
                f"enters on {one.next_session} from {one.next_opens:%H:%M} UTC" if one.next_opens else None,
            ),
        ]
    return table(f"Book {one.book} {f'({one.account})' if one.account else ''}", ("", ""), rows)


def _last(last: "LastRun | None") -> str:
    if last is None:
        return "never"
    ended = f"{last.at:%Y-%m-%d %H:%M} UTC, {last.status}"
    return f"{ended}: {last.reason}" if last.reason and last.exit_code == 0 else ended  # else it is a warning
