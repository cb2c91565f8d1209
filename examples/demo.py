"""From an empty folder to a paper order that is filled once, and to an account that is proved flat, on real prices.

Runs only the console script: echoes each command, shows what it prints, and checks its exit code. A code other than 0
that belongs to the story is printed as such. Usage: demo.py [FOLDER], by default build/demo, which is made anew.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOW = "2013-08-07T18:00-04:00"
MORNING = "2013-08-08T09:36-04:00"
EVENING = "2013-08-08T18:00-04:00"
NEXT = "2013-08-09T10:00-04:00"
AITRADER = Path(sys.executable).with_name("aitrader")


class DemoFailed(Exception):
    """A command ended with another exit code than the story tells."""


@dataclass
class Story:
    """The commands so far, their wall times, and where they run."""

    root: Path
    times: list[tuple[str, float]] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """Print a line of the story."""
        print(f"\n# {text}", flush=True)

    def run(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> int:
        """Run one command, show it and its output, and check its exit code."""
        print(f"\n$ aitrader {shlex.join(arguments)}", flush=True)
        started = time.monotonic()
        done = subprocess.run([str(AITRADER), *arguments], cwd=self.root, check=False)
        self.times.append((_command(arguments), time.monotonic() - started))
        if done.returncode not in expect:
            raise DemoFailed(f"`aitrader {shlex.join(arguments)}` ended with {done.returncode}, expected {expect}")
        if done.returncode:
            print(f"(exit code {done.returncode}, as expected)", flush=True)
        return done.returncode

    def ask(self, *arguments: str) -> Any:
        """Return the result that a command gives with --json, without showing it."""
        done = subprocess.run(
            [str(AITRADER), *arguments, "--json"], cwd=self.root, check=False, capture_output=True, text=True
        )
        return json.loads(done.stdout)["result"]


def _command(arguments: tuple[str, ...]) -> str:
    """Return the command's name: the first word that is neither an option of the demo nor its value."""
    words = list(arguments)
    while words[0].startswith("--"):
        del words[:2]
    return words[0]


