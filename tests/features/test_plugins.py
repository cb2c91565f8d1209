"""Plug-ins of features: installed packages, as pip leaves them, in a folder of their own on the path."""

import importlib
import sys

import pytest

from aitrader.config.schema import Config
from aitrader.errors import UnknownNameError
from aitrader.features.conformance.market import made_up
from aitrader.features.conformance.rules import RULES, verdicts
from aitrader.features.conformance.subject import subject_of
from aitrader.features.conformance.trial import Trial
from aitrader.features.feature import FEATURES, PLUGINS, load, spec_of
from aitrader.features.resolve import resolve
from aitrader.jobs.features import list_features
from aitrader.lake.adjust import forward

GOOD = '''
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr


@feature
def acme_gap(open: Expr, close: Expr, *, bars: int = 1) -> Expr:
    """Gap over the close some bars ago.

    Unit: fraction. NaN until a symbol has ``bars + 1`` bars.

    Source: Acme (2024), p. 1.
    """
    return open / close.shift(bars) - 1
'''
TAKEN = GOOD + GOOD.replace("acme_gap", "rsi")
NO_EXPRESSION = GOOD.replace("return open / close.shift(bars) - 1", "return 1.0")
PEEKING = GOOD.replace("close.shift(bars)", "close.shift(-bars)")
LEAVING = "raise SystemExit(3)\n"
COLUMN = GOOD.replace("acme_gap", "close")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with one module and its entry points; what it registers is forgotten afterwards."""
    features, plugins, modules = dict(load()), dict(PLUGINS), set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(module, source, *names):
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = [f"{name} = {module}\n" for name in names or [module]]
        (info / "entry_points.txt").write_text("[aitrader.features]\n" + "".join(lines))
        importlib.invalidate_caches()

    yield put
    for known, before in ((FEATURES, features), (PLUGINS, plugins)):
        known.clear()
        known.update(before)
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_plug_in_s_features_join_the_registry_as_a_family(install):
    install("acme_features", GOOD, "acme")

    known = load()["acme_gap"]

    assert (known.family, known.source) == ("acme", "Acme (2024), p. 1.")
    assert PLUGINS["acme"] == ""
    assert [spec.name for spec in resolve(["family:acme", "acme_gap(bars=2)"], sets={}, custom={})] == [
        "acme_gap",
        "acme_gap(bars=2)",
    ]


def test_a_plug_in_s_features_are_used_by_custom_ones_and_keep_the_rules(install):
    install("acme_features", GOOD)

    specs = [spec_of(load()["acme_gap"]), *resolve(["twice"], sets={}, custom={"twice": "acme_gap(bars=2) * 2"})]
    trial = Trial(subject_of(specs), made_up(forward))

    assert all(verdict.passed is not False for rule in RULES for verdict in verdicts(trial, rule))


def test_a_module_that_was_imported_before_still_joins(install):
    install("acme_features", GOOD)
    importlib.import_module("acme_features")

    assert load()["acme_gap"].family == "acme_features"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import no_such_package_anywhere\n", "ModuleNotFoundError: No module named 'no_such_package_anywhere'"),
        (TAKEN, "two features are called rsi: in aitrader.features.momentum and in broken_features"),
        (NO_EXPRESSION, "acme_gap returns float, not an expression"),
        (PEEKING, "looks ahead"),
        (LEAVING, "SystemExit: 3"),
        (COLUMN, "close is a column"),
        ("x = ", "SyntaxError"),
    ],
    ids=["missing package", "taken name", "no expression", "looks ahead", "leaves", "column", "syntax"],
)
def test_a_broken_plug_in_names_itself_and_leaves_the_rest_alone(install, caplog, source, why):
    before = dict(FEATURES)
    install("broken_features", source, "broken")
    install("acme_features", GOOD.replace("acme_gap", "other_gap"), "acme")

    features = load()

    assert why in PLUGINS["broken"]
    assert set(features) == {*before, "other_gap"}
    assert any("broken" in record.getMessage() and why in record.getMessage() for record in caplog.records)


def test_a_name_that_a_broken_plug_in_might_have_brought_says_so(install):
    install("broken_features", "import no_such_package_anywhere\n", "broken")

    with pytest.raises(UnknownNameError, match="acme_gap") as caught:
        resolve(["acme_gap"], sets={}, custom={})

    assert "The plug-in broken brings no features: ModuleNotFoundError" in caught.value.fix


def test_the_family_of_a_broken_plug_in_says_so(install):
    install("broken_features", "import no_such_package_anywhere\n", "broken")

    with pytest.raises(UnknownNameError, match="feature family 'broken'") as caught:
        list_features(Config(), family="broken")

    assert "The plug-in broken brings no features: ModuleNotFoundError" in caught.value.fix


def test_what_a_plug_in_prints_is_no_part_of_a_command_s_output(install, capsys):
    install("loud_features", "print('hello')\n" + GOOD)

    load()

    assert capsys.readouterr() == ("", "hello\n")


def test_two_plug_ins_of_one_name_are_both_refused(install):
    install("acme_features", GOOD, "acme")
    install("other_features", GOOD.replace("acme_gap", "other_gap"), "acme")

    assert not {"acme_gap", "other_gap"} & set(load())
    assert "acme is also" in PLUGINS["acme"]


def test_a_plug_in_may_not_take_a_family_s_name(install):
    install("acme_features", GOOD, "trend")

    assert "acme_gap" not in load()
    assert "a family of ours" in PLUGINS["trend"]
