"""``aitrader emergency-shutdown`` on simulated accounts, from the first word to the exit code."""

import fcntl
import io
import json
import os
import shutil
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from aitrader.brokers.account_file import PaperAccount
from aitrader.cli import app
from aitrader.config.load import load
from aitrader.config.schema import AccountSettings, Costs, Risk
from aitrader.domain.clock import fixed_clock, wall_clock
from aitrader.domain.events import (
    BookValued,
    FillBooked,
    Latch,
    Latched,
    OrderRefused,
    OrderSending,
    Reconciled,
    RunEnded,
)
from aitrader.domain.orders import Accepted, Entry, Order, Side
from aitrader.domain.positions import Book
from aitrader.engine.order_desk import send
from aitrader.engine.state import State
from aitrader.jobs.assembly.book import Visit, open_book
from aitrader.jobs.assembly.desk import desk_of
from aitrader.jobs.emergency_shutdown import Asked, emergency_shutdown
from aitrader.journal.database import DatabaseJournal
from aitrader.live import kill_switch
from aitrader.live.emergency_words import HELP
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review

TRADE = ("trade", "--allow-rejected", "--now", "2013-08-08T09:36-04:00")
EVENING = "2013-08-08T18:00-04:00"
MORNING = "2013-08-09T10:00-04:00"
QUEUED = "not flat: 3 queued for 2013-08-09 13:30 UTC"
SAID = "is simulated"
AFTER = Entry.AFTER_OPEN


class Terminal(io.StringIO):
    """Somebody at a terminal who types."""

    def isatty(self):
        return True


@pytest.fixture(scope="module")
def traded_once(trained_once, tmp_path_factory):
    """A root whose book holds three symbols since the open of 2013-08-08."""
    folder = Path(shutil.copytree(trained_once, tmp_path_factory.mktemp("traded") / "root"))
    (folder / "config" / "risk.yaml").write_text("max_position: 40%\nmax_order_equity_share: 40%\n")
    assert app.main([*TRADE, "--root", str(folder)]) == 0
    return folder


@pytest.fixture
def traded(traded_once, tmp_path):
    return Path(shutil.copytree(traded_once, tmp_path / "traded"))


@pytest.fixture
def shutdown(traded, capsys, monkeypatch):
    """Run ``emergency-shutdown --yes --json`` as the console script does; return what the shell saw."""
    monkeypatch.chdir(traded)

    def run(now=EVENING, *words, yes=True):
        capsys.readouterr()
        given = ["emergency-shutdown", "--json", *(("--yes",) if yes else ()), *words]
        given += ["--now", now] if now else []
        code = kill_switch.main(given, app.main, env=os.environ)
        captured = capsys.readouterr()
        return code, json.loads(captured.out), captured.err

    return run


@pytest.fixture
def stored_state(traded, files_in):
    """Return the files of all books but what the database makes anew whenever it is opened."""

    def read():
        return {path: data for path, data in files_in(traded / "state").items() if not path.name.endswith("-shm")}

    return read


def only(answer):
    (book,) = answer["result"]["books"]
    return book


def rows(root, kind, book="main"):
    with DatabaseJournal.open(root / "state" / book / "journal.sqlite", account=None) as journal:
        assert journal.check() == ()
        return [event for event in journal.events() if isinstance(event, kind)]


def _held(root, book="main"):
    with PaperAccount.open(
        root / "state" / book / "paper.sqlite",
        AccountSettings(),
        number=f"SIM-{book}",
        costs=Costs(),
        now=wall_clock(),
        replay=True,
    ) as account:
        return {symbol: one.quantity for symbol, one in account.positions().items()}


def _buy(symbol="S01"):
    name = f"at-main-20130807-top-{symbol}-buy-e-9"
    order = Order(name, symbol, Side.BUY, Decimal(1), Decimal(50), "top", "20130807", AFTER)
    context = RiskContext(
        Decimal(10**6), Book(Decimal(10**6)), {symbol: Decimal(50)}, {symbol: 1e9}, {symbol: 0}, {symbol}
    )
    (approved,) = review([order], context, Risk()).approved
    return approved


