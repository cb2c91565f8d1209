import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from aitrader.config.schema import Retrain, Training
from aitrader.domain.frames import PREDICTIONS
from aitrader.domain.orders import Entry
from aitrader.engine.inference import (
    InChild,
    Predictor,
    check_features,
    check_window,
    feature_refs,
    load_checked,
    open_predictor,
)
from aitrader.errors import DataLeakageError, ModelStoreError
from aitrader.features.resolve import resolve
from aitrader.lake.model_store import CARD, ModelStore, StoredModel, StoredVersion
from aitrader.models.boosting import LightGbm
from aitrader.models.passport import DataRef, LabelRef, read_passport
from aitrader.panel.panel import Panel
from aitrader.training.fit import Recipe
from aitrader.training.labels import make_labels
from aitrader.training.matrix import make_sample
from aitrader.training.study import Identity, panel_hash, prediction_rows, run_study, write_passport

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
CUSTOM = {"one": "close / close.shift(1) - 1", "two": "close / close.shift(5) - 1", "three": "close / open - 1"}


def _specs(*names):
    return resolve(names, sets={}, custom=CUSTOM)


SPECS = _specs("one", "two", "three")


class Rows:
    """The part of a snapshot that predictions come from."""

    def __init__(self, rows):
        self.rows = rows

    def predictions(self, model, version=None, kind=None):
        return self.rows.filter((pl.col("model") == model) & (pl.col("version") == version))


@pytest.fixture(scope="module")
def panel():
    generator = np.random.default_rng(0)
    close = 50 * np.exp(np.cumsum(generator.normal(0, 0.02, (12, 330)), axis=1))
    columns = {"open": close, "high": close, "low": close, "close": close, "volume": close}
    sessions = np.busday_offset("2001-01-01", np.arange(330), roll="forward")
    symbols = tuple(f"S{number}" for number in range(10, 22))
    return Panel("XNYS", "1d", sessions, symbols, columns, np.ones(close.shape, dtype=bool))


