"""The kill switch before anything that is installed is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import aitrader
from aitrader.live import kill_switch
from aitrader.live.emergency_words import HELP
from aitrader.live.kill_switch import main

SOURCE = Path(aitrader.__file__).parents[1]
KEYS = {"APCA_API_KEY_ID": "PKCANARY0000000000", "APCA_API_SECRET_KEY": "canary-secret"}
DIET = {
    "aitrader",
    "aitrader.__main__",
    "aitrader.config",
    "aitrader.config.root",
    "aitrader.disk",
    "aitrader.disk.files",
    "aitrader.domain",
    "aitrader.domain.clock",
    "aitrader.domain.events",
    "aitrader.domain.orders",
    "aitrader.domain.symbols",
    "aitrader.envelope",
    "aitrader.errors",
    "aitrader.journal",
    "aitrader.journal.account",
    "aitrader.journal.halt",
    "aitrader.live",
    "aitrader.live.emergency_words",
    "aitrader.live.kill_switch",
}
BARE = f"""
import sys
sys.path.insert(0, {str(SOURCE)!r})
sys.argv = ["aitrader", *sys.argv[1:]]
from aitrader.__main__ import main
try:
    main()
finally:
    foreign = [n for n in sys.modules if n.partition(".")[0] not in sys.stdlib_module_names and n != "__main__"]
    print(*foreign, file=sys.stderr)
"""


class Ordinary:
    """The ordinary command, of which only the call is of interest here."""

    def __init__(self, code=0, error=None):
        self.code, self.error, self.calls = code, error, []

    def __call__(self, words):
        self.calls.append(words)
        if self.error is not None:
            raise self.error
        return self.code


@pytest.fixture
def root(tmp_path):
    """A folder without any configuration."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def book(root):
    """Make a book's folder, as a trader leaves it."""

    def make(name, kind="simulated", number=None):
        folder = root / "state" / name
        folder.mkdir(parents=True)
        key = {"book": name, "kind": kind, "host": "", "number": number or f"SIM-{name}"}
        (folder / "account.json").write_text(json.dumps(key))
        return folder

    return make


@pytest.fixture
def stop(root, capsys):
    """Run the kill switch in ``root``; return its code and the lines on stderr."""

    def run(*words, ordinary=None, env=None, cwd=None):
        capsys.readouterr()
        code = main(words, ordinary or Ordinary(), env=env or {}, cwd=cwd or root)
        return code, capsys.readouterr().err.splitlines()

    return run


@pytest.fixture
def at_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)


