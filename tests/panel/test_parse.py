import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.errors import ConfigError
from aitrader.panel.expr import Expr, column, constant, maximum, minimum, where
from aitrader.panel.operators import ACROSS_WINDOWS, CROSS, PAIRED, POSITIONAL, ROLLING, UNARY
from aitrader.panel.parse import MAX_LENGTH, parse

CLOSE, OPEN = column("close"), column("open")


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("close", CLOSE),
        ("open / close.shift(1) - 1", OPEN / CLOSE.shift(1) - 1),
        ("  1 + 2 * close ", constant(1) + 2 * CLOSE),
        ("(1 + 2) * close", (constant(1) + 2) * CLOSE),
        ("-close ** 2", -(CLOSE**2)),
        ("close ** -0.5", CLOSE**-0.5),
        ("log(close / open).std(20)", (CLOSE / OPEN).log().std(20)),
        ("(close / open).log().std(20, ddof=0)", (CLOSE / OPEN).log().std(20, ddof=0)),
        ("close.mean(bars=20, min_periods=5)", CLOSE.mean(20, 5)),
        ("close.quantile(20, 0.9)", CLOSE.quantile(20, 0.9)),
        ("close.corr(volume, 20)", CLOSE.corr(column("volume"), 20)),
        ("where(close > open, 1, -1).sum(5)", where(CLOSE > OPEN, 1, -1).sum(5)),
        ("max(min(close, open), 3)", maximum(minimum(CLOSE, OPEN), 3)),
        ("close.clip(0, 1)", CLOSE.clip(0, 1)),
        ("close.ema(12).rank_across()", CLOSE.ema(12).rank_across()),
        ("traded_close", column("traded_close")),
    ],
)
def test_a_text_is_the_expression_it_reads_as(text, expr):
    assert parse(text) == expr


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("close.shift(-1) / close - 1", 13, "looks ahead"),
        ("open / close.shift(bars=-2)", 25, "looks ahead"),
        ("(close - close.mean()) / close.std()", 16, "a window is missing"),
        ("close.ema()", 7, "a window is missing"),
        ("close.corr(volume)", 7, "a window is missing"),
        ("close / opne", 9, "'opne'"),
        ("close.maen(5)", 7, "'maen'"),
        ("lag(close, 1)", 1, "'lag'"),
        ("close.mean", 7, "brackets"),
        ("log", 1, "brackets"),
        ("close.mean(2.5)", 12, "2.5"),
        ("close.mean(0)", 12, "less than 1"),
        ("close.mean('5')", 12, "number"),
        ("close.mean(open)", 12, "number"),
        ("close.mean(5, 9)", 15, "min_periods 9"),
        ("close.mean(5, periods=2)", 15, "periods"),
        ("close.mean(5, 3, 2, 1)", 7, "takes bars, min_periods"),
        ("close.quantile(5, 1.5)", 19, "share 1.5"),
        ("close ** open", 10, "number"),
        ("1 < close < 2", 1, "chain"),
        ("close > 1 and open > 1", 1, "and / or"),
        ("(close > 1) & (open > 1)", 1, "and / or"),
        ("not close", 1, "not does not exist"),
        ("~close", 1, "not does not exist"),
        ("close == open", 1, "== and != do not exist"),
        ("close @ open", 1, "'close @ open' is not in the language"),
        ("close if open else 1", 1, "if / else"),
        ("close.mean(5) +", 16, "not an expression"),
        ("[close]", 1, "not in the language"),
        ("True", 1, "not a number"),
        ("1e999", 1, "number"),
        ("9" * 300, 1, "number"),
        ("close.mean(*5)", 12, "number"),
        ("close.mean(**open)", 12, "argument"),
        ("log(close, 2)", 1, "one value"),
        ("log(x=close)", 5, "named"),
        ("'é' + clsoe", 1, "number"),
    ],
)
def test_what_is_not_in_the_language_is_refused_with_its_column(text, position, what):
    with pytest.raises(ConfigError, match=what) as caught:
        parse(text)

    assert str(caught.value).startswith(f"Column {position} of ")
    assert caught.value.fix


@pytest.mark.parametrize("text", ["close +", "close = 1", "close; open", "", "close\x00", "close close"])
def test_what_python_cannot_read_is_refused(text):
    with pytest.raises(ConfigError, match=r"Column \d+ of .*not an expression"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "close.__class__",
        "close.__class__.__mro__",
        "close._rolling('mean', 5, 5)",
        "close.key",
        "close.args[0]",
        "close.of_symbol('SPY')",
        "__import__('os').system('true')",
        "(lambda: close)()",
        "[close for close in [1]][0]",
        "f'{close}'",
        "open('/etc/passwd')",
        "close.mean(5).__init__(1)",
    ],
)
def test_there_is_no_way_out_of_the_language(text):
    with pytest.raises(ConfigError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("mean(close, 20)", "close.mean(20)"),
        ("1 + shift(close / open, 1)", "(close / open).shift(1)"),
        ("rank_across(close.mean(5))", "close.mean(5).rank_across()"),
        ("std()", "close.std()"),
    ],
)
def test_an_operator_written_as_a_function_is_answered_with_what_was_meant(text, meant):
    with pytest.raises(ConfigError) as caught:
        parse(text)

    assert caught.value.fix == f"Write {meant}."


