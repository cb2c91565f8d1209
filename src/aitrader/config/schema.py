"""The settings: typed, frozen, strict. Each section is one file under ``config/``.

Docstrings under the fields are the comments of the files that ``aitrader init`` writes.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from aitrader.config.fields import FeatureItem, Name, Opaque, Section, Share, Ticker, Weekday, share
from aitrader.domain.orders import Entry


class Data(Section):
    """Where bars come from, and what counts as enough of them."""

    source: str | None = None
    """The source that `backfill` fetches from and every other command reads; needed only when the lake holds bars of
    more than one source. Built in: sample, sp500_sample, files, yahoo, alpaca."""
    sources: dict[str, Opaque] = Field(default_factory=dict)
    """Settings of single sources by name, for example `files: {path: prices/}`."""
    calendar: Literal["XNYS", "24/7"] = "XNYS"
    """The sessions of the venue: XNYS (US stocks and ETFs) or 24/7 (crypto, UTC days)."""
    start: date | None = None
    """First session to fetch and to read; default: all that there is."""
    end: date | None = None
    """Last session to fetch and to read; default: all that there is."""
    lag_minutes: NonNegativeInt = 15
    """Minutes after a session's close until its bar counts as known."""
    min_coverage: Share = 0.98
    """Least share of the last session's members that must have a bar; below it the data are not fit for use."""
    adjustment: dict[str, Literal["raw", "split", "total"]] = Field(default_factory=dict)
    """Overrides, by source, of what the stored series says its prices are adjusted for."""


class Universe(Section):
    """Which symbols are looked at, and which of them may be bought on a session."""

    symbols: tuple[Ticker, ...] | None = None
    """The symbols to look at; default: every symbol in the lake. Quote tickers such as "NULL"."""
    allow: tuple[Ticker, ...] = ()
    """If not empty, only these may be bought."""
    deny: tuple[Ticker, ...] = ()
    """Never bought."""
    groups: str | None = None
    """A CSV or Parquet file of the columns symbol, and sector or industry, for features that compare within them; a
    column `from` (YYYY-MM-DD) may date its rows. The path begins at the root. docs/features.md says more."""
    market: str = "universe_mean"
    """The reference series of features such as beta: a symbol, or `universe_mean` (the members' mean return)."""
    min_price: NonNegativeFloat = 0.0
    """Least close as traded, USD. Refused on adjusted prices, where it would look ahead."""
    min_dollar_volume: NonNegativeFloat = 0.0
    """Least mean daily value traded over 20 sessions, USD."""
    min_history: NonNegativeInt = 60
    """Bars a symbol needs before it is a member."""


class Quality(Section):
    """Thresholds of the data checks."""

    max_gap: PositiveFloat = 0.20
    """An open further than this from the last close before it is a warning; it never quarantines."""


class Features(Section):
    """Which features are computed, and features of your own as text."""

    sets: dict[str, tuple[FeatureItem, ...]] = Field(default_factory=dict)
    """Your own feature sets: lists of names, of `name: {setting: value}`, of patterns such as `candle_*`, of families
    such as `family:volume`, of custom features and of other sets. `aitrader features ls` lists what there is."""
    custom: dict[str, str] = Field(default_factory=dict)
    """Your own features: `my_gap: "open / close.shift(1) - 1"`. The language has no word for the future. It knows the
    columns open high low close volume, every built-in feature, as `rsi(bars=5)`, numbers, + - * / **, comparisons
    (1 or 0), where(a, b, c), and operators such as shift(n), mean(n), std(n), max(n), ema(n), corr(other, n),
    rank_across(); docs/features.md lists them all. `aitrader features test` proves that yours keep the rules."""
    compute: tuple[str, ...] = ("alpha158_full",)
    """The sets that `calculate-features` stores."""
    min_names: PositiveInt = 10
    """Members a session needs for a cross-sectional value; fewer give none."""
    max_memory: PositiveFloat = 4.0
    """Gigabytes (2^30 bytes) that `calculate-features` keeps within; longer histories are computed a part at a time."""


class Labels(Section):
    """What the models learn to predict."""

    horizon: PositiveInt = 5
    """Sessions from entry to exit; both at the price of `execution.entry`."""
    excess: bool = True
    """Subtract the mean of the session's cross-section (needs `features.min_names` names)."""


class Retrain(Section):
    """The walk-forward schedule. Lengths are in sessions."""

    every: PositiveInt = 252
    """A new fold begins every so many sessions."""
    window: PositiveInt = 1260
    """Training span; 1260 sessions are five years."""


class Gate(Section):
    """What a model must reach out of fold before it may trade."""

    min_rank_ic_lower: FiniteFloat = 0.0
    """The lower 95% bound of the mean rank IC must lie above this."""