def bare(root, *words):
    """Run the console script without any installed package, user folder or environment."""
    return subprocess.run(
        [sys.executable, "-S", "-I", "-c", BARE, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=root,
        env={},
    )


@pytest.mark.parametrize("words", [["--help"], [], ["--yes", "--json"]])
def test_it_imports_the_standard_library_and_its_own_diet_only(root, words):
    ran = bare(root, "emergency-shutdown", *words)

    assert set(ran.stderr.splitlines()[-1].split()) <= DIET


def test_it_stands_on_the_standard_library_with_a_book_of_a_broker_that_it_does_not_reach(root, book):
    folder = book("main", "alpaca", "PA1")

    ran = bare(root, "emergency-shutdown", "--yes")

    assert ran.returncode == 11
    assert set(ran.stderr.splitlines()[-1].split()) <= DIET
    assert (folder / "HALT").exists()


def test_help_costs_nothing_and_changes_nothing(root, capsys):
    assert main(["emergency-shutdown", "--help"], Ordinary(), env={}, cwd=root) == 0

    assert capsys.readouterr().out == HELP
    assert list(root.iterdir()) == []


def test_without_account_and_keys_it_shuts_all_books_and_says_that_nobody_saw_anything(root, stop):
    code, lines = stop("emergency-shutdown")

    assert code == 11
    assert lines[0].startswith("error: No account to close")
    assert str(root / "state" / "HALT") in lines[0]
    assert lines[1].startswith("fix: ")
    assert (root / "state" / "HALT").exists()
    assert (root / "state").stat().st_mode & 0o777 == 0o700


def test_with_keys_of_an_account_that_it_does_not_reach_it_shuts_all_books_and_shows_no_key(root, stop):
    code, lines = stop("emergency-shutdown", "--yes", env=KEYS)

    assert code == 11
    assert "Alpaca account" in lines[0]
    assert (root / "state" / "HALT").exists()
    assert "CANARY" not in "".join(lines)
    assert "canary" not in "".join(lines)


def test_half_a_pair_of_keys_counts_as_an_account(root, stop):
    code, lines = stop("emergency-shutdown", env={"APCA_API_SECRET_KEY": "x"})

    assert code == 11
    assert "Alpaca account" in lines[0]


def test_a_simulated_book_is_shut_and_handed_to_the_ordinary_command_as_it_was_typed(book, stop):
    folder = book("main")
    ordinary = Ordinary(10)

    code, _ = stop("--profile", "demo", "emergency-shutdown", "--yes", "--set", "a.b=c", ordinary=ordinary)

    assert code == 10
    assert ordinary.calls == [["--profile", "demo", "emergency-shutdown", "--yes", "--set", "a.b=c"]]
    assert (folder / "HALT").exists()
    assert not (folder.parent / "HALT").exists()


@pytest.mark.parametrize("env", [{}, KEYS])
def test_a_dry_run_says_what_it_would_shut_and_shuts_nothing(root, stop, env):
    code, lines = stop("emergency-shutdown", "--dry-run", env=env)

    assert code == 11
    assert f"HALT would be shut in {root / 'state'}; nothing was done" in lines[0]
    assert list(root.iterdir()) == []


def test_a_dry_run_of_a_simulated_book_is_handed_over_without_a_latch(book, stop):
    folder = book("main")
    ordinary = Ordinary(error=ImportError("numpy is gone"))

    assert stop("emergency-shutdown", "--dry-run", "--yes", ordinary=ordinary)[0] == 11
    assert len(ordinary.calls) == 1
    assert not (folder / "HALT").exists()


def test_at_a_terminal_nothing_is_shut_before_a_person_was_asked(book, stop, at_terminal):
    folder = book("main")

    stop("emergency-shutdown")
    assert not (folder / "HALT").exists()

    stop("emergency-shutdown", "--yes")
    assert (folder / "HALT").exists()


def test_on_the_replay_clock_nothing_is_shut_before_the_time_is_known_to_be_good(book, stop):
    folder = book("main")

    stop("emergency-shutdown", "--yes", "--now", "2013-08-08T18:00-04:00")

    assert not (folder / "HALT").exists()


def test_on_the_replay_clock_keys_mean_no_account(book, stop):
    book("main")
    ordinary = Ordinary()

    stop("emergency-shutdown", "--yes", "--now=2013-08-08T18:00-04:00", ordinary=ordinary, env=KEYS)

    assert len(ordinary.calls) == 1


@pytest.mark.parametrize("error", [ImportError("numpy is gone"), SyntaxError("damaged"), OSError("read-only")])
def test_where_the_installation_is_broken_halt_is_shut_and_nobody_saw_it_flat(book, stop, at_terminal, error):
    folder = book("main")

    code, lines = stop("emergency-shutdown", ordinary=Ordinary(error=error))

    assert code == 11
    assert str(error) in lines[0]
    assert (folder / "HALT").exists()


def test_with_two_books_it_refuses_lists_them_and_does_nothing(root, book, stop):
    book("main")
    book("other")

    code, lines = stop("emergency-shutdown", "--yes")

    assert code == 2
    assert "main (simulated, SIM-main), other (simulated, SIM-other)" in lines[0]
    assert not list(root.rglob("HALT"))


def test_a_book_beside_keys_is_not_clear_either(root, book, stop):
    book("main")

    code, lines = stop("emergency-shutdown", "--yes", env=KEYS)

    assert code == 2
    assert "main (simulated, SIM-main), the Alpaca account of APCA_API_KEY_ID" in lines[0]
    assert not list(root.rglob("HALT"))


def test_a_named_book_is_meant_and_no_other(book, stop):
    main_folder, other = book("main"), book("other")
    ordinary = Ordinary()

    code, _ = stop("emergency-shutdown", "--yes", "--book", "other", ordinary=ordinary, env=KEYS)

    assert code == 0
    assert (other / "HALT").exists()
    assert not (main_folder / "HALT").exists()
    assert len(ordinary.calls) == 1


def test_all_books_are_shut_at_once(root, book, stop):
    folders = [book("main"), book("other", "alpaca", "PA1")]

    stop("emergency-shutdown", "--yes", "--all-books", env=KEYS)

    assert all((folder / "HALT").exists() for folder in [*folders, root / "state"])


def test_a_book_that_does_not_exist_is_refused_with_the_names_of_those_that_do(root, book, stop):
    book("main")

    code, lines = stop("emergency-shutdown", "--yes", "--book", "mian")

    assert code == 2
    assert "main" in lines[0]
    assert not list(root.rglob("HALT"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"book": 1}', "\x00" * 100])
def test_a_damaged_account_file_still_names_a_book_to_shut(root, stop, content):
    folder = root / "state" / "main"
    folder.mkdir(parents=True)
    (folder / "account.json").write_text(content)

    code, lines = stop("emergency-shutdown", "--yes")

    assert code == 11
    assert "main" in lines[0]
    assert (folder / "HALT").exists()


def test_a_simulated_account_without_its_key_is_handed_over_all_the_same(root, stop):
    folder = root / "state" / "main"
    folder.mkdir(parents=True)
    (folder / "paper.sqlite").write_bytes(b"")
    ordinary = Ordinary(10)

    assert stop("emergency-shutdown", "--yes", ordinary=ordinary)[0] == 10
    assert len(ordinary.calls) == 1


def test_a_latch_that_cannot_be_written_is_said_in_capitals(root, stop):
    (root / "state").write_text("a file where the folder should be")

    code, lines = stop("emergency-shutdown", "--yes")

    assert code == 11
    assert "HALT IS NOT SHUT" in lines[0]


def test_a_latch_that_the_book_does_not_take_stands_for_all_books(book, stop, monkeypatch):
    folder = book("main", "alpaca", "PA1")
    make = kill_switch.FileLatches.latch.__globals__["_make"]

    def failing(place, latch, reason):
        if place == folder:
            raise OSError(28, "No space left on device")
        make(place, latch, reason)

    monkeypatch.setitem(kill_switch.FileLatches.latch.__globals__, "_make", failing)

    code, lines = stop("emergency-shutdown", "--yes")

    assert code == 11
    assert (folder.parent / "HALT").exists()
    assert "No space left on device" in lines[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["emergency-shutdown", "--bogus"], "--bogus"),
        (["emergency-shutdown", "--book"], "requires an argument"),
        (["emergency-shutdown", "now"], "unexpected extra argument"),
        (["emergency-shutdown", "--now", "yesterday"], "is not a time"),
        (["emergency-shutdown", "--now", "2013-08-08T18:00"], "has no offset"),
        (["emergency-shutdown", "--all-books", "--book", "a"], "exclude each other"),
        (["emergency-shutdown", "--root", "/nowhere/at/all"], "is not a folder"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_done(root, book, stop, words, said):
    book("a")

    code, lines = stop(*words)

    assert code == 2
    assert said in lines[0]
    assert "Nothing was done" in lines[0]
    assert not list(root.rglob("HALT"))


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "emergency-shutdown"],
        ["--book", "emergency-shutdown"],
        ["--bogus", "emergency-shutdown"],
        ["--version", "emergency-shutdown"],
        ["halt", "--reason", "emergency-shutdown"],
    ],
)
def test_other_commands_that_only_mention_it_go_their_own_way(root, stop, words):
    ordinary = Ordinary(7)

    assert stop(*words, ordinary=ordinary)[0] == 7
    assert ordinary.calls == [words]
    assert list(root.iterdir()) == []


