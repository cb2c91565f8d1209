"""Level ``model``: stored models that fit their lake, predict what they did, and have not seen what they decide on."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

from aitrader.domain.wording import counted
from aitrader.engine.inference import check_features, check_window, load_checked, own_rows
from aitrader.errors import AitraderError
from aitrader.jobs.assembly.data import decision_session, market
from aitrader.jobs.assembly.learning import feature_set, model_settings
from aitrader.jobs.checks.bench import Bench
from aitrader.jobs.checks.check import Check, Finding, failed, passed, skipped, warned
from aitrader.lake.model_store import StoredVersion
from aitrader.models.passport import Passport, read_passport
from aitrader.training.study import panel_hash


def stored(bench: Bench) -> Finding:
    """Say which of the configured models have a version in the lake."""
    if not bench.config.models:
        return skipped("no model is configured")
    found = {name: bench.store.versions(name) for name in bench.config.models}
    absent = [name for name, versions in found.items() if not versions]
    if len(absent) == len(found):
        return skipped("no configured model is trained yet: run `aitrader train`")
    lines = [
        f"{name}: {counted(len(versions), 'version')}, newest {versions[-1].version}"
        for name, versions in found.items()
        if versions
    ]
    if absent:
        return warned(f"not trained: {', '.join(absent)}", lines, "Run `aitrader train`.")
    return passed(f"{counted(len(found), 'model')} trained", lines)


def gate(bench: Bench) -> Finding:
    """Ask whether any version of each model passed its gate."""

    def verdict(name: str, newest: StoredVersion) -> str:
        champion = bench.store.champion(name)
        if champion is None:
            raise AitraderError(f"{newest.version} was rejected: {newest.reason}")
        return f"{champion.version} passed: {champion.reason}"

    return _each(bench, verdict, "Train on other features or more data; live trading refuses rejected models.")


def passports(bench: Bench) -> Finding:
    """Compare each passport with the features of the configuration and with the prices of the lake."""

    def compare(name: str, newest: StoredVersion) -> str:
        passport = _passport(bench, name, newest)
        check_features(passport, feature_set(bench.config, model_settings(bench.config, name).features))
        if newest.imported:
            return f"{newest.version} has the same features; it was trained in another lake"
        prices = market(bench.config, bench.snapshot, end=passport.data.end)
        if panel_hash(prices.panel) != passport.data.panel_hash:
            raise AitraderError(
                f"{newest.version}: prices, symbols or memberships up to {passport.data.end} are not those that it was "
                f"trained on (lake version {passport.data.lake_version}, now {bench.snapshot.version})"
            )
        return f"{newest.version} has the same {len(passport.features)} features and the same prices"

    return _each(bench, compare, "Train it again: `aitrader train`.")


def golden(bench: Bench) -> Finding:
    """Load each model in a child process and compare the predictions of its golden rows."""

    def predict(name: str, newest: StoredVersion) -> str:
        passport, _ = load_checked(bench.store.load(name, newest.version))
        return f"{newest.version} predicts its {len(passport.golden.rows)} golden rows"

    return _each(bench, predict, "Train it again: `aitrader train --force`.")


def leakage(bench: Bench) -> Finding:
    """Ask whether a backtest's window and a decision now are out of fold, or later than what was learned."""

    def windows(name: str, newest: StoredVersion) -> str:
        passport = _passport(bench, name, newest)
        rows = own_rows(passport, bench.snapshot.predictions(name, version=newest.version))
        decision = min(decision_session(bench.config, bench.now), bench.market.sessions[-1])
        first = rows["session"].min()
        start = bench.config.backtest.start or (first if isinstance(first, date) else decision)
        for session in (start, decision):
            check_window(passport, rows, session, session)
        return f"{newest.version} learned up to {passport.train.label_end}; {start} to {decision} is free of it"

    return _each(bench, windows, "Choose later sessions, or train it in this lake.")


def _passport(bench: Bench, name: str, newest: StoredVersion) -> Passport:
    return read_passport(bench.store.load(name, newest.version).card)


def _each(bench: Bench, ask: Callable[[str, StoredVersion], str], fix: str) -> Finding:
    """Ask about the version that would decide: the champion, or else the newest, of every model that has one."""
    right, wrong = [], []
    for name, newest in _deciding(bench):
        try:
            right.append(f"{name} {ask(name, newest)}")
        except AitraderError as error:
            wrong.append(f"{name} {error}" if not str(error).startswith("Model") else str(error))
    if wrong:
        return failed("; ".join(wrong), right, fix)
    return passed("; ".join(right))


def _deciding(bench: Bench) -> Iterable[tuple[str, StoredVersion]]:
    stored = {name: bench.store.versions(name) for name in bench.config.models}
    return [(name, bench.store.champion(name) or found[-1]) for name, found in stored.items() if found]


CHECKS: Final = (
    Check("models", "Are the models trained?", stored, needs=("bars",)),
    Check("passports", "Do the models fit their lake?", passports, needs=("models", "features")),
    Check("golden-rows", "Do they predict what they did?", golden, needs=("models",)),
    Check("leakage", "Have they not seen what they decide on?", leakage, needs=("models",)),
    Check("gate", "Did they pass?", gate, needs=("models",)),
)
