import hashlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aitrader.errors import LakeError, ModelStoreError
from aitrader.lake import model_store
from aitrader.lake.model_store import CARD, ModelStore, StoredVersion, locate

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def _record(version="20130628-0123abcd", status="passed", file="model.txt"):
    return StoredVersion(version, "lightgbm", status, "because", False, NOON, {file: "", CARD: ""})


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path)


@pytest.fixture
def folder(store, tmp_path):
    store.add("trees", _record(), b"tree\nx", b"{}")
    return tmp_path / "models" / "trees" / "20130628-0123abcd"


def test_what_is_stored_comes_back(store, folder):
    stored = store.load("trees", "20130628-0123abcd")

    assert (stored.model, stored.card) == (b"tree\nx", b"{}")
    assert stored.record.files["model.txt"] == hashlib.sha256(b"tree\nx").hexdigest()
    assert store.names() == ("trees",)


def test_the_champion_is_the_newest_that_passed(store):
    store.add("trees", _record("20130628-00000001"), b"a", b"{}")
    store.add("trees", _record("20120628-00000002"), b"b", b"{}")
    store.add("trees", _record("20140628-00000003", "rejected"), b"c", b"{}")

    assert store.champion("trees").version == "20130628-00000001"
    assert store.newest("trees").version == "20130628-00000001"
    assert store.newest("trees", allow_rejected=True).version == "20140628-00000003"
    assert json.loads((store._root / "trees" / "manifest.json").read_text())["champion"] == "20130628-00000001"


def test_of_equal_ends_the_later_one_is_newer(store):
    store.add("trees", _record("20130628-ffffffff"), b"a", b"{}")
    store.add("trees", _record("20130628-00000001"), b"b", b"{}")

    assert store.newest("trees").version == "20130628-00000001"


def test_without_a_champion_the_reason_is_told(store):
    store.add("trees", _record(status="rejected"), b"a", b"{}")

    assert store.champion("trees") is None
    with pytest.raises(ModelStoreError, match="because"):
        store.newest("trees")


def test_an_unknown_model_or_version_lists_what_there_is(store, folder):
    with pytest.raises(ModelStoreError, match="trees"):
        store.newest("ridge")
    with pytest.raises(ModelStoreError, match="20130628-0123abcd"):
        store.load("trees", "20130628-99999999")


@pytest.mark.parametrize("file", ["model.txt", "card.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "link", "pipe"])
def test_damaged_files_are_refused(store, folder, tmp_path, file, damage):
    path = folder / file
    data = path.read_bytes()
    path.unlink()
    if damage == "flip":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    elif damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "pipe":
        os.mkfifo(path)

    with pytest.raises(ModelStoreError, match=file):
        store.load("trees", "20130628-0123abcd")


def test_a_linked_or_open_folder_is_refused(store, folder, tmp_path):
    folder.chmod(0o777)
    with pytest.raises(ModelStoreError, match="every user"):
        store.load("trees", folder.name)

    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    with pytest.raises(ModelStoreError, match="link"):
        store.load("trees", folder.name)


@pytest.mark.parametrize("name", ["../trees", "a/b", "", ".", "trees\n"])
def test_names_that_are_paths_are_refused(store, folder, name):
    with pytest.raises(ModelStoreError):
        store.load(name, folder.name)
    with pytest.raises(ModelStoreError):
        store.add(name, _record(), b"a", b"{}")


@pytest.mark.parametrize("version", ["../../x", "20130628-0123abcg", ""])
def test_versions_that_are_paths_are_refused(store, folder, version):
    with pytest.raises(ModelStoreError):
        store.load("trees", version)
    with pytest.raises(ModelStoreError):
        store.add("trees", _record(version), b"a", b"{}")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["versions"][0].update(version="../../../etc"),
        lambda m: m["versions"][0]["files"].update({"../../evil.txt": "00"}),
        lambda m: m["versions"][0].update(files={"card.json": "00", "model.pkl": "00"}),
        lambda m: m.update(format="aitrader-models/2"),
        lambda m: m["versions"][0].update(status="champion"),
    ],
)
def test_a_manifest_that_was_edited_into_something_else_is_refused(store, folder, change):
    path = folder.parent / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))

    with pytest.raises(ModelStoreError, match="damaged"):
        store.versions("trees")


def test_pickles_are_never_stored(store, tmp_path):
    with pytest.raises(ModelStoreError, match="pickled"):
        store.add("trees", _record(), b"\x80\x04\x95\xff.", b"{}")
    with pytest.raises(ModelStoreError, match=r"model\.txt or model\.json"):
        store.add("trees", _record(file="model.pkl"), b"a", b"{}")

    assert store.names() == ()


def test_a_writer_that_dies_before_the_manifest_leaves_no_version(store, folder, monkeypatch):
    def dies(target, text):
        if target.name == "manifest.json":
            raise KeyboardInterrupt
        target.write_text(text)

    before = (folder.parent / "manifest.json").read_bytes()
    monkeypatch.setattr(model_store, "_write", dies)
    with pytest.raises(KeyboardInterrupt):
        store.add("trees", _record("20140101-00000001"), b"new", b"{}")
    monkeypatch.undo()

    assert [record.version for record in store.versions("trees")] == ["20130628-0123abcd"]
    assert (folder.parent / "manifest.json").read_bytes() == before
    store.add("trees", _record("20140101-00000001"), b"new", b"{}")
    assert store.load("trees", "20140101-00000001").model == b"new"


def test_a_full_disk_leaves_everything_as_it_was(store, folder, monkeypatch):
    def full(target, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_store, "_write", full)
    with pytest.raises(LakeError, match="No space left"):
        store.add("trees", _record("20140101-00000001"), b"new", b"{}")

    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name, "manifest.json"]


def test_storing_again_mends_a_damaged_version(store, folder):
    (folder / "model.txt").write_bytes(b"broken")

    store.add("trees", _record(), b"tree\nx", b"{}")

    assert store.load("trees", folder.name).model == b"tree\nx"
    assert len(store.versions("trees")) == 1


def test_storing_the_same_again_changes_no_byte(store, folder):
    before = (folder.parent / "manifest.json").read_bytes()

    store.add("trees", replace(_record(), recorded_at=datetime(2025, 1, 1, tzinfo=UTC)), b"tree\nx", b"{}")

    assert (folder.parent / "manifest.json").read_bytes() == before


def test_a_path_into_another_lake_is_understood(store, folder, tmp_path):
    for path, version in ((folder, folder.name), (folder.parent, None), (tmp_path, None)):
        found, name, found_version = locate(path)
        assert (found.names(), name, found_version) == (("trees",), "trees", version)
    with pytest.raises(ModelStoreError, match="no model"):
        locate(tmp_path / "models" / "nothing")
    store.add("ridge", _record(), b"a", b"{}")
    with pytest.raises(ModelStoreError, match="several"):
        locate(tmp_path)
