"""Polars: Alpha158 of a panel to a frame in memory, to a Parquet file, or of the last session only.

Grouped by symbol, all columns in one aggregation: the fastest of the ways tried. The rows of the extremes come from
windows put together of shorter ones, before the aggregation. Reading the panel is not counted, except for ``--last``.
"""

import argparse

import numpy as np
import polars as pl
from measuring import SAMPLE_STEP, Cost, names, tell

WINDOWS = (5, 10, 20, 30, 60)
HALVES = {2: (1, 1), 4: (2, 2), 5: (4, 1), 10: (5, 5), 20: (10, 10), 30: (20, 10), 60: (30, 30)}
"""A window of so many bars is the newer so many and the older so many."""
GUARD, FLAT = 1e-12, 2e-5

O, H, L, C, V, W = (pl.col(name) for name in ("open", "high", "low", "close", "volume", "vwap"))  # noqa: E741 - bars
ROW = pl.col("row")


def change(x: pl.Expr) -> pl.Expr:
    return x - x.shift(1)


def of_bar() -> dict[str, pl.Expr]:
    top, bottom, span = pl.max_horizontal(O, C), pl.min_horizontal(O, C), H - L + GUARD
    return {
        "KMID": (C - O) / O, "KLEN": (H - L) / O, "KMID2": (C - O) / span,
        "KUP": (H - top) / O, "KUP2": (H - top) / span,
        "KLOW": (bottom - L) / O, "KLOW2": (bottom - L) / span, "KSFT": (2 * C - H - L) / O,
        "KSFT2": (2 * C - H - L) / span, "OPEN0": O / C, "HIGH0": H / C, "LOW0": L / C, "VWAP0": W / C,
    }  # fmt: skip


def of_window(w: int) -> dict[str, pl.Expr]:
    def mean(x: pl.Expr) -> pl.Expr:
        return x.rolling_mean(w, min_samples=1)

    def std(x: pl.Expr) -> pl.Expr:
        return x.rolling_std(w, min_samples=2)

    def corr(x: pl.Expr, y: pl.Expr) -> pl.Expr:
        found = pl.rolling_corr(x, y, window_size=w, min_samples=2)
        return pl.when((std(x) > FLAT) & (std(y) > FLAT)).then(found)

    def moves(x: pl.Expr) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
        up = change(x).clip(lower_bound=0).rolling_sum(w, min_samples=1)
        down = (-change(x)).clip(lower_bound=0).rolling_sum(w, min_samples=1)
        size = change(x).abs().rolling_sum(w, min_samples=1) + GUARD
        return up / size, down / size, (up - down) / size

    slope = pl.rolling_cov(ROW, C, window_size=w, min_samples=2) / ROW.rolling_var(w, min_samples=2)
    first = pl.max_horizontal(ROW - (w - 1), pl.lit(0.0))
    high_at, low_at = pl.col(f"high_at{w}") - first + 1, pl.col(f"low_at{w}") - first + 1
    highest, lowest = H.rolling_max(w, min_samples=1), L.rolling_min(w, min_samples=1)
    quantiles = (C.rolling_quantile(q, interpolation="linear", window_size=w, min_samples=1) / C for q in (0.8, 0.2))
    upper, lower = quantiles
    up, down = (mean((change(C) * sign > 0).fill_null(value=False).cast(pl.Float64)) for sign in (1, -1))
    relative, volumes = C / C.shift(1), (V / V.shift(1) + 1).log()
    weighted = (relative - 1).abs() * V
    gain, loss, net = moves(C)
    more, less, more_net = moves(V)
    return {
        "ROC": C.shift(w) / C, "MA": mean(C) / C, "STD": std(C) / C, "BETA": slope / C,
        "RSQR": pl.when(std(C) > FLAT).then(pl.rolling_corr(ROW, C, window_size=w, min_samples=2) ** 2),
        "RESI": (C - mean(C) - slope * (ROW - mean(ROW))) / C, "MAX": highest / C, "MIN": lowest / C,
        "QTLU": upper, "QTLD": lower,
        "RANK": C.rolling_rank(w, method="average", min_samples=1) / pl.min_horizontal(ROW + 1, pl.lit(float(w))),
        "RSV": (C - lowest) / (highest - lowest + GUARD), "IMAX": high_at / w, "IMIN": low_at / w,
        "IMXD": (high_at - low_at) / w, "CORR": corr(C, (V + 1).log()), "CORD": corr(relative, volumes),
        "CNTP": up, "CNTN": down, "CNTD": up - down, "SUMP": gain, "SUMN": loss, "SUMD": net,
        "VMA": mean(V) / (V + GUARD), "VSTD": std(V) / (V + GUARD), "WVMA": std(weighted) / (mean(weighted) + GUARD),
        "VSUMP": more, "VSUMN": less, "VSUMD": more_net,
    }  # fmt: skip