def _close(book):
    """The first close that a shutdown on that evening sends."""
    position = min(book.broker.positions().values(), key=lambda one: one.symbol)
    order = Order(
        f"at-main-20130808-shutdown-{position.symbol}-sell-k-1",
        position.symbol,
        Side.SELL,
        position.quantity,
        Decimal(50),
        "shutdown",
        "20130808",
        AFTER,
        reducing=True,
        closing=True,
    )
    held = Book(Decimal(0), {position.symbol: position})
    (approved,) = review([order], RiskContext(Decimal(0), held, {}, {}, {}, ()), Risk()).approved
    return approved


def test_the_story_from_queued_closes_to_flat_and_refused(traded, shutdown, run_cli, two_lines):
    code, answer, _ = shutdown()
    assert (code, only(answer)["result"]) == (10, QUEUED)
    assert [(one["side"], one["status"]) for one in only(answer)["closes"]] == [("sell", "open")] * 3

    again_code, again, _ = shutdown()
    assert (again_code, only(again)["closes"]) == (10, only(answer)["closes"])

    last_code, last, _ = shutdown(MORNING)
    assert (last_code, only(last)["result"]) == (0, "flat, verified")
    assert only(last)["left"] == {}
    assert [one["status"] for one in only(last)["closes"]] == ["filled"] * 3

    two_lines(run_cli("trade", "--now", "2013-08-09T10:10-04:00", root=traded), 4, "HALT")


def test_after_resume_the_book_trades_again(traded, shutdown, run_cli):
    shutdown("2013-08-08T10:00-04:00")

    assert run_cli("resume", "--account", "SIM-main", root=traded).code == 0
    daily = ("--set", "strategies.top.rebalance=1")
    ran = run_cli("trade", "--allow-rejected", "--now", MORNING, "--json", *daily, root=traded)

    assert (ran.code, ran.envelope["result"]["sent"]) == (0, 3)


def test_closes_that_the_journal_missed_are_adopted_by_the_next_run(traded, shutdown):
    journal = traded / "state" / "main" / "journal.sqlite"
    aside = journal.with_name("aside.sqlite")
    journal.rename(aside)
    shutdown()
    aside.rename(journal)

    code, answer, _ = shutdown(MORNING)

    assert code == 0
    assert answer["warnings"] == [text for text in answer["warnings"] if SAID in text]
    assert rows(traded, Reconciled)[-1].differences == ()
    assert len([one for one in rows(traded, OrderSending) if one.order.closing]) == 3


@pytest.mark.parametrize("json", [True, False])
def test_closes_that_trade_finds_at_the_account_are_not_orders_that_it_sent(traded, shutdown, run_cli, json):
    book = traded / "state" / "main"
    kept = {path: path.read_bytes() for path in book.glob("journal.sqlite*")}
    assert shutdown(MORNING)[0] == 0
    for path in book.glob("journal.sqlite*"):
        path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)
    (book / "HALT").unlink()

    ran = run_cli("trade", "--now", "2013-08-09T10:10-04:00", *(("--json",) if json else ()), root=traded)

    assert ran.code == 0, ran.err
    assert len([one for one in rows(traded, OrderSending) if one.order.closing]) == 3
    if json:
        result = ran.envelope["result"]
        assert (ran.envelope["status"], result["sent"], result["fills"]) == ("skipped", 0, 3)
        assert [line["planned_price"] for line in result["orders"]] == [None] * 3
    else:
        assert "0 sent now, 3 fills booked" in ran.out
        assert " 0.00 " not in ran.out