class Training(Section):
    """How history is cut, how the fitted parts are prepared, and what passes."""

    retrain: Retrain = Retrain()
    """The walk-forward schedule, counted from the first session with a full window."""
    embargo: NonNegativeInt | None = None
    """Sessions kept out between training and test beyond the purge; a number may only lengthen what the label sets."""
    seed: NonNegativeInt = 7
    """Seed of everything random."""
    bootstrap_samples: Annotated[int, Field(ge=200)] = 2000
    """Samples of the stationary block bootstrap over sessions."""
    winsorize: Share = 0.01
    """Share cut off at each end of a feature by the fitted transformer."""
    gate: Gate = Gate()
    """What a model must reach to pass."""


class ModelSettings(Section):
    """One model: a kind, a feature set, and the kind's own settings."""

    kind: str
    """lightgbm or ridge."""
    features: str = "alpha158_full"
    """The feature set it learns from."""
    params: Opaque = Field(default_factory=dict)
    """Settings of the kind; see `aitrader config schema`."""


class StrategySettings(Section):
    """One strategy inside the book: a kind and its own settings."""

    kind: str
    """model_driven or equal_weight."""
    rebalance: Weekday | PositiveInt = "wednesday"
    """A weekday (no session: the next one), or every N sessions counted from a fixed date."""
    params: Opaque = Field(default_factory=dict)
    """Settings of the kind; see `aitrader config schema`."""


class ScannerSettings(Section):
    """One scanner: a kind and its own settings."""

    kind: str
    """model or rule."""
    params: Opaque = Field(default_factory=dict)
    """Settings of the kind; see `aitrader config schema`."""


class Portfolio(Section):
    """How target weights become shares."""

    invested: Share = 0.98
    """Share of equity that the strategies together may use; the rest stays cash."""
    no_trade_band: Share = 0.005
    """A position closer than this (share of equity) to its target is left alone."""
    fractional: bool = False
    """Trade fractions of shares."""


class Costs(Section):
    """What trading costs in the simulation."""

    commission_per_share: NonNegativeFloat = 0.0
    """USD per share."""
    commission_bps: NonNegativeFloat = 0.0
    """Basis points of the traded value."""
    spread_bps: NonNegativeFloat = 10.0
    """Full bid-ask spread in basis points of the price; half is paid on each fill outside auctions."""
    impact_bps: NonNegativeFloat = 10.0
    """Slippage in basis points when the whole volume cap is used; falls with the square of the share used."""
    max_volume_share: Share = 0.10
    """Most of a session's usual volume that one order may fill."""


class Execution(Section):
    """When and how orders enter the market, and what that costs in the simulation."""

    entry: Entry = Entry.AFTER_OPEN
    """open_auction, after_open (from five minutes after the open), close_auction or vwap. Sets the label's prices, the
    simulated fill, and the live order type and send time."""
    costs: Costs = Costs()
    """Costs of the simulation."""

    @property
    def auction(self) -> bool:
        """Whether the entry is an auction, which takes whole shares only."""
        return self.entry in (Entry.OPEN_AUCTION, Entry.CLOSE_AUCTION)


class Risk(Section):
    """Pre-trade limits and breakers. A breach refuses the order with a reason; nothing is clipped silently.

    `aitrader validate --controls` tries a breach of each.
    """

    max_order_equity_share: Share = 0.10
    """Largest order, as a share of equity."""
    max_order_qty: PositiveFloat = 10_000.0
    """Largest order, in shares."""
    max_order_adv_share: Share = 0.01
    """Largest order, as a share of the mean daily volume of 20 sessions."""
    price_collar: Share = 0.03
    """Furthest that a limit price may lie from the fresh mid."""
    max_gap_from_close: Share = 0.20
    """Furthest that the fresh price may lie from the price an order was planned with."""
    max_position: Share = 0.10
    """Largest position, as a share of equity."""
    max_gross: Annotated[FiniteFloat, BeforeValidator(share), Field(ge=0, le=4)] = 1.0
    """Largest sum of absolute positions, as a share of equity."""
    max_net: Annotated[FiniteFloat, BeforeValidator(share), Field(ge=0, le=4)] = 1.0
    """Largest sum of signed positions, as a share of equity."""
    cash_reserve: Share = 0.02
    """Share of equity that buys must leave in cash."""
    max_bar_sessions_old: NonNegativeInt = 0
    """Sessions since a symbol's last bar; older is stale and not bought."""
    max_order_notional: PositiveFloat | None = None
    """Largest order, in USD; must be set in live."""
    duplicate_window_s: NonNegativeFloat = 0.0
    """Seconds in which a symbol is not ordered again on the same side; one decision never orders it twice anyway."""
    max_orders_per_min: PositiveInt = 20
    """Orders sent in a minute; more wait."""
    max_orders_per_run: PositiveInt = 200
    """Orders sent by one command; the rest is refused, and live halts."""
    max_orders_per_day: PositiveInt = 400
    """Orders sent on one day (UTC); the rest is refused, and live halts."""
    max_orders_per_symbol_day: PositiveInt = 8
    """Orders sent of one symbol on one day (UTC); the rest is refused, and live halts."""
    max_daily_loss: Share = 0.02
    """Loss of equity from close to close, as a share of it, that halts the book."""
    max_drawdown: Share = 0.10
    """Loss of equity from its highest close, as a share of it, that halts the book."""
    max_rejects_per_run: PositiveInt = 5
    """Orders of one command that the broker may refuse; then the book halts."""
    max_unknown_orders: PositiveInt = 2
    """Orders of unknown outcome in one session that halt the book; the first holds its symbol."""
    max_model_sessions_old: PositiveInt = 252
    """Sessions since the last price that a model learned from; an older model decides nothing."""


