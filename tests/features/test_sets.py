import pytest

from aitrader.features.feature import load, spec_of
from aitrader.features.resolve import resolve
from aitrader.features.sets import SETS
from aitrader.panel.plan import groups_of


def _specs(name):
    return {spec.name: spec for spec in resolve([name], sets={}, custom={})}


@pytest.mark.parametrize("name", sorted(set(SETS) - {"alpha158"}))
def test_a_built_in_set_fits_models(name):
    assert not [spec.name for spec in _specs(name).values() if spec.raw_level]


@pytest.mark.parametrize("name", SETS)
def test_a_built_in_set_says_nothing_twice(name):
    specs = _specs(name)

    assert len({spec.key for spec in specs.values()}) == len(specs)


def test_alpha158_is_qlib_s_list_and_alpha158_full_its_whole_windows():
    assert len(_specs("alpha158")) == len(_specs("alpha158_full")) == 158


def test_all_is_every_formula_without_a_level():
    specs = [spec_of(known) for known in load().values() if not known.raw_level]
    formulas = {spec.key for spec in specs if not groups_of(spec.expr)}

    assert {spec.key for spec in _specs("all").values()} == formulas


def test_every_family_is_in_a_set_of_its_subject():
    told = {spec.family for name in SETS if name != "all" for spec in _specs(name).values()}

    assert {known.family for known in load().values()} == told


def test_core_is_a_set_of_64_with_a_year_of_momentum():
    core = _specs("core")

    assert len(core) == 64
    assert "momentum(bars=250)" in core


def test_basic_is_small_and_within_core():
    basic = _specs("basic")

    assert len(basic) <= 16
    assert set(basic) - set(_specs("core")) == set()
