"""What a person gets for wrong settings, bad rows, hostile names and models that do not fit."""

from pathlib import Path

import polars as pl
import pytest

from aitrader.domain.symbols import to_file_name
from aitrader.lake.store import Lake

COLUMNS = ["symbol", "session", "open", "high", "low", "close", "volume"]
HEADER = "symbol,date,open,high,low,close,volume\n"
GOOD = ["BRK.B", "CON", "PRN", "NA", "ON", "NO", "TRUE", "BTC/USD", "NUL", "1E5", "010"]
BAD = [
    "../../x",
    "a/b",
    "",
    "A\x01",
    "S00\n",
    "aapl",
    ".",
    "..",
    "NUL.txt",
    "/etc/passwd",
    "%2e%2e",
    "A B",
    "é",
    "A" * 300,
]


def symbols_in(root):
    with Lake.open(root / "data_lake") as lake:
        return set(lake.snapshot().bars()["symbol"])


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_postion: 5%\n", ["config/risk.yaml:1", "max_postion"]),
        ("max_gross: 100%\nmax_gross: 200%\n", ["config/risk.yaml:2", "max_gross", "lines 1 and 2"]),
        ("max_position: .nan\n", ["config/risk.yaml:1", "max_position", ".nan"]),
        ("max_position: NaN\n", ["config/risk.yaml:1", "max_position", "NaN"]),
    ],
)
def test_no_command_runs_on_settings_that_would_be_ignored(run_cli, two_lines, stored, root, readers, text, words):
    (root / "config" / "risk.yaml").write_text(text)
    before = stored(root)

    for command in [["backfill"], *readers.values()]:
        two_lines(run_cli(*command, root=root), 2, *words)

    assert stored(root) == before


@pytest.mark.parametrize("name", ["AITRADER_RISK__MAX_POSITION", "AITRADER_Risk__Max_Gross"])
def test_a_variable_that_nobody_would_read_is_refused(run_cli, two_lines, bare_root, monkeypatch, name):
    monkeypatch.setenv(name, "5%")

    ran = run_cli("config", "show", root=bare_root)

    two_lines(ran, 2, name)
    assert f"AITRADER__{name.removeprefix('AITRADER_')}" in ran.err


def test_other_variables_of_the_program_are_left_alone(run_cli, bare_root, monkeypatch):
    for name in ("AITRADER_ROOT", "AITRADER_HALT", "AITRADER_MY__NOTE"):
        monkeypatch.setenv(name, str(bare_root))

    assert run_cli("config", "show").code == 0


# -- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("AAPL,2020-01-04,1,2,1,2,5", "not a session"),
        ("AAPL,2090-01-03,1,2,1,2,5", "not over yet"),
        ("AAPL,2020-01-06,1,1,2,1,5", "high"),
        ("AAPL,2020-01-06,0,0,0,0,5", "not positive"),
        ("AAPL,2020-01-06,-1,2,-1,2,5", "not positive"),
        ("AAPL,2020-01-06,nan,2,1,2,5", "not finite"),
        ("AAPL,2020-01-06,1,2,1", "not finite"),
    ],
)
def test_a_file_without_one_good_bar_says_why_and_where_its_rows_are(
    run_cli, two_lines, bare_root, tmp_path, row, reason
):
    path = tmp_path / "prices.csv"
    path.write_text(f"{HEADER}{row}\n")

    ran = run_cli("backfill", "--source", "files", "--path", path, root=bare_root)

    error = two_lines(ran, 3, "quarantined", reason)
    assert "None" not in error
    assert "aitrader lake export quarantine/bars/1d" in ran.err
    out = tmp_path / "rows.csv"
    assert run_cli("lake", "export", "quarantine/bars/1d", "--out", out, root=bare_root).code == 0
    assert reason in out.read_text()


def test_a_file_whose_symbols_are_all_none_names_them(run_cli, two_lines, bare_root, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + "../../x,2020-01-06,1,2,1,2,5\na/b,2020-01-06,1,2,1,2,5\n")

    error = two_lines(run_cli("backfill", "--source", "files", "--path", path, root=bare_root), 3, "'../../x'", "'a/b'")

    assert "prices.csv" in error


