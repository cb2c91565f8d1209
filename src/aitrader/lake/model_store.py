"""Trained models as files: written whole or not at all, hash-checked before any library sees a byte.

::

    models/<name>/manifest.json                       which versions there are, with the SHA-256 of their files
    models/<name>/<version>/model.txt | model.json    the model
    models/<name>/<version>/card.json                 its passport

A folder that the manifest does not name does not exist for readers; a killed writer leaves nothing else behind.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from aitrader.disk.files import replacing, sync_folder
from aitrader.disk.trust import doubt
from aitrader.envelope import jsonable
from aitrader.errors import LakeError, ModelStoreError

MANIFEST: Final = "manifest.json"
CARD: Final = "card.json"

_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,12}")
_VERSION: Final = re.compile(r"[0-9]{8}-[0-9a-f]{8}")
_MODEL: Final = re.compile(r"model\.(txt|json)")
_LARGEST: Final = 1 << 30
_AGAIN: Final = "Run `aitrader train --force`, or import the model again."


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One line of the manifest.

    ``status`` is what the gate said, ``reason`` why. An ``imported`` version has no out-of-fold rows in this lake.
    ``label_end`` is the last price that its training used, as ``YYYYMMDD`` at the head of ``version``. ``files`` maps
    each file to its SHA-256; ``recorded_at`` is UTC.
    """

    version: str
    kind: str
    status: Literal["passed", "rejected"]
    reason: str
    imported: bool
    recorded_at: datetime
    files: Mapping[str, str]

    @property
    def model_file(self) -> str:
        """The name of the model's own file."""
        return next(name for name in self.files if name != CARD)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A version's bytes, equal to what was stored."""

    name: str
    record: StoredVersion
    model: bytes
    card: bytes


@dataclass(frozen=True, slots=True)
class _Manifest:
    __pydantic_config__ = ConfigDict(extra="forbid")

    format: Literal["aitrader-models/1"]
    champion: str | None
    versions: tuple[StoredVersion, ...]


_ADAPTER: Final = TypeAdapter(_Manifest)


class ModelStore:
    """The models of one lake. Readers need no lock; a writer holds the lake's lock of ``predictions/<name>``."""

    def __init__(self, lake_path: Path) -> None:
        self._root = lake_path / "models"

    def names(self) -> tuple[str, ...]:
        """Return the names that have a manifest, sorted."""
        found = self._root.glob(f"*/{MANIFEST}") if self._root.is_dir() else ()
        return tuple(sorted(path.parent.name for path in found if _NAME.fullmatch(path.parent.name)))

    def versions(self, name: str) -> tuple[StoredVersion, ...]:
        """Return the versions of a model, newest last: by the last price they learned from, then by when they came.

        A model that was never stored has none.

        Raises
        ------
        ModelStoreError
            The manifest is damaged, or the folder is a link or writable by everybody.
        """
        manifest = self._manifest(name)
        return tuple(sorted(manifest.versions, key=lambda record: record.version[:8])) if manifest else ()

    def champion(self, name: str) -> StoredVersion | None:
        """Return the newest version that passed its gate; None if none did."""
        return next((record for record in reversed(self.versions(name)) if record.status == "passed"), None)

    def newest(self, name: str, *, allow_rejected: bool = False) -> StoredVersion:
        """Return the newest version that passed, or with ``allow_rejected`` the newest at all.

        Raises
        ------
        ModelStoreError
            There is none.
        """
        versions = self.versions(name)
        if not versions:
            raise ModelStoreError(
                f"There is no trained model {name!r} in {self._root}; stored: {', '.join(self.names()) or 'none'}.",
                fix="Run `aitrader train`.",
            )
        chosen = versions[-1] if allow_rejected else self.champion(name)
        if chosen is None:
            raise ModelStoreError(
                f"No version of model {name!r} passed its gate; {versions[-1].version}: {versions[-1].reason}.",
                fix="Use --allow-rejected to look at it anyway (never live), or train on other features or more data.",
            )
        return chosen

    def find(self, name: str, version: str) -> StoredVersion:
        """Return the manifest's line of a version; raises ``ModelStoreError`` if there is none."""
        for record in self.versions(name):
            if record.version == version:
                return record
        known = ", ".join(record.version for record in self.versions(name)) or "none"
        raise ModelStoreError(
            f"Model {name!r} has no version {version!r:.40}; stored: {known}.",
            fix="Give a version in full, as `aitrader models ls` prints it.",
        )

    def load(self, name: str, version: str) -> StoredModel:
        """Return a version's bytes after comparing them with the manifest's SHA-256.

        Raises
        ------
        ModelStoreError
            The version is unknown, or a file is missing, a link, too large or not what was stored.
        """
        record = self.find(name, version)
        folder = _checked_folder(self._root / name / version)
        content = {file: _read(folder / file, digest) for file, digest in record.files.items()}
        return StoredModel(name, record, content[record.model_file], content[CARD])

    def add(self, name: str, record: StoredVersion, model: bytes, card: bytes) -> StoredVersion:
        """Store a version: the folder first, then the manifest, each replaced in one step. Returns its line.

        ``record.files`` names the model's file; its hashes are filled in here. A version that is there already is
        replaced by the same content.

        Raises
        ------
        ModelStoreError
            The bytes are no text (pickles are never stored), or name or version are malformed.
        LakeError
            The disk failed; manifest and versions stand as before.
        """
        content = {record.model_file: model, CARD: card}
        texts = _texts(name, record.version, content)
        hashes = {file: hashlib.sha256(data).hexdigest() for file, data in content.items()}
        manifest = self._manifest(name) or _Manifest("aitrader-models/1", None, ())
        stored = replace(record, files=hashes)
        for known in manifest.versions:
            if replace(known, recorded_at=record.recorded_at) == stored:
                stored = known  # the same again keeps its time, so that a repeated run changes no byte
        others = tuple(known for known in manifest.versions if known.version != stored.version)
        try:
            _replace_folder(self._root / name / stored.version, texts)
            _write(self._root / name / MANIFEST, _manifest_text((*others, stored)))
        except OSError as error:
            raise LakeError(
                f"Model {name} could not be written to {self._root}: {error}.",
                fix="Free space or repair the disk, then run again: nothing is lost.",
            ) from error
        return stored

    def _manifest(self, name: str) -> _Manifest | None:
        if not _NAME.fullmatch(name):
            raise ModelStoreError(f"{name!r:.40} is not a model's name.", fix="`aitrader models ls` lists the models.")
        path = self._root / name / MANIFEST
        if not path.exists() and not path.is_symlink():
            return None
        _checked_folder(path.parent)
        try:
            manifest = _ADAPTER.validate_json(_read(path, None))
        except ValidationError as error:
            raise ModelStoreError(f"{path} is damaged: {error.errors()[0]['msg']}.", fix=_AGAIN) from error
        for record in manifest.versions:
            _check_record(path, record)
        return manifest