@pytest.fixture(scope="module")
def features(panel):
    return np.random.default_rng(1).normal(size=(3, *panel.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def trained(panel, features):
    """A model trained on the first 300 of 330 sessions: (stored model, its rows)."""
    past = panel.slice(0, 300)
    labels = make_labels(past, Entry.AFTER_OPEN, 5)
    sample = make_sample(features[:, :, :300], labels.values, labels.excess, past.members)
    days = past.sessions.tolist()
    training = Training(retrain=Retrain(every=60, window=150), bootstrap_samples=200)
    settings = LightGbm.Settings(trees=5, min_rows_per_leaf=20)
    data = DataRef("test", "XNYS", days[0], days[-1], tuple(past.symbols), {}, 1, panel_hash(past))
    identity = Identity(
        "trees", "lightgbm", settings.model_dump(), feature_refs(SPECS), LabelRef(5, "after_open", True, "z"), data,
        training, {},
    )  # fmt: skip
    study = run_study(sample, past.sessions, identity, Recipe(LightGbm, settings, 0.01, 7))
    passport = write_passport(study, sample, past.sessions, identity, trial=1)
    record = StoredVersion(identity.version, "lightgbm", "rejected", "so", False, NOON, {"model.txt": "", CARD: ""})
    stored = StoredModel("trees", record, study.final.model.to_bytes(), passport.to_json())
    return stored, prediction_rows(study, past, identity), study


@pytest.fixture
def stored(trained):
    return trained[0]


@pytest.fixture
def rows(trained):
    return trained[1]


@pytest.fixture(scope="module")
def predictor(trained):
    passport, fitted = load_checked(trained[0])
    return Predictor(passport, fitted, trained[1])


@pytest.fixture
def store(tmp_path, stored):
    store = ModelStore(tmp_path)
    store.add("trees", stored.record, stored.model, stored.card)
    return store


def _day(panel, position):
    return panel.sessions[position].item()


def test_after_label_end_the_final_model_decides(predictor, panel, features, trained):
    scores = predictor.predict(_day(panel, 305), panel.symbols, features[:, :, 305])

    assert scores == pytest.approx(trained[2].final.predict(features[:, :, 305].T.astype(float)))


def test_until_label_end_the_row_that_was_out_of_fold_decides(predictor, panel, features, trained):
    for position in (150, 299):
        scores = predictor.predict(_day(panel, position), panel.symbols, features[:, :, position])
        assert scores.tolist() == trained[2].out_of_fold.predictions[:, position].tolist()


def test_the_order_of_symbols_does_not_matter(predictor, panel, features):
    there = predictor.predict(_day(panel, 200), panel.symbols, features[:, :, 200])
    back = predictor.predict(_day(panel, 200), (*panel.symbols[::-1], "NEW"), features[:, :, 200])

    assert back[:-1].tolist() == there[::-1].tolist()
    assert np.isnan(back[-1])


def test_what_was_trained_on_is_never_decided(predictor, panel, features):
    with pytest.raises(DataLeakageError, match="2001-07-27") as caught:
        predictor.predict(_day(panel, 149), panel.symbols, features[:, :, 149])

    passport = predictor.passport
    assert str(passport.train.first) in str(caught.value)
    assert str(passport.train.label_end) in str(caught.value)


def test_a_model_without_out_of_fold_rows_decides_after_label_end_only(stored, panel, features):
    imported = Predictor(*load_checked(stored), pl.DataFrame(schema=PREDICTIONS))

    assert np.isfinite(imported.predict(_day(panel, 300), panel.symbols, features[:, :, 300])).all()
    for position in (0, 200, 299):
        with pytest.raises(DataLeakageError, match="no out-of-fold rows"):
            imported.predict(_day(panel, position), panel.symbols, features[:, :, position])


def test_rows_of_another_version_or_after_label_end_open_no_door(stored, rows, panel, features):
    passport, fitted = load_checked(stored)
    other = rows.with_columns(pl.lit("20010101-00000000").alias("version"))
    forged = rows.with_columns(pl.lit(date(2030, 1, 1)).alias("session"))

    for wrong in (other, forged):
        with pytest.raises(DataLeakageError):
            Predictor(passport, fitted, wrong).predict(_day(panel, 200), panel.symbols, features[:, :, 200])


def test_a_matrix_and_single_sessions_agree(predictor, panel, features):
    matrix = predictor.matrix(panel, features, start=_day(panel, 280), end=_day(panel, 320))

    for position in range(280, 321):
        single = predictor.predict(_day(panel, position), panel.symbols, features[:, :, position])
        assert np.array_equal(matrix[:, position], single, equal_nan=True)
    assert np.isnan(matrix[:, :280]).all()
    assert np.isnan(matrix[:, 321:]).all()


def test_a_matrix_that_would_begin_inside_training_is_refused(predictor, panel, features):
    with pytest.raises(DataLeakageError):
        predictor.matrix(panel, features, start=_day(panel, 100), end=_day(panel, 320))


def test_shuffled_scores_end_with_label_end(predictor, panel, features, trained):
    start, end = _day(panel, 150), _day(panel, 320)

    luck = predictor.matrix(panel, features, start=start, end=end, kind="shuffled")

    assert np.array_equal(luck[:, 150:300], trained[2].out_of_fold.shuffled[:, 150:300])
    assert np.isnan(luck[:, 300:]).all()


def test_other_features_are_refused_with_the_difference(stored):
    passport = read_passport(stored.card)
    changed = resolve(("one", "two", "three"), sets={}, custom=CUSTOM | {"two": "close / close.shift(6) - 1"})

    check_features(passport, SPECS)
    with pytest.raises(ModelStoreError, match="missing: three"):
        check_features(passport, _specs("one", "two"))
    with pytest.raises(ModelStoreError, match="changed: two"):
        check_features(passport, changed)
    with pytest.raises(ModelStoreError, match="another order"):
        check_features(passport, _specs("two", "one", "three"))


def test_leakage_is_told_before_the_gate_and_the_gate_before_the_features(store, rows, panel):
    inside = (_day(panel, 10), _day(panel, 20))
    after = (_day(panel, 301), _day(panel, 302))

    with pytest.raises(DataLeakageError):
        open_predictor(store, Rows(rows), "trees", SPECS, window=inside)
    with pytest.raises(ModelStoreError, match="passed its gate"):
        open_predictor(store, Rows(rows), "trees", _specs("one"), window=after)
    with pytest.raises(ModelStoreError, match="other features"):
        open_predictor(store, Rows(rows), "trees", _specs("one"), window=after, allow_rejected=True)
    opened = open_predictor(store, Rows(rows), "trees", SPECS, window=after, allow_rejected=True)
    assert opened.passport.version == store.newest("trees", allow_rejected=True).version


def test_a_window_that_ends_after_label_end_may_begin_out_of_fold(stored, rows, panel):
    check_window(read_passport(stored.card), rows, _day(panel, 150), _day(panel, 329))


def test_contributions_add_up_to_the_final_models_score(predictor, panel, features):
    parts = predictor.contributions(features[:, :, 310])

    scores = predictor.predict(_day(panel, 310), panel.symbols, features[:, :, 310])
    assert parts.sum(axis=1) == pytest.approx(scores)


@pytest.fixture
def isolated(store, rows, panel, trained, monkeypatch):
    """The stored model, opened for sessions after its training; from before that this process refuses to load one."""

    def refuse(data):
        raise AssertionError("a model was loaded in this process")

    monkeypatch.setattr(LightGbm, "from_bytes", refuse)
    window = (_day(panel, 301), _day(panel, 302))
    return open_predictor(store, Rows(rows), "trees", SPECS, window=window, allow_rejected=True, isolated=True)


def test_an_isolated_model_predicts_the_same_bits_without_being_loaded_here(isolated, panel, features, trained):
    expected = trained[2].final.predict(features[:, :, 305].T.astype(float))

    scores = isolated.predict(_day(panel, 305), panel.symbols, features[:, :, 305])

    assert scores.tolist() == expected.tolist()


def test_an_isolated_model_gives_no_score_where_too_few_features_are_known(isolated, panel, features):
    unknown = features[:, :, 305].copy()
    unknown[:, 4] = np.nan

    scores = isolated.predict(_day(panel, 305), panel.symbols, unknown)

    assert np.flatnonzero(np.isnan(scores)).tolist() == [4]


def test_an_isolated_model_takes_out_of_fold_rows_without_a_child(isolated, panel, features, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)

    scores = isolated.predict(_day(panel, 200), panel.symbols, features[:, :, 200])

    assert np.isfinite(scores).all()


def test_an_isolated_model_is_checked_before_its_scores_are_believed(stored, rows, panel, features):
    card = json.loads(stored.card)
    card["golden"]["predictions"][3] += 1e-6
    passport = read_passport(json.dumps(card).encode())
    doubtful = Predictor(passport, InChild(stored, passport), rows)

    with pytest.raises(ModelStoreError, match="does not reproduce"):
        doubtful.predict(_day(panel, 305), panel.symbols, features[:, :, 305])


def test_an_isolated_model_gives_no_reasons(isolated, features):
    with pytest.raises(ValueError, match="gives no reasons"):
        isolated.contributions(features[:, :, 310])


def _evil(stored, change):
    text = stored.model.decode()
    model = change(text).encode()
    assert model != stored.model
    files = {"model.txt": hashlib.sha256(model).hexdigest()}
    return replace(stored, model=model, record=replace(stored.record, files=files))


def _rewritten(text, key, digit):
    """Every number of the first tree's ``key`` becomes ``digit``, at the same width: the format counts bytes."""
    lines = text.split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{key}="))
    name, _, numbers = lines[at].partition("=")
    lines[at] = f"{name}={' '.join(digit * len(number) for number in numbers.split())}"
    return "\n".join(lines)


EVIL = {
    "truncated": lambda text: text[: len(text) // 2],
    "cyclic child": lambda text: _rewritten(text, "left_child", "0"),
    "wild child": lambda text: _rewritten(text, "left_child", "9"),
    "wild feature": lambda text: _rewritten(text, "split_feature", "9"),
    "many leaves": lambda text: text.replace("num_leaves=15", "num_leaves=99", 1),
    "other numbers": lambda text: _rewritten(text, "leaf_value", "1"),
    "another size": lambda text: text.replace("leaf_value=", "leaf_value=0 ", 1),
}


@pytest.mark.parametrize(
    ("evil", "reason"),
    [
        ("truncated", "killed the process"),
        ("another size", "killed the process"),
        ("many leaves", "killed the process"),
        ("wild child", "killed|load|reproduce"),
        ("wild feature", "killed|load|reproduce"),
        ("other numbers", "does not reproduce"),
    ],
)
def test_a_hostile_model_with_a_matching_hash_is_refused_and_this_process_lives(stored, evil, reason):
    with pytest.raises(ModelStoreError, match=reason):
        load_checked(_evil(stored, EVIL[evil]))


def test_a_tree_that_runs_in_circles_is_ended_after_its_time(stored):
    with pytest.raises(ModelStoreError, match="did not load within 2 s"):
        load_checked(_evil(stored, EVIL["cyclic child"]), timeout=2)


def test_a_model_that_hangs_is_ended(stored):
    with pytest.raises(ModelStoreError, match="did not load within"):
        load_checked(stored, timeout=0.01)


def test_golden_rows_that_differ_are_refused(stored):
    card = json.loads(stored.card)
    card["golden"]["predictions"][3] += 1e-6

    with pytest.raises(ModelStoreError, match="does not reproduce"):
        load_checked(replace(stored, card=json.dumps(card).encode()))


def test_a_passport_of_another_width_or_kind_is_refused(stored):
    card = json.loads(stored.card)

    with pytest.raises(ModelStoreError, match="takes 3 features"):
        load_checked(replace(stored, card=json.dumps(card | {"features": card["features"][:2]}).encode()))
    with pytest.raises(ModelStoreError):
        load_checked(replace(stored, card=json.dumps(card | {"kind": "ridge"}).encode()))


def test_a_pickle_is_refused_and_its_code_does_not_run(stored, tmp_path):
    canary = tmp_path / "canary"
    pickled = f"cos\nsystem\n(S'touch {canary}'\ntR.".encode()

    with pytest.raises(ModelStoreError):
        load_checked(replace(stored, model=pickled))

    assert not canary.exists()


def test_the_child_sees_no_credentials(stored, monkeypatch):
    monkeypatch.setenv("APCA_API_SECRET_KEY", "canary")
    seen = {}
    run = subprocess.run

    def spy(command, **options):
        seen.update(options["env"])
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", spy)
    load_checked(stored)

    assert "canary" not in seen.values()
    assert seen["OMP_NUM_THREADS"] == "1"


def test_the_child_answers_garbage_with_an_exit_code():
    done = subprocess.run(
        [sys.executable, "-m", "aitrader.engine.inference_child"],
        input=b"\x00" * 4,
        capture_output=True,
        check=False,
        env=dict(os.environ),
    )

    assert done.returncode != 0