class Schedule(Section):
    """When orders may leave."""

    no_orders_first_min: NonNegativeInt = 5
    """Minutes after the open in which no order leaves; auction entries excepted."""
    no_orders_last_min: NonNegativeInt = 5
    """Minutes before the close in which no order leaves; auction entries excepted."""


class AccountSettings(Section):
    """The account behind the book."""

    kind: Literal["simulated"] = "simulated"
    """simulated: a paper account in a file of its own, filled from the lake's bars."""
    cash: Annotated[Decimal, Field(gt=0)] = Decimal(100_000)
    """Cash that a new simulated account begins with, USD."""
    settlement: Literal["cash_t1", "margin"] = "cash_t1"
    """cash_t1: a sale settles on the next session; it may pay for a buy before, and what it bought is not sold before.
    margin: everything settles at once."""
    faults: Opaque = Field(default_factory=dict)
    """Faults of the connection to a simulated account, to rehearse with: `{seed: 7, rate: 20%}`; empty: none."""


class Reconcile(Section):
    """How closely the book must agree with the broker's."""

    qty_tol: NonNegativeFloat = 0.000001
    """Shares by which a position may differ."""
    cash_tol: NonNegativeFloat = 0.01
    """USD by which cash may differ, and half a cent more for each fill."""


class Backtest(Section):
    """The replay of the past."""

    start: date | None = None
    """First session; default: the first with an out-of-fold prediction."""
    end: date | None = None
    """Last session; default: the last in the lake."""
    cash: Annotated[Decimal, Field(gt=0)] = Decimal(100_000)
    """Starting cash, USD."""


class Config(Section):
    """Everything a user may say."""

    mode: Literal["paper", "live"] = "paper"
    """paper or live; live also needs `--live` on the command."""
    book: Name = "main"
    """The book (one account) where `--book` names none: at most 12 letters, digits and underscores, such as main."""
    data: Data = Data()
    """Where bars come from."""
    universe: Universe = Universe()
    """Which symbols are looked at."""
    quality: Quality = Quality()
    """Thresholds of the data checks."""
    features: Features = Features()
    """What is known at decision time."""
    labels: Labels = Labels()
    """What the models learn to predict."""
    training: Training = Training()
    """How history is cut, and what passes."""
    models: dict[Name, ModelSettings] = Field(default_factory=dict)
    """The models, by name."""
    strategies: dict[Name, StrategySettings] = Field(default_factory=dict)
    """The strategies of the book, by name."""
    scanners: dict[Name, ScannerSettings] = Field(default_factory=dict)
    """The scanners, by name."""
    portfolio: Portfolio = Portfolio()
    """How target weights become shares."""
    execution: Execution = Execution()
    """When and how orders enter."""
    risk: Risk = Risk()
    """Pre-trade limits."""
    schedule: Schedule = Schedule()
    """When orders may leave."""
    account: AccountSettings = AccountSettings()
    """The account behind the book."""
    reconcile: Reconcile = Reconcile()
    """How closely the book must agree with the broker's."""
    backtest: Backtest = Backtest()
    """The replay of the past."""

    @model_validator(mode="after")
    def _auctions_take_whole_shares(self) -> "Config":
        if self.execution.auction and self.portfolio.fractional:
            raise ValueError("portfolio.fractional and an auction entry (execution.entry) exclude each other")
        return self

    @model_validator(mode="after")
    def _live_has_a_largest_order(self) -> "Config":
        if self.mode == "live" and self.risk.max_order_notional is None:
            raise ValueError("mode live needs risk.max_order_notional, the largest order in USD")
        return self