def test_the_order_of_rows_and_their_repetitions_change_nothing(run_cli, bare_root, made_bars, tmp_path):
    bars = made_bars(symbols=3, sessions=30).select(COLUMNS)
    other = tmp_path / "other"
    run_cli("init", other)
    content = []
    for root, frame in (
        (bare_root, bars),
        (other, pl.concat([bars.sample(fraction=1, shuffle=True, seed=2), bars[3:9]])),
    ):
        path = tmp_path / "prices.csv"
        frame.write_csv(path)
        assert run_cli("backfill", "--source", "files", "--path", path, "--adjustment", "raw", root=root).code == 0
        with Lake.open(root / "data_lake") as lake:
            content.append(lake.snapshot().content_hash("bars/1d"))

    assert content[0] == content[1]


def test_days_without_a_session_are_clipped_with_a_notice(run_cli, trained, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + "S00,2013-08-02,1,2,1,2,5\nS00,2013-08-05,1,2,1,2,5\nS00,2013-08-09,1,2,1,2,5\n")
    words = ["--source", "files", "--path", path, "--start", "2013-08-03", "--end", "2013-08-10", "--json"]

    filled = run_cli("backfill", *words, root=trained).envelope

    assert filled["result"]["rows"] == 2
    assert any("2013-08-03 is no session; 2013-08-05" in text for text in filled["warnings"])
    assert any("2013-08-10 is no session; 2013-08-09" in text for text in filled["warnings"])


# -- symbols ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", BAD)
def test_a_text_that_is_no_symbol_is_refused_wherever_it_is_given(run_cli, stored, two_lines, root, tmp_path, symbol):
    prices = tmp_path / "prices.csv"
    prices.write_text(HEADER + "S00,2013-08-09,1,2,1,2,5\n")
    before = stored(root)
    quoted = symbol.encode("unicode_escape").decode()
    universe = root / "config" / "universe.yaml"

    two_lines(run_cli("explain", symbol, root=root), 2)
    two_lines(run_cli("backfill", "--source", "files", "--path", prices, f"--symbols={symbol}", root=root), 2)
    universe.write_text(f'min_history: 5\nsymbols: ["S00", "{quoted}"]\n', encoding="utf-8")
    for words in (["calculate-features"], ["train"]):
        two_lines(run_cli(*words, root=root), 2, "universe.symbols")

    assert stored(root) == before
    assert {path.name for path in root.iterdir()} == {"config", "data_lake", "logs", "state"}


def test_odd_but_good_symbols_survive_yaml_csv_and_file_names(run_cli, root, made_bars, tmp_path):
    frame = made_bars(symbols=len(GOOD), sessions=30).select(COLUMNS)
    names = dict(zip(sorted(frame["symbol"].unique()), GOOD, strict=True))
    frame = frame.with_columns(pl.col("symbol").replace_strict(names))
    folder = tmp_path / "one_each"
    folder.mkdir()
    for name in GOOD:
        frame.filter(symbol=name).drop("symbol").write_csv(folder / f"{to_file_name(name)}.csv")
    (root / "config" / "universe.yaml").write_text(f"min_history: 5\nsymbols: [{', '.join(GOOD)}]\n")
    (root / "config" / "data.yaml").write_text("source: files\n")
    words = ["--source", "files", "--path", folder, "--pattern", "{symbol}.csv", "--adjustment", "raw"]

    assert run_cli("backfill", *words, root=root).code == 0
    assert run_cli("calculate-features", root=root).code == 0
    for dataset in ("bars/1d", "features/1d"):
        out = tmp_path / "out.csv"
        assert run_cli("lake", "export", dataset, "--out", out, root=root).code == 0
        back = pl.read_csv(out, infer_schema=False)
        assert set(back["symbol"]) == set(GOOD)
        out.unlink()

    again = tmp_path / "again"
    run_cli("init", again)
    run_cli("lake", "export", "bars/1d", "--out", tmp_path / "bars.csv", root=root)
    assert run_cli("backfill", "--source", "files", "--path", tmp_path / "bars.csv", root=again).code == 0
    assert symbols_in(again) == set(GOOD)