def test_json_is_one_object_with_the_error(root, capsys):
    code = main(["--json", "emergency-shutdown"], Ordinary(), env={}, cwd=root)

    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["command"]) == ("aitrader/1", "emergency-shutdown")
    assert (answer["status"], answer["exit_code"], code) == ("failed", 11, 11)
    assert answer["error"]["type"] == "UnverifiedError"


def test_the_root_is_found_from_below_with_its_configuration_gone(root, book, stop):
    folder = book("main", "alpaca", "PA1")
    below = root / "data_lake" / "deep"
    below.mkdir(parents=True)

    code, _ = stop("emergency-shutdown", "--yes", cwd=below)

    assert code == 11
    assert (folder / "HALT").exists()
    assert not (below / "state").exists()


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_named_root_needs_no_configuration(root, book, stop, tmp_path, by):
    folder = book("main", "alpaca", "PA1")

    if by == "option":
        code, _ = stop("emergency-shutdown", "--yes", "--root", str(root), cwd=tmp_path)
    else:
        code, _ = stop("emergency-shutdown", "--yes", env={"AITRADER_ROOT": str(root)}, cwd=tmp_path)

    assert code == 11
    assert (folder / "HALT").exists()


def test_a_configured_root_above_wins_over_a_nearer_folder(root, stop):
    (root / "config").mkdir()
    (root / "config" / "aitrader.yaml").write_text("][ broken")
    below = root / "below"
    below.mkdir()

    stop("emergency-shutdown", "--yes", cwd=below)

    assert (root / "state" / "HALT").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_terminal_changes_neither_the_latch_nor_the_code(root):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ran = subprocess.run(
            [sys.executable, "-m", "aitrader", "emergency-shutdown", "--json"],
            check=False,
            cwd=root,
            env={},
            stdout=full,
            stderr=full,
        )

    assert ran.returncode == 11
    assert (root / "state" / "HALT").exists()


def test_closed_streams_and_a_removed_working_folder_change_nothing(root, tmp_path):
    script = f'mkdir {tmp_path}/gone && cd {tmp_path}/gone && rmdir {tmp_path}/gone && exec "$@" <&- >&- 2>&-'
    ran = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "aitrader", "emergency-shutdown", "--root", str(root)],
        check=False,
        cwd=root,
        env={"PATH": os.environ["PATH"]},
    )

    assert ran.returncode == 11
    assert (root / "state" / "HALT").exists()
