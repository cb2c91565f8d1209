"""Size of movements, from closes and from the whole bar."""

from math import log

from aitrader.features.bars import log_return, most, true_range
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, minimum


@feature
def volatility(close: Expr, *, bars: int = 20) -> Expr:
    """Standard deviation of log returns over ``bars`` bars.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` returns are there.

    Source: Hull (2018), Options, Futures and Other Derivatives, sec. 15.4, not annualised.
    """
    return log_return(close).std(bars, _enough(bars))


@feature
def volatility_ratio(close: Expr, *, short: int = 10, long: int = 60) -> Expr:
    """Recent volatility over the usual one, as a logarithm.

    Unit: log ratio, 0 when both are equal. NaN until four fifths of the ``long`` returns are there, and where one is 0.

    Source: volatility over ``short`` and over ``long`` bars.
    """
    return (volatility(close, bars=short) / volatility(close, bars=long)).log()


@feature
def volatility_rank(close: Expr, *, bars: int = 60) -> Expr:
    """Place of a symbol's volatility among the members'.

    Unit: rank, 0 to 1 with mean 1/2. NaN where volatility is, for others than members, and with too few of them.

    Source: Ang, Hodrick, Xing & Zhang (2006), J. Finance 61(1), who sort by it.
    """
    return volatility(close, bars=bars).rank_across()


@feature
def downside_volatility(close: Expr, *, bars: int = 20) -> Expr:
    """Root of the mean squared negative log return over ``bars`` bars.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` returns are there.

    Source: Sortino & van der Meer (1991), J. Portfolio Management 17(4), target 0.
    """
    return (minimum(log_return(close), 0) ** 2).mean(bars, _enough(bars)).sqrt()