@pytest.mark.parametrize(("text", "near"), [("clsoe", "close"), ("close.maen(5)", "mean"), ("lgo(close)", "log")])
def test_the_nearest_name_is_suggested(text, near):
    with pytest.raises(ConfigError) as caught:
        parse(text)

    assert caught.value.fix == f"Did you mean {near!r}?"


@pytest.mark.parametrize(
    "text",
    [
        "close + " * MAX_LENGTH + "1",
        "-" * 500 + "close",
        "(" * 300 + "close" + ")" * 300,
        "close" + ".abs()" * 100,
    ],
)
def test_what_is_too_long_or_too_deep_is_refused(text):
    with pytest.raises(ConfigError):
        parse(text)


def test_features_can_be_used_by_name():
    def momentum(**settings):
        bars = settings.pop("bars", 20)
        if settings:
            raise ValueError(f"no setting {next(iter(settings))!r}")
        return CLOSE / CLOSE.shift(bars) - 1

    features = {"momentum": momentum}

    assert parse("momentum - momentum(bars=60)", features=features) == momentum() - momentum(bars=60)
    with pytest.raises(ConfigError, match=r"Column 10 .*no setting 'span'"):
        parse("momentum(span=60)", features=features)
    with pytest.raises(ConfigError, match="named"):
        parse("momentum(60)", features=features)


def test_other_columns_can_be_allowed():
    assert parse("mood.mean(5)", ["mood"]) == column("mood").mean(5)
    with pytest.raises(ConfigError, match="'close'"):
        parse("close", ["mood"])


def _grown(parts):
    bars = st.integers(2, 60)
    across = sorted(CROSS - {"of_symbol", "neutralize_across", *ACROSS_WINDOWS})
    number = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
    methods = st.sampled_from([name for name in ROLLING if name not in POSITIONAL])
    return st.one_of(
        st.tuples(st.sampled_from("+-*/<>"), parts, parts | number).map(_binary),
        st.tuples(st.sampled_from(UNARY), parts).map(lambda t: getattr(t[1], t[0])()),
        st.tuples(methods, parts, bars, st.none() | st.just(2)).map(lambda t: getattr(t[1], t[0])(*t[2:])),
        st.tuples(st.sampled_from(PAIRED), parts, parts, bars).map(lambda t: getattr(t[1], t[0])(*t[2:])),
        st.tuples(st.sampled_from(across), parts).map(lambda t: getattr(t[1], t[0])()),
        st.tuples(st.sampled_from(ACROSS_WINDOWS), parts, bars).map(lambda t: getattr(t[1], t[0])(t[2])),
        st.tuples(parts, parts, parts).map(lambda t: t[0].neutralize_across(*t[1:])),
        st.tuples(parts, bars).map(lambda t: t[0].fracdiff(t[1], 0.4)),
        st.tuples(parts, bars).map(lambda t: t[0].tail_mean(t[1], 0.05)),
        st.tuples(parts, bars, st.integers(2, 9)).map(lambda t: t[0].entropy(*t[1:])),
        st.tuples(parts, bars).map(lambda t: t[0].shift(t[1])),
        st.tuples(parts, bars, st.integers(0, 3)).map(lambda t: t[0].ema(*t[1:])),
        st.tuples(parts, parts, parts | number).map(lambda t: where(*t)),
        parts.map(lambda part: -part),
    )


def _binary(choice):
    sign, left, right = choice
    operators = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "<": "lt", ">": "gt"}
    return getattr(left, f"__{operators[sign]}__")(right)


leaves = st.sampled_from(["open", "close", "volume"]).map(column) | st.integers(-9, 9).map(constant)


@settings(max_examples=300, deadline=None)
@given(expr=st.recursive(leaves, _grown, max_leaves=8))
def test_an_expression_is_read_back_from_its_text(expr: Expr):
    if len(expr.key) <= MAX_LENGTH:
        assert parse(expr.key) == expr


@pytest.mark.parametrize(
    ("known", "listed"),
    [(2, "feature_00, feature_01"), (60, "60 features, listed by `aitrader features ls`")],
)
def test_an_unknown_name_is_answered_with_the_columns_and_then_the_features_or_where_they_are_listed(known, listed):
    features = {f"feature_{number:02d}": lambda: CLOSE for number in range(known)}

    with pytest.raises(ConfigError) as caught:
        parse("qqq", ["close", "volume"], features=features)

    assert caught.value.fix == f"Known: close, volume, {listed}."


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet=st.sampled_from("close.shift(1)-/*[]{}:=\"'_ \n\\\té0"), max_size=40))
def test_any_text_is_an_expression_or_a_refusal(text):
    try:
        parse(text)
    except ConfigError as error:
        assert error.fix


def test_a_number_has_one_sign_however_many_are_written():
    with pytest.raises(ConfigError, match="a plain number"):
        parse("close ** " + "-" * 980 + "1")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("close @ " + "-" * 980 + "1", "'...' is not in the language"),
        ("mean(" + "-" * 980 + "close, 5)", "mean stands behind its series"),
        ("[]" + "[0]" * 320, "is not in the language"),
    ],
)
def test_what_is_too_deep_to_be_shown_is_refused(text, what):
    with pytest.raises(ConfigError, match=what):
        parse(text)
