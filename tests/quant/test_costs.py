"""Costs against hand calculations."""

from decimal import Decimal

import pytest

from aitrader.config.schema import Costs
from aitrader.quant.costs import commission, cost_rate, half_spread, impact


def test_half_of_a_spread_of_ten_basis_points_is_five():
    assert half_spread(Costs(spread_bps=10)) == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("volume_share", "bps"),
    [(0.0, 0.0), (0.05, 2.5), (0.10, 10.0), (0.20, 10.0)],
)
def test_impact_grows_with_the_square_of_the_share_up_to_the_cap(volume_share, bps):
    costs = Costs(impact_bps=10, max_volume_share=0.10)

    assert impact(volume_share, costs) == pytest.approx(bps / 10_000)


def test_impact_has_the_form_of_ziplines_volume_share_slippage():
    price_impact, volume_limit = 0.1, 0.025  # zipline's defaults: price * (1 + 0.1 * share ** 2)
    costs = Costs(impact_bps=price_impact * volume_limit**2 * 10_000, max_volume_share=volume_limit)

    assert impact(0.02, costs) == pytest.approx(0.1 * 0.02**2)


def test_a_volume_cap_of_zero_has_no_impact():
    assert impact(0.1, Costs(max_volume_share=0)) == 0


@pytest.mark.parametrize(
    ("per_share", "bps", "expected"),
    [
        (0.0, 0.0, "0"),
        (0.005, 0.0, "0.67"),  # 133 * 0.005 = 0.665
        (0.0, 1.0, "0.27"),  # 133 * 20 * 0.0001 = 0.266
        (0.005, 1.0, "0.94"),  # 0.665 + 0.266 = 0.931
    ],
)
def test_commission_is_rounded_up_to_the_cent(per_share, bps, expected):
    costs = Costs(commission_per_share=per_share, commission_bps=bps)

    assert commission(Decimal(133), Decimal(20), costs) == Decimal(expected)


def test_the_cost_rate_is_the_sum_of_all_that_a_trade_can_cost():
    costs = Costs(commission_per_share=0.01, commission_bps=2, spread_bps=10, impact_bps=10)

    assert cost_rate(20.0, costs) == pytest.approx(0.0005 + 0.0010 + 0.0002 + 0.0005)
