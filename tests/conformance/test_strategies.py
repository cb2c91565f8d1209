"""What every strategy must do. To add one: its line in ``STRATEGIES``, and in ``SETTINGS`` what it must be told."""

from datetime import UTC, date, datetime
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.config.fields import Section
from aitrader.config.section import parse_section
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.errors import DataError
from aitrader.portfolio import ALLOCATORS
from aitrader.registry import lookup
from aitrader.strategies import STRATEGIES
from aitrader.strategies.strategy import tradable

SETTINGS = {"model_driven": {"model": "m", "top": "3"}}

numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


def made(kind):
    found = lookup("strategies", STRATEGIES, kind)
    settings = parse_section(found.Settings, SETTINGS.get(kind, {}), "strategies.one.params")
    return found.from_settings(settings, allocators=lambda name: lookup("allocators", ALLOCATORS, name))


@st.composite
def snapshots(draw):
    count = draw(st.integers(1, 8))

    def column(values):
        return np.array(draw(st.lists(values, min_size=count, max_size=count)))

    return MarketSnapshot(
        session=date(2013, 8, 7),
        decided_at=datetime(2013, 8, 7, 20, 15, tzinfo=UTC),
        symbols=tuple(Symbol(f"S{place}") for place in range(count)),
        members=column(st.booleans()),
        close=column(st.one_of(st.just(float("nan")), st.floats(0.01, 1000))),
        stale=column(st.integers(-1, 3)),
        volume20=column(st.floats(0, 1e9)),
        features={},
        predictions={"m": column(numbers)},
    )


def answer(strategy, snapshot):
    try:
        return strategy.targets(snapshot)
    except DataError as refusal:
        return str(refusal)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_its_settings_are_a_section_with_a_docstring_for_every_field(kind):
    settings = lookup("strategies", STRATEGIES, kind).Settings

    assert issubclass(settings, Section)
    assert all(field.description for field in settings.model_fields.values())


@pytest.mark.parametrize("kind", STRATEGIES)
@given(snapshot=snapshots())
def test_weights_are_finite_within_one_and_of_tradable_symbols(kind, snapshot):
    targets = answer(made(kind), snapshot)

    if isinstance(targets, str):
        return
    buyable = {symbol for symbol, good in zip(snapshot.symbols, tradable(snapshot), strict=True) if good}
    assert set(targets) <= buyable
    assert np.isfinite(list(targets.values())).all()
    assert sum(abs(weight) for weight in targets.values()) <= 1 + 1e-9


@pytest.mark.parametrize("kind", STRATEGIES)
@given(snapshot=snapshots())
def test_the_same_snapshot_gives_the_same_answer_and_is_not_changed(kind, snapshot):
    columns = [snapshot.members, snapshot.close, snapshot.stale, snapshot.volume20, *snapshot.predictions.values()]
    before = [column.copy() for column in columns]

    assert answer(made(kind), snapshot) == answer(made(kind), snapshot)
    for column, kept in zip(columns, before, strict=True):
        np.testing.assert_array_equal(column, kept)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_it_names_what_it_needs(kind):
    strategy = made(kind)

    assert isinstance(strategy.needs_models, tuple)
    assert isinstance(strategy.needs_features, tuple)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_the_order_of_the_symbols_does_not_matter(kind):
    generator = np.random.default_rng(5)
    count = 8
    columns = {
        "members": np.ones(count, bool),
        "close": generator.uniform(5, 50, count),
        "stale": np.zeros(count, np.int64),
        "volume20": np.full(count, 1e6),
    }
    predictions = generator.integers(0, 4, count).astype(float)
    shuffled = generator.permutation(count)
    names = np.array([f"S{place}" for place in range(count)])

    def market(order):
        return MarketSnapshot(
            date(2013, 8, 7),
            datetime(2013, 8, 7, 20, 15, tzinfo=UTC),
            tuple(Symbol(name) for name in names[order]),
            **{name: values[order] for name, values in columns.items()},
            features=MappingProxyType({}),
            predictions={"m": predictions[order]},
        )

    assert made(kind).targets(market(np.arange(count))) == made(kind).targets(market(shuffled))
