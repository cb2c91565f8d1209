"""Kills itself at every call of the database while it works on a paper account; says what each kill left behind.

Run as ``python crashing.py FOLDER``. Prints one JSON line per deed: the number of kills, and how many of them left the
account as it was before, as it is after, or otherwise; and whether doing it again led to the same end each time. To
begin an account takes many calls: every third of them is tried.
"""

import json
import os
import shutil
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from aitrader.brokers.account_file import PaperAccount
from aitrader.brokers.venue import SessionBars, VenueSession
from aitrader.config.schema import AccountSettings, Costs, Risk
from aitrader.domain.events import ActionBooked
from aitrader.domain.orders import Entry, Order, Side
from aitrader.domain.positions import Book
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review

OPENED = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
FILES = ("paper.sqlite", "paper.sqlite-wal", "paper.sqlite-shm")


class Venue:
    def sessions(self, after, now):
        for day in range(3):
            opened = OPENED + timedelta(days=day)
            if opened <= now and (after is None or opened.date() > after):
                columns = dict.fromkeys(("open", "high", "low", "close", "vwap"), np.full(2, 20.0))
                closes = opened + timedelta(hours=6.5)
                bars = SessionBars(opened.date(), opened, closes, {"A": 0, "B": 1}, **columns, volume20=np.full(2, 1e6))
                actions = [ActionBooked(opened, "A", "dividend", 0.5)] if day else []
                yield VenueSession(bars, actions, closed=closes <= now)


def opened(path):
    return PaperAccount.open(
        path, AccountSettings(), number="SIM-main", costs=Costs(), now=OPENED, replay=True, create=True
    )


def approved(name, symbol, entry):
    order = Order(name, symbol, Side.BUY, Decimal(100), Decimal(20), "top5", "d1", entry)
    book = Book(Decimal(1_000_000))
    context = RiskContext(Decimal(1_000_000), book, {symbol: Decimal(20)}, {symbol: 1e9}, {symbol: 0}, {symbol})
    return review([order], context, Risk()).approved[0]


def advance(account):
    account.advance(Venue(), OPENED + timedelta(days=2, hours=1))


def submit(account):
    account.submit(approved("late", "A", Entry.AFTER_OPEN))


def cancel(account):
    account.cancel("waits")


def begun(path):
    with opened(path) as account:
        account.advance(Venue(), OPENED + timedelta(hours=1))
        account.submit(approved("first", "A", Entry.AFTER_OPEN))
        account.submit(approved("waits", "B", Entry.CLOSE_AUCTION))


def state(path):
    with opened(path) as account:
        return repr((account.at, account.account(), account.positions(), account.orders(), account.fills()))


def begin(account):
    """Begin an account; there is nothing more to do."""


def kill_at(number):
    """Kill this process at its ``number``-th call of the database, or return from it."""
    left = number

    def watch(frame, event, function):
        nonlocal left
        if event in {"c_call", "c_return"} and function.__name__ in {"execute", "commit"}:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def child(path, deed, number):
    """Do ``deed`` in a process of its own that dies on the way; return whether it did."""
    pid = os.fork()
    if pid == 0:
        if deed is begin:
            kill_at(number)
        with opened(path) as account:
            if deed is not begin:
                kill_at(number)
            deed(account)
        os._exit(0)
    return os.waitpid(pid, 0)[1] != 0


def copy(source, target):
    target.mkdir(exist_ok=True)
    for name in FILES:
        (target / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def killed(folder, deed):
    fresh = deed is begin
    base, work = folder / "base", folder / "work"
    base.mkdir(exist_ok=True)
    if not (fresh or (base / FILES[0]).exists()):
        begun(base / FILES[0])
    done = folder / "done"
    copy(folder / "nothing" if fresh else base, work)
    before = None if fresh else state(work / FILES[0])
    with opened(work / FILES[0]) as account:
        deed(account)
    copy(work, done)
    after, number = state(work / FILES[0]), 0
    found = {"deed": deed.__name__, "kills": 0, "before": 0, "after": 0, "otherwise": 0, "same_end": True}
    while True:
        copy(folder / "nothing" if fresh else base, work)
        if not child(work / FILES[0], deed, number):
            return found
        left = state(work / FILES[0])
        found["kills"] += 1
        found["before" if left == before else "after" if left == after else "otherwise"] += 1
        with opened(work / FILES[0]) as account:
            deed(account)
        found["same_end"] &= state(work / FILES[0]) == after
        number += 3 if fresh else 1


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for deed in (begin, advance, submit, cancel):
        sys.stdout.write(json.dumps(killed(folder, deed)) + "\n")