def test_a_file_name_that_holds_no_symbol_is_told_and_nothing_leaves_the_root(run_cli, bare_root, tmp_path):
    folder = tmp_path / "one_each"
    folder.mkdir()
    for name in ("x%2F..%2Fy", "%00", "aapl", "AAPL"):
        (folder / f"{name}.csv").write_text("date,open,high,low,close,volume\n2020-01-06,1,2,1,2,5\n")

    ran = run_cli(
        "backfill", "--source", "files", "--path", folder, "--pattern", "{symbol}.csv", "--json", root=bare_root
    )

    assert ran.code == 0
    assert symbols_in(bare_root) == {"AAPL"}
    assert any("3 files refused" in text for text in ran.envelope["warnings"])


def test_control_characters_of_a_file_do_not_reach_the_terminal(run_cli, two_lines, bare_root, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("\x1b[31mred,date,open,high,low,close,volume\nAAPL,2020-01-06,1,2,1,2,5\n")

    ran = run_cli("backfill", "--source", "files", "--path", path, root=bare_root)

    two_lines(ran, 2, "no column for symbol")
    assert "\x1b" not in ran.err
    assert "\\x1b[31mred" in ran.err


# -- universe, features, models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("universe", ["[]", "[ZZZZ]"])
def test_an_empty_universe_is_told(run_cli, two_lines, trained, readers, universe):
    for words in readers.values():
        two_lines(run_cli(*words, "--set", f"universe.symbols={universe}", root=trained), 3, "universe is empty")


@pytest.mark.parametrize(
    "words",
    [
        ("calculate-features", "--symbols", ""),
        ("calculate-features", "--feature-set", " , "),
        ("features", "ls", "--feature-set", ""),
        ("lake", "export", "bars/1d", "--out", "all.csv", "--symbols", ""),
        ("validate", "--only", ""),
    ],
)
def test_a_list_that_a_script_left_empty_is_not_taken_for_everything(run_cli, two_lines, trained, words):
    two_lines(run_cli(*words, root=trained), 2, "names none")


def test_an_empty_universe_fails_validation_without_breaking_it(run_cli, trained):
    ran = run_cli("validate", "--set", "universe.symbols=[]", "--json", root=trained)

    assert ran.code == 3
    failed = {one["name"] for one in ran.envelope["result"]["results"] if one["status"] == "fail"}
    assert "bars" in failed


def test_five_names_are_enough_for_what_is_not_a_cross_section(run_cli, trained):
    five = ["--set", "universe.symbols=[S00, S01, S02, S03, S04]"]

    computed = run_cli("calculate-features", "--feature-set", "core", *five, "--json", root=trained)

    assert computed.code == 0
    coverage = {one["name"]: one["coverage"] for one in computed.envelope["result"]["features"]}
    assert coverage["momentum_rank"] == 0  # a cross-section needs features.min_names
    assert coverage["volatility"] > 0.5
    assert run_cli("explain", "S00", *five, root=trained).code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clse / close - 1", ["Column 1", "clse"]),
        ("close.shift(-1) / close - 1", ["Column 13", "looks ahead"]),
        ("(close - close.mean()) / close.std()", ["Column 16", "window is missing"]),
        ('__import__("os").system("touch canary")', ["system"]),
        ("close[", ["not an expression"]),
        ("(" * 400 + "close" + ")" * 400, ["features.custom.jump"]),
    ],
)
def test_a_feature_that_cannot_be_stops_every_command_at_its_column(
    run_cli, readers, stored, two_lines, trained, text, words
):
    quoted = text.replace("'", "''")
    (trained / "config/features.yaml").write_text(
        (trained / "config/features.yaml").read_text().replace("open / close.shift(1) - 1", f"'{quoted}'")
    )
    before = stored(trained)

    for command in readers.values():
        if "rule" not in command:
            two_lines(run_cli(*command, root=trained), 2, "features.custom.jump", *words)

    assert stored(trained) == before
    assert not Path("canary").exists()


@pytest.mark.parametrize("words", [["scan"], ["explain", "S00"], ["backtest"]])
def test_a_model_trained_on_other_features_decides_nothing(run_cli, two_lines, trained, words):
    changed = ["--set", "features.custom.jump=high / close.shift(1) - 1"]

    error = two_lines(run_cli(*words, *changed, root=trained), 3, "line", "trained on other features")

    assert "jump" in error