@pytest.mark.parametrize("sent", [False, True])
def test_a_close_that_a_killed_run_left_open_is_resolved(traded, shutdown, sent):
    config = load(traded, env={}).config
    now = datetime.fromisoformat(EVENING)
    visit = Visit("emergency-shutdown", "run", now, wall_clock)
    with open_book(config, traded, visit) as book:
        close = _close(book)
        book.journal.append(OrderSending(now, close.order))
        if sent:
            book.broker.submit(close)

    assert shutdown()[0] == 10
    code, _, _ = shutdown(MORNING)

    assert code == 0
    with DatabaseJournal.open(traded / "state" / "main" / "journal.sqlite", account=None) as journal:
        state = State.of(journal.events())
    assert (state.unresolved, state.working, state.held, state.differences) == ((), (), {}, ())


@pytest.mark.parametrize("seed", range(6))
def test_behind_a_bad_connection_it_is_flat_only_when_it_is(traded, shutdown, seed):
    (traded / "config" / "account.yaml").write_text(f"faults: {{seed: {seed}, rate: 0.3}}\n")

    codes = [shutdown("2013-08-08T10:00-04:00")[0] for _ in range(3)]

    held = _held(traded)
    assert set(codes) <= {0, 10, 11}
    assert (codes[-1] == 0) <= (not held)
    assert all(quantity > 0 for quantity in held.values())


def test_a_trader_in_the_middle_of_its_run_is_stopped_and_its_journal_stays_sound(traded, shutdown):
    config = load(traded, env={}).config
    now = datetime.fromisoformat("2013-08-08T10:00-04:00")
    visit = Visit("trade", "run", now, wall_clock)
    buy = _buy()
    with open_book(config, traded, visit) as book:
        shutdown("2013-08-08T10:00-04:00")
        state = send(desk_of(config, book, visit, book.venue.tape), book.state, [buy], now, wanted=[buy.order])

    assert [row.code for row in rows(traded, OrderRefused)] == ["halt"]
    assert state.refused
    assert _held(traded) == {}


def test_the_journal_has_every_row_and_the_book_agrees_with_the_account(traded, shutdown):
    shutdown()
    shutdown(MORNING)

    latched = rows(traded, Latched)
    assert [(one.latch, one.code) for one in latched] == [(Latch.HALT, "operator")]
    closes = [one.order for one in rows(traded, OrderSending) if one.order.closing]
    assert len(closes) == 3
    assert {order.client_id.rsplit("-", 2)[1] for order in closes} == {"k"}
    assert {order.decision for order in closes} == {"20130808"}
    assert len(rows(traded, FillBooked)) == 6
    assert rows(traded, Reconciled)[-1].differences == ()
    assert [(one.command, one.exit_code) for one in rows(traded, RunEnded)][1:] == [
        ("emergency-shutdown", 10),
        ("emergency-shutdown", 0),
    ]


def test_the_close_before_is_valued_with_what_was_held_then(traded, shutdown):
    shutdown()
    shutdown(MORNING)

    valued = {one.session.isoformat(): one for one in rows(traded, BookValued)}
    assert valued["2013-08-08"].gross > 90_000


def test_cash_after_is_what_the_fills_say(traded, shutdown):
    shutdown()
    shutdown(MORNING)

    fills = [one.fill for one in rows(traded, FillBooked)]
    cash = Decimal(100_000) - sum(fill.side.sign * fill.quantity * fill.price + fill.fee for fill in fills)
    with DatabaseJournal.open(traded / "state" / "main" / "journal.sqlite", account=None) as journal:
        state = State.of(journal.events())
    assert state.book.positions == {}
    assert state.book.cash == cash


def test_in_the_running_session_it_is_flat_at_once(traded, shutdown):
    code, answer, _ = shutdown("2013-08-08T10:00-04:00")

    assert (code, only(answer)["result"]) == (0, "flat, verified")