def with_places(bars: pl.LazyFrame) -> pl.LazyFrame:
    """Add the row of each window's highest high and lowest low, the oldest of equals."""
    bars = bars.with_columns(pl.int_range(pl.len()).cast(pl.Float64).over("symbol").alias("row"))
    bars = bars.with_columns(high_best1=H, low_best1=L, high_at1=ROW, low_at1=ROW)
    for w, (newer, older) in HALVES.items():
        added = []
        for side in ("high", "low"):
            best, at = pl.col(f"{side}_best{newer}"), pl.col(f"{side}_at{newer}")
            past, past_at = (pl.col(f"{side}_{part}{older}").shift(newer) for part in ("best", "at"))
            wins = (past >= best) if side == "high" else (past <= best)
            added += [pl.when(wins).then(past).otherwise(best).over("symbol").alias(f"{side}_best{w}"),
                      pl.when(wins).then(past_at).otherwise(at).over("symbol").alias(f"{side}_at{w}")]  # fmt: skip
        bars = bars.with_columns(added)
    return bars


def alpha158(bars: pl.LazyFrame) -> pl.LazyFrame:
    columns = of_bar() | {f"{name}{w}": column for w in WINDOWS for name, column in of_window(w).items()}
    wanted = [columns[name].cast(pl.Float32).alias(name) for name in names()]
    grouped = with_places(bars).group_by("symbol", maintain_order=True).agg("session", *wanted)
    return grouped.explode("session", *names())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("panel")
    parser.add_argument("--symbols", type=int, help="only the first so many")
    parser.add_argument("--sink", help="write the columns to this Parquet file (zstd, level 1) instead of keeping them")
    parser.add_argument("--last", help="read, compute and write the last session only, to this file")
    parser.add_argument("--sample", help="keep some rows here, as a NumPy file")
    chosen = parser.parse_args()
    bars = pl.scan_parquet(chosen.panel)
    if chosen.symbols:
        bars = bars.filter(pl.col("symbol") < f"S{chosen.symbols:04d}")
    if chosen.last:
        days = bars.select(pl.col("session").unique().sort()).collect()["session"]
        with Cost() as cost:
            recent = pl.scan_parquet(chosen.panel).filter(pl.col("session") >= days[-61])
            found = alpha158(recent).filter(pl.col("session") == days[-1]).collect()
            found.write_parquet(chosen.last, compression="zstd", compression_level=1)
    elif chosen.sink:
        held = bars.collect().lazy()
        with Cost() as cost:
            alpha158(held).sink_parquet(chosen.sink, compression="zstd", compression_level=1)
        found = pl.read_parquet(chosen.sink) if chosen.sample else pl.DataFrame()
    else:
        held = bars.collect().lazy()
        with Cost() as cost:
            found = alpha158(held).collect()
    if chosen.sample:
        step = 1 if chosen.last else SAMPLE_STEP
        np.save(chosen.sample, found.sort("symbol", "session").gather_every(step).select(names()).to_numpy())
    work = "day" if chosen.last else "file" if chosen.sink else "memory"
    tell("polars", work, cost, rows=bars.select(pl.len()).collect().item(), version=pl.__version__)


if __name__ == "__main__":
    main()
