"""Level ``trade-ready``: a book that agrees with its account, nothing shut, and a decision that could be made now.

Everything is looked at in memory; a book that never began is looked at as it would begin.
"""

from typing import Final

from aitrader.domain.wording import counted
from aitrader.engine.decide import decide
from aitrader.errors import RefusedError
from aitrader.jobs.assembly.book import JOURNAL
from aitrader.jobs.assembly.desk import Current
from aitrader.jobs.assembly.orders import differences
from aitrader.jobs.assembly.trading import rules_of, strategies
from aitrader.jobs.checks.bench import Bench
from aitrader.jobs.checks.check import Check, Finding, failed, listed, passed, warned
from aitrader.journal.database import DatabaseJournal


def account(bench: Bench) -> Finding:
    """Open the account of the book, and bring it up to now."""
    book = bench.book
    told = book.broker.account()
    worth = f"{told.number} is worth {told.equity:,.2f} USD at {book.at:%Y-%m-%d %H:%M} UTC"
    if not (book.folder / JOURNAL).exists():
        return warned(f"{worth}; the book {book.name} begins with its first trade")
    return passed(f"{worth}, with {counted(len(book.broker.positions()), 'position')}")


def journal(bench: Bench) -> Finding:
    """Read every row of the journal again, with the seals between them."""
    book = bench.book
    path = book.folder / JOURNAL
    if not path.exists():
        return passed("it begins with the first trade")
    with DatabaseJournal.open(path, account=book.key) as kept:
        wrong = kept.check()
        rows = len(kept.events())
    if wrong:
        return failed(
            f"{counted(len(wrong), 'thing')} wrong", wrong, "Restore it, or run `aitrader reconcile --rebuild`."
        )
    return passed(f"{counted(rows, 'row')}, every one as it was written")


def agreement(bench: Bench) -> Finding:
    """Compare the book with its account, after everything that happened is booked in memory."""
    state, now, problem = bench.looked
    wrong = differences(state)
    if wrong or now is None:
        return failed(problem or counted(len(wrong), "difference"), wrong, "See `aitrader reconcile`.")
    return passed(f"cash and {counted(len(state.book.positions), 'position')} are the account's")


def latches(bench: Bench) -> Finding:
    """Look for latches that are shut, and for losses that would shut one."""
    shut = sorted(latch.value for latch in bench.book.latches | bench.looked[0].latches)
    if shut:
        return failed(
            f"{listed(shut)} is shut, or would be by the next trade",
            fix="Find out why (`aitrader status`), then `aitrader resume --account NUMBER`.",
        )
    return passed("nothing is shut")


def newest_bars(bench: Bench) -> Finding:
    """Ask whether the bars of the last closed session are there: of enough symbols, and of all that are held."""
    now = _now(bench)
    absent = now.market.refuse_stale(now.state.book.positions)
    found = f"{now.market.sessions[-1]} is the newest session, as it should be"
    return warned(found, absent) if absent else passed(found)


def window(bench: Bench) -> Finding:
    """Ask when the next orders may leave."""
    now = _now(bench)
    coming = now.diary.next_due(now.market.last)
    if coming.closes <= coming.opens:
        return failed(
            f"on {coming.session} the window closes before it opens",
            fix="Lower `schedule.no_orders_first_min` or `schedule.no_orders_last_min`.",
        )
    return passed(
        f"{', '.join(sorted(coming.due))} on {coming.session}, {coming.opens:%H:%M} to {coming.closes:%H:%M} UTC"
    )


def decision(bench: Bench) -> Finding:
    """Let the strategies decide on the newest bars, whether a decision is due or not."""
    now, config = _now(bench), bench.config
    chosen = strategies(config)
    market = now.market.informed(chosen, allow_rejected=False)
    limit = config.risk.max_model_sessions_old
    old = [f"{name}: {age} sessions" for name, age in market.ages.items() if age > limit]
    if old:
        return failed(f"a model older than {limit} sessions decides nothing", old, "Run `aitrader train`.")
    made = decide(
        market.snapshot(market.sessions[-1]), now.state.book, chosen, rules_of(config), models=market.versions
    )
    names = {symbol for weights in made.targets.values() for symbol, weight in weights.items() if weight}
    orders = counted(len(made.orders), "order")
    return passed(f"{counted(len(names), 'symbol')} wanted after {made.session}, {orders} to get there")


def _now(bench: Bench) -> Current:
    _, now, problem = bench.looked
    if now is None:
        raise RefusedError(problem, fix="See `aitrader reconcile`.")
    return now


CHECKS: Final = (
    Check("account", "Is the account there?", account, needs=("bars",)),
    Check("journal", "Is the journal sound?", journal, needs=("account",)),
    Check("agreement", "Do book and account agree?", agreement, needs=("account", "journal")),
    Check("latches", "Is nothing shut?", latches, needs=("account", "journal")),
    Check("newest-bars", "Are the newest bars there?", newest_bars, needs=("account", "agreement")),
    Check("window", "When do orders leave?", window, needs=("account", "agreement")),
    Check("decision", "Can a decision be made?", decision, needs=("account", "agreement", "newest-bars")),
)