def test_people_see_what_is_closed_and_how_to_open_the_latch(traded, capsys, monkeypatch):
    monkeypatch.chdir(traded)

    code = kill_switch.main(["emergency-shutdown", "--yes", "--now", EVENING], app.main, env=os.environ)

    shown = capsys.readouterr()
    assert code == 10
    assert QUEUED in shown.out
    assert "aitrader resume --account SIM-main" in shown.out
    assert SAID in shown.err


@pytest.mark.parametrize("wrong", ["one file", "all files", "no folder", "profile"])
def test_broken_settings_are_told_and_stop_nothing(traded, shutdown, wrong):
    words = []
    if wrong == "one file":
        (traded / "config" / "strategies.yaml").write_text("top: [")
    elif wrong == "all files":
        for file in (traded / "config").glob("*.yaml"):
            file.write_text("\x00][")
    elif wrong == "no folder":
        shutil.rmtree(traded / "config")
    else:
        words = ["--profile", "nonsense"]

    code, answer, _ = shutdown(EVENING, *words)

    assert (code, only(answer)["result"]) == (10, QUEUED)
    if wrong != "no folder":
        assert any("settings left out" in text for text in answer["warnings"])
    assert shutdown(MORNING, *words)[0] == 0


@pytest.mark.parametrize("wrong", ["damaged", "deleted", "empty", "another account's"])
def test_without_its_journal_it_closes_what_the_account_holds(traded, shutdown, wrong):
    journal = traded / "state" / "main" / "journal.sqlite"
    for side in journal.parent.glob("journal.sqlite-*"):
        side.unlink()
    if wrong == "damaged":
        content = bytearray(journal.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 4096] = b"\xff" * 4096
        journal.write_bytes(content)
    elif wrong == "deleted":
        journal.unlink()
    elif wrong == "empty":
        journal.write_bytes(b"")
    else:
        key = json.loads((journal.parent / "account.json").read_text())
        (journal.parent / "account.json").write_text(json.dumps(key | {"host": "elsewhere"}))

    code, answer, _ = shutdown()

    assert (code, only(answer)["result"]) == (10, QUEUED)
    assert any("the journal was not written" in text for text in answer["warnings"])
    assert shutdown()[0] == 10
    assert shutdown(MORNING)[0] == 0


def test_without_a_lake_closes_wait_and_nothing_is_called_flat(traded, shutdown):
    shutdown()
    shutil.rmtree(traded / "data_lake")

    code, answer, _ = shutdown(MORNING)

    assert (code, only(answer)["result"], only(answer)["at"]) == (10, QUEUED, "2013-08-08T22:00:00+00:00")
    assert any("without the lake" in text for text in answer["warnings"])


def test_without_a_lake_it_is_closed_at_the_accounts_own_time(traded, shutdown):
    shutil.rmtree(traded / "data_lake")

    code, answer, _ = shutdown()

    assert (code, only(answer)["at"]) == (0, "2013-08-08T13:36:00+00:00")


def test_without_any_model_it_works(traded, shutdown):
    shutil.rmtree(traded / "data_lake" / "models")

    assert shutdown()[0] == 10
    assert shutdown(MORNING)[0] == 0


