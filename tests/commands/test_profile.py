"""`--trace FILE` on every command."""

import builtins
import json
import sys

import pytest

from aitrader.cli import app


def profile(file):
    events = json.loads(file.read_text())["traceEvents"]
    return [event for event in events if event["ph"] == "X"], {
        event["args"]["name"] for event in events if event["name"] == "thread_name"
    }


def test_a_command_s_phases_and_threads_stand_in_the_profile(root, run_cli, tmp_path):
    file = tmp_path / "profile.json"

    ran = run_cli("calculate-features", "--trace", file, "--json", root=root)
    spans, threads = profile(file)

    assert ran.code == 0
    assert {"calculate-features", "settings", "open lake", "load bars", "write features", "commit"} <= {
        span["name"] for span in spans
    }
    assert {"MainThread", "worker_0"} <= threads
    (whole,) = (span for span in spans if span["name"] == "calculate-features")
    assert all(span["ts"] + span["dur"] <= whole["ts"] + whole["dur"] for span in spans)


def test_what_a_command_imports_stands_in_the_profile(bare_root, run_cli, tmp_path, monkeypatch):
    file = tmp_path / "profile.json"
    monkeypatch.delitem(sys.modules, "aitrader.jobs.configuration", raising=False)
    before = builtins.__import__

    run_cli("config", "show", "--trace", file, root=bare_root)
    spans, _ = profile(file)

    assert "import aitrader.jobs.configuration" in {span["name"] for span in spans}
    assert builtins.__import__ is before


def test_the_option_may_stand_before_the_command(bare_root, run_cli, tmp_path):
    file = tmp_path / "profile.json"

    assert run_cli("--trace", file, "config", "show", root=bare_root).code == 0
    assert "config show" in file.read_text()


def test_a_command_that_fails_leaves_its_profile(bare_root, run_cli, tmp_path):
    file = tmp_path / "profile.json"

    ran = run_cli("train", "--trace", file, root=bare_root)
    spans, _ = profile(file)

    assert ran.code != 0
    assert {"train", "settings"} <= {span["name"] for span in spans}


@pytest.mark.parametrize("place", ["no/such/folder/profile.json", "."])
def test_a_place_that_cannot_be_written_is_exit_2_before_anything_is_done(
    root, run_cli, two_lines, stored, tmp_path, monkeypatch, place
):
    monkeypatch.chdir(tmp_path)
    before = stored(root)

    two_lines(run_cli("calculate-features", "--trace", place, root=root), 2, "--trace")

    assert stored(root) == before


def test_a_profile_that_cannot_be_written_at_the_end_is_a_warning(bare_root, run_cli, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("aitrader.disk.files.write_text", full)

    ran = run_cli("config", "show", "--trace", tmp_path / "profile.json", root=bare_root)

    assert ran.code == 0
    assert "warning: The profile could not be written" in ran.err


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_the_option(run_cli, name):
    group = app._imported(name, *app.COMMANDS[name])

    assert "--trace" in {option for parameter in group.params for option in parameter.opts}