@feature(raw_level=True)
def atr(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's average true range.

    Unit: USD. NaN until ``bars + 1`` bars are there.

    Source: Wilder (1978), New Concepts, sec. III; TA-Lib ATR.
    """
    return true_range(high, low, close).wilder(bars)


@feature
def natr(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's average true range over the close.

    Unit: percent of the close. NaN until ``bars + 1`` bars are there.

    Source: TA-Lib NATR.
    """
    return 100 * atr(high, low, close, bars=bars) / close


@feature
def bollinger_position(close: Expr, *, bars: int = 20, width: float = 2.0) -> Expr:
    """Where between its Bollinger bands the close lies.

    Unit: -1 at the lower band, 1 at the upper. NaN until ``bars`` bars are there, and where the close is constant.

    Source: Bollinger (2001), Bollinger on Bollinger Bands, ch. 8 (%b, centred); TA-Lib BBANDS.
    """
    return (close - close.mean(bars)) / (width * close.std(bars, ddof=0))


@feature
def bollinger_width(close: Expr, *, bars: int = 20, width: float = 2.0) -> Expr:
    """Distance between the Bollinger bands over the middle one.

    Unit: fraction of the mean. NaN until ``bars`` bars are there.

    Source: Bollinger (2001), Bollinger on Bollinger Bands, ch. 8 (BandWidth); TA-Lib BBANDS.
    """
    return 2 * width * close.std(bars, ddof=0) / close.mean(bars)


@feature
def parkinson(high: Expr, low: Expr, *, bars: int = 20) -> Expr:
    """Volatility from highs and lows.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` bars are there.

    Source: Parkinson (1980), J. Business 53(1), eq. 8.
    """
    return ((high / low).log() ** 2 / (4 * log(2))).mean(bars, _enough(bars)).sqrt()


@feature
def garman_klass(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Volatility from open, high, low and close, without drift and gaps.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` bars are there.

    Source: Garman & Klass (1980), J. Business 53(1), eq. 20, in its practical form.
    """
    spread, body = (high / low).log(), (close / open).log()
    return (spread**2 / 2 - (2 * log(2) - 1) * body**2).mean(bars, _enough(bars)).sqrt()


@feature
def rogers_satchell(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Volatility from open, high, low and close that allows for drift.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` bars are there.

    Source: Rogers & Satchell (1991), Annals of Applied Probability 1(4), eq. 3.
    """
    return _rogers_satchell(open, high, low, close).mean(bars, _enough(bars)).sqrt()


@feature
def yang_zhang(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Volatility from gaps, open, high, low and close that allows for drift.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` returns are there.

    Source: Yang & Zhang (2000), J. Business 73(3), eq. 7 and 10.
    """
    if bars < 2:
        raise ValueError(f"yang_zhang: bars = {bars} is less than 2")
    part = 0.34 / (1.34 + (bars + 1) / (bars - 1))
    overnight = (open / close.shift(1)).log().var(bars, _enough(bars))
    body = (close / open).log().var(bars, _enough(bars))
    inside = _rogers_satchell(open, high, low, close).mean(bars, _enough(bars))
    return (overnight + part * body + (1 - part) * inside).sqrt()


@feature
def ewma_volatility(close: Expr, *, span: int = 32) -> Expr:
    """Root of the exponential mean of squared log returns; 32 bars forget by 0.939 per bar.

    Unit: fraction per bar. NaN until ``span + 1`` bars are there.

    Source: J.P. Morgan (1996), RiskMetrics Technical Document, sec. 5.2, decay 0.94 for daily data.
    """
    return (log_return(close) ** 2).ema(span).sqrt()


@feature
def volatility_of_volatility(close: Expr, *, short: int = 10, long: int = 60) -> Expr:
    """Standard deviation of the volatility over ``short`` bars during ``long`` bars, over its mean.

    Unit: ratio. NaN until four fifths of the ``long`` volatilities are there, and where their mean is 0.

    Source: Baltussen, van Bekkum & van der Grient (2018), J. Financial and Quantitative Analysis 53(4), realised.
    """
    size = volatility(close, bars=short)
    return size.std(long, _enough(long)) / size.mean(long, _enough(long))


@feature
def overnight_share(open: Expr, close: Expr, *, bars: int = 60) -> Expr:
    """Share of the variance between closes that gaps make, as against the moves within sessions.

    Unit: share, 0 to 1. NaN until four fifths of the ``bars`` gaps are there, and where the price is constant.

    Source: Lou, Polk & Skouras (2019), J. Financial Economics 134(1), their two parts of a return.
    """
    gaps = (open / close.shift(1)).log().var(bars, _enough(bars))
    return gaps / (gaps + (close / open).log().var(bars, _enough(bars)))


@feature
def relative_volatility_index(close: Expr, *, bars: int = 10, smooth: int = 14) -> Expr:
    """Standard deviation of closes on rising bars, over that on rising and falling ones: RSI's form.

    Unit: percent, 0 to 100. NaN until ``bars + smooth - 1`` bars are there, and while the close never moved.

    Source: Dorsey (1993), Stocks & Commodities 11(6), with Wilder's means.
    """
    spread, change = close.std(bars, ddof=0), close - close.shift(1)
    rise, fall = ((change > 0) * spread).wilder(smooth), ((change < 0) * spread).wilder(smooth)
    return 100 * rise / (rise + fall)


@feature
def relative_true_range(high: Expr, low: Expr, close: Expr) -> Expr:
    """True range of the bar over the close before.

    Unit: fraction of the close before. NaN on a symbol's first bar and after a missing one.

    Source: Wilder (1978), New Concepts, sec. III; TA-Lib TRANGE.
    """
    return true_range(high, low, close) / close.shift(1)


@feature
def range_expansion(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """True range of the bar over the mean true range of the ``bars`` bars before, as a logarithm.

    Unit: log ratio, 0 for a usual bar. NaN until ``bars + 2`` bars are there, and where one is 0.

    Source: Crabel (1990), Day Trading with Short Term Price Patterns, contraction and expansion.
    """
    spread = true_range(high, low, close)
    return (spread / spread.mean(bars).shift(1)).log()


@feature
def choppiness(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Sum of the true ranges over the range of all ``bars`` bars, on a logarithmic scale.

    Unit: percent, near 0 in a trend, 100 in a sideways market, and more where the window begins with a gap. NaN until
    ``bars + 1`` bars are there, and where the range is 0.

    Source: Dreiss (1993), Choppiness Index; TradingView, Choppiness Index.
    """
    if bars < 2:
        raise ValueError(f"choppiness: bars = {bars} is less than 2")
    way = true_range(high, low, close).sum(bars) / (high.max(bars) - low.min(bars))
    return 100 / log(bars) * way.log()


@feature
def mass_index(high: Expr, low: Expr, *, span: int = 9, bars: int = 25) -> Expr:
    """Exponential mean of the range over that mean's own mean, summed over ``bars`` bars.

    Unit: ratio times bars, about ``bars``. NaN until ``2 * span + bars - 2`` bars are there.

    Source: Dorsey (1992), Stocks & Commodities 10(6).
    """
    mean = (high - low).ema(span)
    return (mean / mean.ema(span)).sum(bars)


@feature
def chaikin_volatility(high: Expr, low: Expr, *, bars: int = 10) -> Expr:
    """Change over ``bars`` bars of the exponential mean of the range.

    Unit: percent. NaN until ``2 * bars`` bars are there.

    Source: Achelis (2001), Technical Analysis from A to Z, Chaikin's volatility; Tulip CVI.
    """
    mean = (high - low).ema(bars)
    return 100 * (mean / mean.shift(bars) - 1)


@feature
def ulcer_index(close: Expr, *, bars: int = 14) -> Expr:
    """Root of the mean squared fall below the highest close of ``bars`` bars.

    Unit: percent. NaN until ``2 * bars - 1`` bars are there.

    Source: Martin & McCann (1989), The Investor's Guide to Fidelity Funds, app. B.
    """
    fall = 100 * (close / close.max(bars) - 1)
    return (fall**2).mean(bars).sqrt()


@feature
def drawdown(close: Expr, *, bars: int = 60) -> Expr:
    """Deepest fall of the last ``bars`` bars: each close against the highest of the ``bars`` bars up to it.

    Unit: fraction, at most 0. NaN until ``2 * bars - 1`` bars are there.

    Source: Magdon-Ismail & Atiya (2004), Risk 17(10), with a peak at most ``bars`` bars old.
    """
    return (close / close.max(bars) - 1).min(bars)


def _rogers_satchell(open_: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    return (high / close).log() * (high / open_).log() + (low / close).log() * (low / open_).log()


def _enough(bars: int) -> int:
    return max(2, most(bars)) if bars > 1 else 1
