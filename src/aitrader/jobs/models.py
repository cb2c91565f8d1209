"""What the model store holds: listed, shown, verified, and copied from another lake."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.receipts import Receipt
from aitrader.engine.inference import load_checked
from aitrader.errors import AitraderError, ModelStoreError
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.lake.model_store import ModelStore, StoredModel, StoredVersion, locate
from aitrader.lake.store import Lake
from aitrader.models.passport import Passport, read_passport


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One stored version. ``champion`` marks the one that trades; ``label_end`` is the last price it learned from."""

    name: str
    version: str
    kind: str
    status: str
    champion: bool
    imported: bool
    label_end: date
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ModelList:
    """The stored versions, by name and newest last."""

    models: tuple[ModelLine, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One version with its passport."""

    line: ModelLine
    reason: str
    passport: Passport


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """Whether a version can be trusted; ``reason`` says why not."""

    name: str
    version: str
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """One check per stored version."""

    checks: tuple[ModelCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every version passed."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True)
class Imported:
    """The version that was copied; ``new`` is false, and there is no receipt, when the lake had it already."""

    line: ModelLine
    new: bool
    warnings: tuple[str, ...]
    receipt: Path | None = None


def list_models(root: Path) -> ModelList:
    """Return every stored version of every model."""
    store = _store(root)
    return ModelList(tuple(_line(store, name, record) for name in store.names() for record in store.versions(name)))


def show_model(root: Path, name: str, version: str | None = None) -> ModelCard:
    """Return a version's passport; default: the champion, or the newest if none passed.

    Raises
    ------
    ModelStoreError
        There is no such model or version, or it is damaged.
    """
    store = _store(root)
    record = store.find(name, version) if version else store.champion(name) or store.newest(name, allow_rejected=True)
    stored = store.load(name, record.version)
    return ModelCard(_line(store, name, record), record.reason, read_passport(stored.card))


def verify_models(root: Path, name: str | None = None) -> ModelChecks:
    """Check every stored version: hashes, passport, and the golden rows in a child process."""
    store = _store(root)
    if name is not None:
        store.newest(name, allow_rejected=True)
    checks = [
        _check(store, model, record)
        for model in store.names()
        if name in (None, model)
        for record in store.versions(model)
    ]
    return ModelChecks(tuple(checks))


def import_model(root: Path, path: Path, *, run_id: str | None = None, clock: Clock = wall_clock) -> Imported:
    """Copy a model from another lake, after its hashes and golden rows were checked.

    Out-of-fold rows stay behind, so that the model decides only on sessions later than its ``label_end``. Of a whole
    model its champion is taken, or the newest version if none passed.

    Raises
    ------
    ModelStoreError
        There is no model, it is damaged, or it does not reproduce its golden rows.
    """
    started = clock()
    theirs, name, version = locate(path)
    record = theirs.champion(name) or theirs.newest(name, allow_rejected=True)
    stored = theirs.load(name, version or record.version)
    passport, _ = load_checked(stored)
    _refuse_renamed(stored, passport)
    with Lake.open(_lake_path(root), create=True, clock=clock) as lake, lake.writer(f"predictions/{name}"):
        store = ModelStore(lake.root)
        known = next((old for old in store.versions(name) if old.version == stored.record.version), None)
        if known is not None and known.files == stored.record.files:
            return Imported(_line(store, name, known), new=False, warnings=())
        ours = replace(stored.record, imported=True, recorded_at=clock())
        added = store.add(name, ours, stored.model, stored.card)
        receipt = write_receipt(lake.root, _receipt(run_id, path, name, added, (started, clock())))
    warnings = (
        f"no out-of-fold rows came along: {name} decides only on sessions after {passport.train.label_end}",
        *((f"{name} {added.version} was rejected by its gate: {added.reason}",) if added.status == "rejected" else ()),
    )
    return Imported(_line(store, name, added), new=True, warnings=warnings, receipt=receipt.relative_to(root))


def _receipt(
    run_id: str | None, path: Path, name: str, added: StoredVersion, times: tuple[datetime, datetime]
) -> Receipt:
    files = {f"models/{name}/{added.version}/{file}": sha for file, sha in added.files.items()}
    return Receipt(
        run_id=run_id or f"models-import-{times[0]:%Y%m%dT%H%M%SZ}",
        command="models import",
        arguments={"path": str(path)},
        started_at=times[0],
        finished_at=times[1],
        lake_version=None,
        inputs=files,
        outputs=files,
        settings={},
        origins={},
        seed=None,
        versions=versions(),
    )


def _refuse_renamed(stored: StoredModel, passport: Passport) -> None:
    if (passport.name, passport.version) != (stored.name, stored.record.version):
        raise ModelStoreError(
            f"The folder says {stored.name} {stored.record.version}, the passport {passport.name} {passport.version}.",
            fix="Import from the folder that `aitrader train` wrote, without renaming it.",
        )


def _check(store: ModelStore, name: str, record: StoredVersion) -> ModelCheck:
    try:
        stored = store.load(name, record.version)
        passport, _ = load_checked(stored)
        _refuse_renamed(stored, passport)
    except AitraderError as error:
        return ModelCheck(name, record.version, passed=False, reason=str(error))
    return ModelCheck(name, record.version, passed=True, reason="hashes, passport and golden rows agree")


def _line(store: ModelStore, name: str, record: StoredVersion) -> ModelLine:
    champion = store.champion(name)
    end = record.version
    return ModelLine(
        name,
        record.version,
        record.kind,
        record.status,
        champion is not None and champion.version == record.version,
        record.imported,
        date(int(end[:4]), int(end[4:6]), int(end[6:8])),
        record.recorded_at,
    )


def _lake_path(root: Path) -> Path:
    return root / "data_lake"


def _store(root: Path) -> ModelStore:
    return ModelStore(_lake_path(root))
