"""Groups of symbols from the user's file: read, laid out, compared within, and noticed when they change."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from aitrader.config.schema import Config
from aitrader.domain.clock import fixed_clock
from aitrader.errors import ConfigError
from aitrader.jobs.assembly.data import market
from aitrader.jobs.assembly.groups import read_groups
from aitrader.lake.store import Lake

SETTINGS = """
universe: {min_history: 0, groups: sectors.csv}
features:
  min_names: 2
  custom:
    inside: "(close / close.shift(1) - 1).demean_across(by=sector)"
    narrow: "close.demean_across(by=industry) / close"
    plain: "(close / close.shift(1) - 1).demean_across()"
    alone: "close / close.shift(2) - 1"
  sets: {mine: [inside, plain, alone]}
  compute: [mine]
"""
SECTORS = "symbol,sector,industry\nS00,tech,chips\nS01,tech,\nS02,banks,\nS03,banks,\nS04,tech,chips\nZZZ,banks,\n"


@pytest.fixture
def root(bare_root, made_bars, store_bars):
    """A root with bars of more symbols than the file of sectors names."""
    (bare_root / "config" / "aitrader.yaml").write_text(SETTINGS)
    (bare_root / "sectors.csv").write_text(SECTORS)
    store_bars(bare_root, made_bars())
    return bare_root


def view(root, read):
    with Lake.open(root / "data_lake", clock=fixed_clock(datetime(2014, 1, 2, tzinfo=UTC))) as lake:
        return read(lake.snapshot())


def config(**universe):
    return Config.model_validate({"universe": {"min_history": 0, **universe}})


def done(ran):
    return {feature["name"]: feature["done"] for feature in ran.envelope["result"]["features"]}


def by_symbol(frame, column):
    """Return a column as one list per symbol."""
    return {symbol: rows[column].to_list() for (symbol,), rows in frame.group_by("symbol", maintain_order=True)}


def test_a_mean_of_each_sector_is_taken_off(run_cli, root):
    assert run_cli("calculate-features", root=root).code == 0

    stored = by_symbol(view(root, lambda lake: lake.feature_frame(["inside"])), "inside")
    closes = by_symbol(view(root, lambda lake: lake.bars()), "close")
    change = {symbol: np.array(prices)[1:] / np.array(prices)[:-1] - 1 for symbol, prices in closes.items()}
    tech = (change["S00"] + change["S01"] + change["S04"]) / 3
    assert np.allclose(stored["S00"][1:], change["S00"] - tech, atol=1e-7)
    assert np.allclose(stored["S03"][1:], (change["S03"] - change["S02"]) / 2, atol=1e-7)
    assert set(stored["S05"]) == {None}


def test_another_classification_makes_those_stale_that_compare_within_it(run_cli, root):
    everything = ("calculate-features", "--feature-set", "mine", "--feature-set", "narrow", "--json")
    assert run_cli(*everything, root=root).code == 0
    (root / "sectors.csv").write_text(SECTORS.replace("S03,banks", "S03,tech"))
    revised = done(run_cli(*everything, root=root))
    lines = (root / "sectors.csv").read_text().splitlines()
    (root / "sectors.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]))

    assert revised == {"inside": "computed", "plain": "fresh", "alone": "fresh", "narrow": "fresh"}
    assert set(done(run_cli(*everything, root=root)).values()) == {"fresh"}


def test_new_sessions_are_compared_within_the_same_sectors(run_cli, root):
    run_cli("calculate-features", "--now", "2013-08-01T00:00Z", root=root)
    assert run_cli("calculate-features", root=root).code == 0
    grown = view(root, lambda lake: lake.feature_frame())

    assert run_cli("calculate-features", "--full", root=root).code == 0

    assert grown.equals(view(root, lambda lake: lake.feature_frame()))


def test_without_a_file_a_feature_that_needs_it_is_refused(run_cli, root):
    ran = run_cli("calculate-features", "--set", "universe.groups=null", root=root)

    assert ran.code == 2
    assert ran.err.splitlines() == [
        "error: The feature inside compares symbols within their sector, which the data do not have.",
        "fix: Leave it out, or name a file that has them in `universe.groups`; docs/features.md says how.",
    ]


def test_a_file_that_is_not_there_is_a_wrong_setting(run_cli, root):
    ran = run_cli("calculate-features", "--set", "universe.groups=other.csv", root=root)

    assert ran.code == 2
    assert ran.err.splitlines() == [
        f"error: universe.groups: {root / 'other.csv'} cannot be used: No such file or directory.",
        "fix: It wants the columns symbol, and sector or industry; a column `from` (YYYY-MM-DD) may date the rows.",
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "empty CSV"),
        ("symbol,sectors\nS00,x\n", "its columns are symbol, sectors"),
        ("symbol,sector\nS00,x\nS00,y\n", "S00 stands in it twice"),
        ("symbol,sector\ns00,x\n", "'s00' is not a symbol"),
        ("symbol,sector,from\nS00,x,2012-13-01\n", "2012-13-01"),
        ("symbol,sector\nS00,x,y\n", "more fields"),
    ],
)
def test_a_file_that_is_none_of_groups_is_a_wrong_setting(root, text, wrong):
    (root / "wrong.csv").write_text(text)

    with pytest.raises(ConfigError, match=wrong):
        view(root, lambda lake: read_groups(config(groups="wrong.csv"), lake))


def test_a_dated_row_counts_from_its_session_on(root):
    days = view(root, lambda lake: lake.bars())["session"].unique().sort()
    dated = pl.DataFrame(
        {
            "symbol": ["S00", "S00", "S00", "S01"],
            "from": [None, days[2], days[4], date(2020, 1, 1)],
            "sector": ["old", "new", None, "old"],
        }
    )
    dated.write_parquet(root / "dated.parquet")

    panel = view(root, lambda lake: market(config(groups="dated.parquet"), lake)).panel

    assert panel.group("sector")[0, :5].tolist() == [1, 1, 0, 0, -1]
    assert set(panel.group("sector")[1:].ravel()) == {-1}


def test_a_scan_ranks_within_sectors(run_cli, root):
    score = "(close / close.shift(1) - 1).demean_across(by=sector)"
    (root / "config" / "scanners.yaml").write_text(f'inner: {{kind: rule, params: {{score: "{score}", top: 3}}}}\n')

    ran = run_cli("scan", "--json", "--now", "2013-08-09T18:00-04:00", "--set", "data.min_coverage=0", root=root)

    assert ran.code == 0, ran.err
    closes = by_symbol(view(root, lambda lake: lake.bars()), "close")
    change = {symbol: closes[symbol][-1] / closes[symbol][-2] - 1 for symbol in ("S00", "S01", "S02", "S03", "S04")}
    mean = {"tech": (change["S00"] + change["S01"] + change["S04"]) / 3, "banks": (change["S02"] + change["S03"]) / 2}
    beyond = {symbol: value - mean["banks" if symbol in {"S02", "S03"} else "tech"] for symbol, value in change.items()}
    ranked = sorted(beyond, key=lambda symbol: -beyond[symbol])[:3]
    assert [one["symbol"] for one in ran.envelope["result"]["candidates"]] == ranked


def test_a_model_learns_from_features_within_sectors_and_is_replayed(run_cli, root):
    more = {
        "models.yaml": "line: {kind: ridge, features: mine, params: {alpha: 1}}\n",
        "strategies.yaml": "top: {kind: model_driven, params: {model: line, top: 3}}\n",
        "training.yaml": "retrain: {every: 30, window: 60}\nbootstrap_samples: 200\n",
        "labels.yaml": "horizon: 2\nexcess: true\n",
    }
    for name, text in more.items():
        (root / "config" / name).write_text(text)

    trained = run_cli("train", root=root)
    played = run_cli("backtest", "--allow-rejected", root=root)

    assert (trained.code, played.code) == (3, 0), trained.err + played.err  # random walks pass no gate


def test_models_and_replays_see_the_same_groups(root):
    panel = view(root, lambda lake: market(config(groups="sectors.csv"), lake)).panel

    assert sorted(panel.groups) == ["industry", "sector"]
    assert panel.group("sector")[:6, 0].tolist() == [1, 1, 0, 0, 1, -1]
    assert panel.group("industry")[:3, -1].tolist() == [0, -1, -1]