def main(folder: Path) -> None:
    """Tell the whole story in ``folder``, which is deleted first."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    story = Story(folder)
    demo = ("--profile", "demo")

    allow = _learn(story, demo)
    _look(story, demo, allow)
    _act(story, demo, allow)
    _cheat(story, demo)
    _close(story, demo)


def _learn(story: Story, demo: tuple[str, ...]) -> tuple[str, ...]:
    """Tell of bars, features, models and a backtest; return what lets a rejected model go on."""
    story.tell("A configuration that works at once. The demo's profile reads 29 US large caps that come with pip.")
    story.run("init", ".")
    story.run(*demo, "backfill")
    story.run(*demo, "calculate-features")

    story.tell("Train: five-day returns in excess of the cross-section, walk-forward, no label later than 2013-06-28.")
    passed = story.run(*demo, "train", "--end", "2013-06-28", expect=(0, 3)) == 0
    rejected = _rejected(story, demo)
    if not passed or rejected:
        story.tell(
            "The strategy's model did not pass its gate. The demo goes on with --allow-rejected; live refuses that."
        )
    allow = ("--allow-rejected",) if rejected else ()

    story.tell("Backtest, beside equal weight and cash, and every doubt that can be computed.")
    story.run(*demo, "backtest", *allow)
    return allow


def _look(story: Story, demo: tuple[str, ...], allow: tuple[str, ...]) -> None:
    """Tell of the evening before."""
    story.tell("What would it look at on the evening of 2013-08-07, and why?")
    story.run(*demo, "scan", "--now", NOW, *allow)
    story.run(*demo, "explain", _candidates(story)[0], "--now", NOW, *allow)


def _act(story: Story, demo: tuple[str, ...], allow: tuple[str, ...]) -> None:
    """Tell of orders, of an emergency, and of the way back."""
    story.tell(
        "The next morning, six minutes after the open: decide on the bars through 2013-08-07, and trade the paper "
        "account."
    )
    story.run(*demo, "trade", "--now", MORNING, *allow)
    story.tell("The same command again, as after a crash or a second line in cron. Nothing is sent twice.")
    story.run(*demo, "trade", "--now", MORNING, *allow)
    story.tell("The evening: is the book well, what became of the first candidate, and the day on one page.")
    story.run(*demo, "status", "--now", EVENING)
    story.run(*demo, "explain", _candidates(story)[0], "--now", EVENING, *allow)
    story.run(*demo, "report", "--now", EVENING)

    story.tell(
        "An emergency. Everything is to be closed, but the exchange is shut until tomorrow: not flat is exit code 10."
    )
    story.run(*demo, "emergency-shutdown", "--yes", "--now", EVENING, expect=(10,))
    story.tell("The same command after the open of 2013-08-09 closes nothing twice, and proves the account flat.")
    story.run(*demo, "emergency-shutdown", "--yes", "--now", NEXT)
    story.tell("HALT stays shut: nothing trades until a person says which account may go on.")
    story.run(*demo, "trade", "--now", NEXT, *allow, expect=(4,))
    story.run(*demo, "resume", "--account", "SIM-main", "--now", NEXT)
    story.run(*demo, "trade", "--now", NEXT, *allow)
    story.run(*demo, "status", "--now", NEXT)


def _cheat(story: Story, demo: tuple[str, ...]) -> None:
    """Tell of what is refused: features that look ahead, dirty data, a model that has seen the future."""
    story.tell("Two features of your own that cheat. Neither gets past the configuration.")
    for text in ("close.shift(-1) / close - 1", "(close - close.mean()) / close.std()"):
        story.run(*demo, "--set", f"features.custom.mine={text}", "validate", "--level", "config", expect=(3,))

    story.tell(
        "Other data, as traded and dirty: 524 S&P 500 symbols in a lake of its own. The check must fail, and say why."
    )
    other = ("--root", "sp500", "--set", "data.source=sp500_sample")
    story.run("init", "sp500")
    story.run(*other, "backfill")
    story.run(*other, "validate", "--level", "data", "--now", "2010-08-20T18:00-04:00", expect=(3,))
    story.run(*other, "scan", "--scanner", "movers", "--now", "2010-08-20T18:00-04:00")

    story.tell("The model of the first lake saw prices up to 2013-06-28. Scanning 2010 with it would be cheating.")
    story.run(*other, "models", "import", "data_lake/models/lgbm")
    story.run(*other, "scan", "--scanner", "model", "--now", "2010-08-20T18:00-04:00", "--allow-rejected", expect=(3,))


def _candidates(story: Story) -> list[str]:
    """Return the symbols that the scan of that evening found, best first."""
    (path,) = (story.root / "data_lake" / "reports").glob("*/scan.json")
    return [candidate["symbol"] for candidate in json.loads(path.read_text())["candidates"]]


def _rejected(story: Story, demo: tuple[str, ...]) -> bool:
    return bool(story.ask(*demo, "models", "show", "lgbm")["line"]["status"] != "passed")


def _close(story: Story, demo: tuple[str, ...]) -> None:
    """Print the table that the story ends with, from what the commands wrote."""
    lake = {dataset["name"]: dataset for dataset in story.ask(*demo, "lake", "ls")["datasets"]}
    scores = {name: story.ask(*demo, "models", "show", name) for name in ("lgbm", "ridge")}
    result = json.loads(max((story.root / "data_lake" / "reports").glob("*/result.json")).read_text())
    candidates = _candidates(story)
    account, orders = story.ask(*demo, "status")["books"][0], story.ask(*demo, "orders", "--all")["orders"]
    doubts = ", ".join(doubt["name"] for doubt in result["doubts"] if doubt["verdict"] == "bad")
    rows = [("bars in the lake", f"{lake['bars/1d']['rows']:,}"), ("features", str(len(lake["features/1d"]["names"])))]
    rows += [(f"rank IC out of fold, {name}", _rank_ic(shown)) for name, shown in scores.items()]
    rows += [
        (f"{one['name']} from {result['start']} to {result['end']}", _earned(one)) for one in result["performances"]
    ]
    rows += [
        ("universe", "hand-picked, survivors only: every result is too good"),
        ("doubts that hold", doubts),
        ("candidates", ", ".join(candidates)),
        ("paper fills", _fills(orders)),
        ("paper equity", f"{float(account['equity']):,.2f} USD, from 100,000.00"),
        ("the account at the end", _state(account)),
    ]
    print("\nWhat came out")
    for name, value in rows:
        print(f"  {name:<48}{value}")
    (day,) = (story.root / "data_lake" / "reports").glob("*/daily.html")
    print(f"\nReport of the backtest: {os.path.relpath(story.root / result['report'])}")
    print(f"Report of the day: {os.path.relpath(day)}")
    print("\nWhere the time went, in seconds")
    for name, seconds in (*story.times, ("all commands", sum(seconds for _, seconds in story.times))):
        print(f"  {name:<48}{seconds:6.1f} s")


def _fills(orders: list[dict[str, Any]]) -> str:
    filled = [one for one in orders if one["status"] == "filled"]
    bought = sum(1 for one in filled if one["side"] == "buy")
    return f"{bought} orders bought, {len(filled) - bought} closed, of {len(orders)} sent"


def _state(account: dict[str, Any]) -> str:
    flat = "flat" if not account["positions"] and not account["open_orders"] else f"{account['positions']} positions"
    agrees = "equal to its journal" if account["differences"] == [] else "not equal to its journal"
    return f"{flat}, {agrees}, {'halted' if account['latches'] else 'free to trade'}"


def _rank_ic(shown: dict[str, Any]) -> str:
    scores = shown["passport"]["scores"]
    interval = f"{scores['rank_ic_lower']:+.4f} to {scores['rank_ic_upper']:+.4f}"
    return f"{scores['rank_ic']:+.4f} (95% interval {interval}), {shown['line']['status']}"


def _earned(performance: dict[str, Any]) -> str:
    sharpe = "-" if performance["sharpe"] is None else f"{performance['sharpe']:.2f}"
    earned, fall = performance["annual_return"], performance["max_drawdown"]
    return f"{earned:+.1%} a year, Sharpe {sharpe}, max drawdown {fall:.1%}"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "build" / "demo"
    try:
        main(target)
    except DemoFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