def test_with_everything_broken_at_once_the_account_is_closed_all_the_same(traded, shutdown):
    book = traded / "state" / "main"
    shutil.rmtree(traded / "config")
    shutil.rmtree(traded / "data_lake" / "models")
    shutil.rmtree(traded / "logs")
    (traded / "logs").write_text("no folder")
    (book / "account.json").write_text("{")
    (book / "journal.sqlite").write_bytes(b"\xff" * 4096)
    with (book / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        assert shutdown()[0] == 10
        code, answer, _ = shutdown(MORNING)

    assert (code, only(answer)["result"]) == (0, "flat, verified")
    assert _held(traded) == {}


@pytest.mark.parametrize("wrong", ["damaged", "deleted"])
def test_an_account_that_cannot_be_read_is_not_called_flat(traded, shutdown, wrong):
    paper = traded / "state" / "main" / "paper.sqlite"
    paper.unlink() if wrong == "deleted" else paper.write_bytes(b"\xff" * 4096)

    code, answer, _ = shutdown()

    assert code == 11
    assert "Nobody saw main (simulated, SIM-main) flat" in only(answer)["result"]
    assert (traded / "state" / "main" / "HALT").exists()


def test_a_missing_account_key_is_no_reason_to_hold_what_is_held(traded, shutdown):
    (traded / "state" / "main" / "account.json").unlink()

    assert shutdown()[0] == 10
    assert shutdown(MORNING)[0] == 0


def test_a_dry_run_says_what_it_would_come_to_and_changes_nothing(traded, shutdown, stored_state):
    before = stored_state()

    code, answer, _ = shutdown(EVENING, "--dry-run")

    assert (code, only(answer)["exit_code"], only(answer)["result"]) == (0, 10, QUEUED)
    assert len(only(answer)["closes"]) == 3
    assert only(answer)["warnings"] == []
    assert stored_state() == before


def test_a_dry_run_of_an_account_that_cannot_be_read_fails(traded, shutdown):
    (traded / "state" / "main" / "paper.sqlite").unlink()

    assert shutdown(EVENING, "--dry-run")[0] == 11
    assert not (traded / "state" / "main" / "HALT").exists()


def test_the_lock_of_a_trader_that_hangs_does_not_matter(traded, shutdown):
    with (traded / "state" / "main" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        assert shutdown()[0] == 10


def test_a_trader_that_goes_on_sends_nothing_more(traded, shutdown, run_cli):
    shutdown("2013-08-08T10:00-04:00")

    ran = run_cli(*TRADE[:2], "--now", "2013-08-08T10:05-04:00", "--json", root=traded)

    assert ran.code == 4
    assert [one.order.closing for one in rows(traded, OrderSending)][3:] == [True] * 3


def test_a_latch_that_cannot_be_written_is_told_and_everything_is_closed_all_the_same(traded, shutdown, monkeypatch):
    def failing(folder, latch, reason):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(kill_switch.FileLatches.latch.__globals__, "_make", failing)

    code, answer, err = shutdown("2013-08-08T10:00-04:00")

    assert code == 0
    assert only(answer)["halts"] == []
    assert "HALT IS NOT SHUT" in err


def test_a_time_before_the_accounts_own_does_nothing(shutdown, stored_state):
    before = stored_state()

    code, answer, _ = shutdown("2013-08-07T10:00-04:00")

    assert code == 2
    assert "before the account's own time" in answer["error"]["message"]
    assert stored_state() == before


def test_without_now_a_replayed_account_is_closed_at_its_own_time(traded, shutdown):
    code, answer, _ = shutdown(None)

    assert (code, only(answer)["at"]) == (0, "2013-08-08T13:36:00+00:00")


@pytest.fixture
def second(traded):
    """Another book of the same root, of which nobody traded."""
    made = traded / "state" / "other"
    assert app.main([*TRADE, "--book", "other", "--root", str(traded)]) == 0
    return made


def test_of_two_books_the_named_one_is_closed(traded, shutdown, second):
    assert shutdown()[0] == 2

    code, answer, _ = shutdown(EVENING, "--book", "other")

    assert (code, only(answer)["account"]) == (10, "SIM-other")
    assert (second / "HALT").exists()
    assert not (traded / "state" / "main" / "HALT").exists()
    assert [one for one in rows(traded, OrderSending) if one.order.closing] == []


def test_all_books_are_closed_and_the_worst_one_sets_the_code(traded, shutdown, second):
    (traded / "state" / "main" / "paper.sqlite").unlink()

    code, answer, _ = shutdown(EVENING, "--all-books")

    assert code == 11
    assert [one["exit_code"] for one in answer["result"]["books"]] == [11, 10]


def test_keys_of_a_real_account_are_not_forgotten_beside_a_simulated_one(traded, shutdown, monkeypatch):
    monkeypatch.setenv("APCA_API_KEY_ID", "PKCANARY0000000000")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "canary")

    code, answer, err = shutdown(None, "--all-books")

    assert code == 11
    assert [one["exit_code"] for one in answer["result"]["books"]] == [0, 11]
    assert (traded / "state" / "HALT").exists()
    assert "CANARY" not in json.dumps(answer) + err


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_a_person_who_does_not_say_yes_leaves_everything_as_it_is(traded, shutdown, monkeypatch, typed):
    monkeypatch.setattr(sys, "stdin", Terminal(typed))

    code, _, err = shutdown(None, yes=False)

    assert code == 2
    assert "main (simulated, SIM-main), paper, at 2013-08-08 13:36 UTC: " in err
    assert "0 open orders" in err
    assert not (traded / "state" / "main" / "HALT").exists()
    assert [one for one in rows(traded, OrderSending) if one.order.closing] == []


def test_a_person_who_says_yes_is_asked_once_for_all_books(traded, shutdown, monkeypatch, second):
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))

    code, answer, err = shutdown(None, "--all-books", yes=False)

    assert code == 0
    assert err.count("[y/N]") == 1
    assert {one["result"] for one in answer["result"]["books"]} == {"flat, verified"}