def locate(path: Path) -> tuple[ModelStore, str, str | None]:
    """Return the store, the name and perhaps the version that ``path`` points to in some lake.

    ``path`` is a version's folder, a model's folder, or a lake (or the root above it) that holds one model.

    Raises
    ------
    ModelStoreError
        Nothing of that kind is there, or a lake holds several models.
    """
    path = path.resolve()
    if (path / MANIFEST).is_file():
        return ModelStore(path.parent.parent), path.name, None
    if (path.parent / MANIFEST).is_file():
        return ModelStore(path.parent.parent.parent), path.parent.name, path.name
    for lake in (path, path / "data_lake"):
        names = ModelStore(lake).names()
        if len(names) == 1:
            return ModelStore(lake), names[0], None
        if names:
            listed = ", ".join(str(lake / "models" / name) for name in names)
            raise ModelStoreError(f"{path} holds several models.", fix=f"Name one of: {listed}.")
    raise ModelStoreError(
        f"{path} holds no model.", fix="Point to data_lake/models/NAME of another lake, or to one version in it."
    )


def _check_record(path: Path, record: StoredVersion) -> None:
    files = sorted(record.files)
    if not _VERSION.fullmatch(record.version) or len(files) != 2 or files[0] != CARD or not _MODEL.fullmatch(files[1]):
        raise ModelStoreError(f"{path} is damaged: it names {record.version!r:.40} with {files!r:.80}.", fix=_AGAIN)


def _checked_folder(folder: Path) -> Path:
    for path in (folder.parent, folder):
        try:
            status = path.lstat()
        except OSError as error:
            raise ModelStoreError(f"{path} cannot be read: {error.strerror}.", fix=_AGAIN) from error
        if not stat.S_ISDIR(status.st_mode):
            raise ModelStoreError(f"{path} is a link or a file, not a folder of this lake.", fix=_AGAIN)
        if found := doubt(path):
            raise ModelStoreError(found.what, fix=found.fix)
    return folder


def _read(path: Path, digest: str | None) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ModelStoreError(f"{path} cannot be read: {error.strerror}.", fix=_AGAIN) from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise ModelStoreError(f"{path} is not a plain file of a reasonable size.", fix=_AGAIN)
        data = stream.read()
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise ModelStoreError(f"{path} is damaged: its SHA-256 is not the one in the manifest.", fix=_AGAIN)
    return data


def _texts(name: str, version: str, content: Mapping[str, bytes]) -> dict[str, str]:
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise ModelStoreError(f"{name!r:.40} version {version!r:.40} cannot be stored: malformed name.")
    texts = {}
    for file, data in content.items():
        if file != CARD and not _MODEL.fullmatch(file):
            raise ModelStoreError(f"{file!r:.40} cannot be stored: models are model.txt or model.json.")
        try:
            texts[file] = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ModelStoreError(
                f"The model {name} is not text: pickled and binary models are refused.", fix="Train it again."
            ) from error
    return texts


def _replace_folder(target: Path, texts: Mapping[str, str]) -> None:
    fresh, old = target.with_name(f".tmp-{target.name}"), target.with_name(f".old-{target.name}")
    for leftover in (fresh, old):
        if leftover.exists():
            shutil.rmtree(leftover)
    fresh.mkdir(parents=True)
    try:
        for folder in (target.parent, fresh):
            folder.chmod(folder.stat().st_mode & ~stat.S_IWOTH)
        for name, text in texts.items():
            _write(fresh / name, text)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _write(target: Path, text: str) -> None:
    with replacing(target) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def _manifest_text(versions: tuple[StoredVersion, ...]) -> str:
    ordered = sorted(versions, key=lambda record: record.version[:8])
    passed = [record.version for record in ordered if record.status == "passed"]
    body: Any = jsonable(_Manifest("aitrader-models/1", passed[-1] if passed else None, versions))
    return json.dumps(body, indent=1, sort_keys=True) + "\n"
