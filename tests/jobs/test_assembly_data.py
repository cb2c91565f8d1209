"""The lake's bars laid out as a panel, with what must be known about them."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aitrader.config.schema import Config, Data, Universe
from aitrader.domain.calendars import calendar
from aitrader.domain.frames import ACTIONS, BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.errors import ConfigError, InsufficientDataError
from aitrader.jobs.assembly.data import decision_session, market
from aitrader.lake.store import Lake

SESSIONS = calendar("XNYS").between(date(2012, 1, 3), date(2012, 1, 13))
RECORDED = datetime(2026, 1, 1, tzinfo=UTC)


def _bars(symbols, sessions, *, source="files"):
    rows = [
        (s, day, 10.0 + i, 11.0 + i, 9.0 + i, 10.5 + i, 1000.0, None, None, source, calendar("XNYS").close_of(day))
        for s in symbols
        for i, day in enumerate(sessions)
    ]
    return pl.DataFrame(rows, schema=BARS, orient="row")


def _lake(tmp_path, bars, *, adjustment=Adjustment.RAW, actions=None, **flags):
    source = bars["source"][0]
    series = {s: SeriesInfo(source, adjustment, **flags) for s in bars["symbol"].unique()}
    lake = Lake.open(tmp_path / "data_lake", create=True, clock=lambda: RECORDED)
    lake.append("bars/1d", bars, source=source, series=series)
    if actions is not None:
        lake.append("actions", actions, source=source)
    return lake


def _config(**universe):
    return Config(universe=Universe(min_history=1, **universe))


def test_the_grid_has_one_row_per_symbol_and_one_column_per_session(tmp_path):
    lake = _lake(tmp_path, _bars(["MSFT", "AAPL"], SESSIONS))

    found = market(_config(), lake.snapshot())

    assert found.panel.symbols == ("AAPL", "MSFT")
    assert found.sessions == SESSIONS
    assert found.panel["traded_close"][0].tolist() == [10.5 + i for i in range(len(SESSIONS))]
    assert found.panel.members.all()
    assert found.warnings == ()


def test_a_split_is_adjusted_forward_beside_the_traded_price(tmp_path):
    split = pl.DataFrame(
        [("AAPL", SESSIONS[4], "split", 2.0, None, "files", calendar("XNYS").open_of(SESSIONS[4]))],
        schema=ACTIONS,
        orient="row",
    )
    lake = _lake(tmp_path, _bars(["AAPL"], SESSIONS), actions=split)

    found = market(_config(), lake.snapshot())

    assert np.array_equal(found.panel["close"][0, :4], found.panel["traded_close"][0, :4])
    assert np.array_equal(found.panel["close"][0, 4:], 2 * found.panel["traded_close"][0, 4:])
    assert np.array_equal(found.panel["volume"][0, 4:], found.panel["traded_volume"][0, 4:] / 2)


def test_a_split_that_two_feeds_of_a_vendor_tell_of_counts_once(tmp_path):
    day = SESSIONS[4]
    rows = [("AAPL", day, "split", 2.0, None, name, calendar("XNYS").open_of(day)) for name in ("files", "files:other")]
    own, other = (pl.DataFrame([row], schema=ACTIONS, orient="row") for row in rows)
    lake = _lake(tmp_path, _bars(["AAPL"], SESSIONS), actions=own)
    lake.append("actions", other, source="files:other")

    found = market(_config(), lake.snapshot())

    assert np.array_equal(found.panel["close"][0, 4:], 2 * found.panel["traded_close"][0, 4:])
    assert found.actions.height == 1


def test_a_session_without_any_bar_leaves_the_grid_and_is_told(tmp_path):
    kept = [day for day in SESSIONS if day != SESSIONS[3]]
    lake = _lake(tmp_path, _bars(["AAPL", "MSFT"], kept))

    found = market(_config(), lake.snapshot())

    assert found.lost == (SESSIONS[3],)
    assert SESSIONS[3] not in found.sessions
    assert any("1 session without any bar" in sentence for sentence in found.warnings)


def test_a_missing_bar_is_nan_and_no_member(tmp_path):
    bars = _bars(["AAPL", "MSFT"], SESSIONS).filter(
        ~((pl.col("symbol") == "AAPL") & (pl.col("session") == SESSIONS[3]))
    )
    lake = _lake(tmp_path, bars)

    found = market(_config(), lake.snapshot())

    assert np.isnan(found.panel["close"][0, 3])
    assert not found.panel.members[0, 3]
    assert found.panel.members[1].all()


def test_what_flatters_a_backtest_is_told(tmp_path):
    lake = _lake(
        tmp_path,
        _bars(["AAPL"], SESSIONS),
        adjustment=Adjustment.TOTAL,
        assumed=True,
        survivors_only=True,
        hand_picked=True,
    )

    found = market(_config(), lake.snapshot())

    text = " / ".join(found.warnings)
    assert found.adjusted and found.survivors_only and found.hand_picked
    for word in ("survivorship", "hand-picked", "sizes and fees are approximate", "assumed"):
        assert word in text


def test_the_configuration_overrides_the_stored_adjustment(tmp_path):
    lake = _lake(tmp_path, _bars(["AAPL"], SESSIONS), adjustment=Adjustment.TOTAL, assumed=True)
    config = Config(universe=Universe(min_history=1), data=Data(adjustment={"files": "raw"}))

    found = market(config, lake.snapshot())

    assert not found.adjusted
    assert found.warnings == ()


def test_bars_that_were_not_known_yet_are_hidden(tmp_path):
    lake = _lake(tmp_path, _bars(["AAPL"], SESSIONS))
    evening = calendar("XNYS").close_of(SESSIONS[5])

    found = market(_config(), lake.snapshot(now=evening))

    assert found.sessions == SESSIONS[:6]


def test_two_sources_need_a_choice(tmp_path):
    lake = _lake(tmp_path, _bars(["AAPL"], SESSIONS))
    other = _bars(["AAPL"], SESSIONS, source="yahoo")
    lake.append("bars/1d", other, source="yahoo", series={"AAPL": SeriesInfo("yahoo", Adjustment.RAW)})

    with pytest.raises(ConfigError, match="several sources"):
        market(_config(), lake.snapshot())
    chosen = market(Config(universe=Universe(min_history=1), data=Data(source="yahoo")), lake.snapshot())

    assert chosen.source == "yahoo"


def test_an_empty_universe_is_an_error(tmp_path):
    lake = _lake(tmp_path, _bars(["AAPL"], SESSIONS))

    with pytest.raises(InsufficientDataError, match="universe is empty") as caught:
        market(_config(symbols=("ZZZ",)), lake.snapshot())

    assert "universe.symbols" in caught.value.fix
    assert "--now" in caught.value.fix


def test_the_decision_session_waits_for_the_lag():
    close = calendar("XNYS").close_of(date(2013, 8, 7))

    assert decision_session(Config(), close + timedelta(minutes=15)) == date(2013, 8, 7)
    assert decision_session(Config(), close + timedelta(minutes=14)) == date(2013, 8, 6)
