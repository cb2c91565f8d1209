import numpy as np
import pytest

from aitrader.errors import ConfigError
from aitrader.features.compute import compute
from aitrader.features.feature import spec_of
from aitrader.features.resolve import resolve


def _closes(returns):
    ones = np.ones((len(returns), 1))
    return 100 * np.cumprod(np.concatenate([ones, 1 + np.array(returns)], axis=1), axis=1)


@pytest.fixture(scope="module")
def returns():
    """Three series: one drives the second a bar later, the third goes its own way."""
    drive, own, noise = np.random.default_rng(3).normal(0, 0.01, (3, 300))
    return np.array([drive, np.roll(drive, 1) + noise / 4, own])


def test_a_chosen_symbol_is_compared_with(value, returns):
    got = value("asset_correlation", _closes(returns), asset="S002")[:, -1]

    expected = [np.corrcoef(row[-60:], returns[2, -60:])[0, 1] for row in returns]
    assert got == pytest.approx(expected, abs=1e-6)
    assert value("asset_beta", _closes(returns), asset="S002")[2, -1] == pytest.approx(1)


def test_without_a_choice_it_is_the_members_mean(registry):
    assert registry["asset_correlation"].expression() == registry["market_correlation"].expression()


def test_the_one_that_moves_first_leads(value, returns):
    lead = value("lead_lag", _closes(returns), market="S000")[:, -1]
    chosen = value("asset_lead_lag", _closes(returns), asset="S001")[:, -1]

    assert lead[1] < -0.8
    assert chosen[0] > 0.8
    assert value("lagged_market_correlation", _closes(returns), market="S000")[1, -1] > 0.9


def test_a_symbol_a_bar_late_has_all_of_its_delay(value, returns):
    delay = value("price_delay", _closes(returns), market="S000")[:, -1]

    assert delay[1] > 0.95
    assert delay[0] == pytest.approx(0, abs=1e-6)


def test_falling_markets_alone_may_bind(value):
    market, own = np.random.default_rng(7).normal(0, 0.01, (2, 250))
    returns = [market, np.where(market < 0, market, own)]

    assert value("downside_correlation", _closes(returns), market="S000")[1, -1] == pytest.approx(1, abs=1e-6)
    assert value("correlation_asymmetry", _closes(returns), market="S000")[1, -1] > 0.7


def test_a_symbol_alike_to_its_peers_and_one_unlike(value):
    common, own = np.random.default_rng(9).normal(0, 0.01, (2, 60))
    closes = _closes([common, common, common, own])

    peers = value("peer_correlation", closes)[:, -1]

    assert (peers[:3] > 0.6).all()
    assert abs(peers[3]) < 0.3
    assert value("average_correlation", closes)[:, -1] == pytest.approx([peers.mean()] * 4, abs=1e-6)
    assert 0.7 < value("eigenvalue_share", closes)[0, -1] < 0.85


def test_a_market_number_is_told_where_the_symbol_has_a_return(value, returns):
    closes = _closes(returns)
    closes[2, -3:] = np.nan

    for name in ("average_correlation", "eigenvalue_share"):
        assert np.isfinite(value(name, closes)[:2, -1]).all()
        assert np.isnan(value(name, closes)[2, -3:]).all()


def test_a_sector_is_left_out_of_families_and_asked_for_by_name(registry, make_panel):
    specs = resolve(["sector_correlation"], sets={}, custom={})
    panel = make_panel({"close": np.ones((3, 5))})

    assert not any(spec.name.startswith("sector") for spec in resolve(["family:correlation"], sets={}, custom={}))
    with pytest.raises(ConfigError, match=r"sector_correlation .* sector"):
        compute(panel, specs, min_names=1)


def test_a_break_of_the_correlation_is_seen(value):
    market, own = np.random.default_rng(8).normal(0, 0.01, (2, 120))
    returns = [market, np.r_[market[:100], own[100:]]]

    assert value("correlation_change", _closes(returns), market="S000")[1, -1] < -0.5


def test_a_setting_names_a_symbol_in_text_and_in_yaml():
    specs = resolve(["asset_beta(asset=BRK.B, bars=60)", {"asset_beta": {"asset": "SPY"}}], sets={}, custom={})

    assert [spec.name for spec in specs] == ["asset_beta(asset=BRK.B, bars=60)", "asset_beta(asset=SPY)"]
    assert "of_symbol(BRK.B)" in specs[0].expr.key.replace("'", "")


def test_a_number_is_no_symbol(registry):
    with pytest.raises(ValueError, match="asset = 3 is not a symbol"):
        spec_of(registry["asset_beta"], {"asset": 3})
    with pytest.raises(ConfigError, match="asset = 3 is not a symbol"):
        resolve([{"asset_beta": {"asset": 3}}], sets={}, custom={})


def test_a_symbol_that_is_not_in_use_is_an_error_of_the_configuration(value, returns):
    with pytest.raises(ConfigError, match="GLD"):
        value("asset_beta", _closes(returns), asset="GLD")