def test_help_names_every_option_of_the_ordinary_command():
    command = app._imported("emergency-shutdown", *app.COMMANDS["emergency-shutdown"])

    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}

    told = {word for word in HELP.replace(",", " ").split() if word.startswith("--")}
    assert told == options | {"--help"}


def test_called_without_the_kill_switch_it_shuts_halt_where_there_is_no_account(bare_root, run_cli, two_lines):
    two_lines(run_cli("emergency-shutdown", "--yes", root=bare_root), 11, "No account to close")

    assert (bare_root / "state" / "HALT").exists()


class Wall:
    """A book on the machine's clock, which stands where the test sets it."""

    def __init__(self, root):
        self.root = root
        self.config = load(root, env={}, sets=["book=wall"]).config
        with open_book(self.config, root, self.visit("2013-08-08T09:36-04:00"), create=True) as book:
            self.buy(book, "S01")

    def buy(self, book, symbol):
        order = _buy(symbol)
        book.journal.append(OrderSending(book.at, order.order))
        assert isinstance(book.broker.submit(order), Accepted)

    def visit(self, time):
        return Visit("emergency-shutdown", "run", None, fixed_clock(datetime.fromisoformat(time)))

    def close(self, time):
        (report,) = emergency_shutdown(self.config, self.root, Asked(self.visit(time), book="wall")).books
        return report


def test_on_the_machines_clock_it_is_closed_at_the_next_open(traded):
    book = Wall(traded)

    first, second = book.close(EVENING), book.close(MORNING)

    assert (first.exit_code, first.result) == (10, "not flat: 1 queued for 2013-08-09 13:30 UTC")
    assert (second.exit_code, second.left) == (0, {})
    assert rows(traded, Reconciled, "wall")[-1].differences == ()


def test_a_machines_clock_that_went_back_keeps_nothing_open(traded):
    book = Wall(traded)

    report = book.close("2013-08-07T18:00-04:00")

    assert (report.exit_code, report.result) == (0, "flat, verified")
    assert any("before the account's own time" in text for text in report.warnings)


def test_a_session_whose_bars_are_not_known_yet_is_not_called_flat(traded):
    book = Wall(traded)
    book.close("2013-08-08T09:40-04:00")  # flat: the lake has this session's open
    with open_book(book.config, traded, book.visit("2013-08-09T15:00-04:00")) as opened:
        book.buy(opened, "S02")

    report = book.close("2013-08-12T10:00-04:00")  # the lake ends on 2013-08-09

    assert (report.exit_code, report.result) == (10, "not flat: 1 close not filled yet")
    assert report.left == {"S02": 1}
