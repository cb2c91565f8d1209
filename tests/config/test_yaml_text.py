"""Broken and hostile YAML ends in one line with its place, quickly, and runs no code."""

import pytest

from aitrader.config.yaml_text import MAX_BYTES, read_file, read_text
from aitrader.errors import ConfigError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)

CORPUS = {
    "a tab as indentation": ("a:\n\tb: 1\n", "f.yaml:2:1", "tab"),
    "an unclosed list": ("a: [1, 2\nb: 3\n", "f.yaml:2:", ""),
    "an unclosed mapping": ("a: {b: 1\n", "f.yaml:2:1", ""),
    "an unclosed quote": ("a: 'x\n", "f.yaml:2:", ""),
    "two colons": ("a: b: c\n", "f.yaml:1:5", ""),
    "a wrong indentation": ("a:\n    b: 1\n  c: 2\n", "f.yaml:3:", ""),
    "a list inside a mapping's place": ("- a\nb: c\n", "f.yaml:2:1", ""),
    "a duplicate key": ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1", "lines 1 and 3"),
    "a nested duplicate key": ("s:\n  a: 1\n  a: 2\n", "f.yaml:3:3", "lines 2 and 3"),
    "a tag that runs code": ("a: !!python/object/apply:os.system [touch canary]\n", "f.yaml:1:4", "tag"),
    "a standard tag": ("a: !!int 5\n", "f.yaml:1:4", "tag"),
    "a tagged key": ("!!str a: 5\n", "f.yaml:1:1", "key"),
    "a list as a key": ("? [a]\n: b\n", "f.yaml:1:3", "key"),
    "an unknown alias": ("a: *x\n", "f.yaml:1:4", "anchor"),
    "an alias to itself": ("a: &x [*x]\n", "f.yaml:1:8", "anchor"),
    "an alias bomb": (BOMB, "f.yaml:6:", "aliases expanded"),
    "a deep list": ("[" * 900_000, "f.yaml:1:32", "levels"),
    "a deep mapping": ("{a: " * 200_000, "f.yaml:1:", "levels"),
    "a deep block list": ("- " * 300_000, "f.yaml:1:", "levels"),
    "too many values": ("a: [" + "x," * 200_000 + "]", "f.yaml:1:", "100,000 values"),
    "two documents": ("a: 1\n---\nb: 2\n", "f.yaml:2:1", "second document"),
    "a control character": ("a: \x00b\n", "f.yaml:1:4", "control"),
    "an unknown directive": ("%YAML 9.9\n---\na: 1\n", "f.yaml:1:1", ""),
    "a reserved sign": ("a: @b\n", "f.yaml:1:4", ""),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", CORPUS)
def test_broken_text_names_line_and_column(name):
    text, place, word = CORPUS[name]

    with pytest.raises(ConfigError) as caught:
        read_text(text, "f.yaml")

    assert str(caught.value).startswith(place)
    assert word in f"{caught.value} {caught.value.fix}"
    assert "\n" not in f"{caught.value}{caught.value.fix}"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"\xef\xbb\xbfa: 1\n", "f.yaml:1:1 begins with a byte order mark"),
        ("a: 1\n".encode("utf-16"), "f.yaml:1:1 begins with a byte order mark"),
        (b"a: 1\nb: \xff\xfe\n", "f.yaml:2:4 holds the byte 0xff"),
        (b"PAR1\x15\x04\x15\x10", "f.yaml:1:5 holds the control character"),
        (b"a: 1\n" * (MAX_BYTES // 5 + 1), "f.yaml has more than 1,000,000 bytes"),
    ],
)
def test_bytes_that_are_no_text_are_named(tmp_path, raw, place):
    (tmp_path / "f.yaml").write_bytes(raw)

    with pytest.raises(ConfigError) as caught:
        read_file(tmp_path / "f.yaml", "f.yaml")

    assert str(caught.value).startswith(place)


def test_a_tag_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError):
        read_text(CORPUS["a tag that runs code"][0], "f.yaml")

    assert not (tmp_path / "canary").exists()


def test_every_value_knows_its_line():
    document = read_text("a: 1\nb:\n  c: x\n  d:\n    - y\n    - z\n", "f.yaml")

    assert document.tree == {"a": "1", "b": {"c": "x", "d": ["y", "z"]}}
    assert document.origins["a",] == "f.yaml:1"
    assert document.origins["b", "c"] == "f.yaml:3"
    assert document.origins["b", "d", 1] == "f.yaml:6"


def test_a_few_aliases_are_fine():
    assert read_text("a: &x {k: v}\nb: *x\n", "f.yaml").tree == {"a": {"k": "v"}, "b": {"k": "v"}}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~\n"])
def test_an_empty_document_is_none(text):
    assert read_text(text, "f.yaml").tree is None
