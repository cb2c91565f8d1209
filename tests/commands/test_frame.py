"""The frame around every command, tried with a command made for it."""

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import pytest
from rich.console import Console

from aitrader.cli import app, render, signals

FAKE = '''
import logging, os, signal
from dataclasses import dataclass
from typing import Annotated
import typer
from aitrader import errors
from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import table
from aitrader.jobs.progress import Progress

@dataclass(frozen=True)
class Result:
    text: str
    value: float

@command
def fake(run: Run, what: Annotated[str, typer.Option()] = "") -> Outcome:
    """Do what the test asks."""
    log = logging.getLogger("aitrader.fake")
    log.info("working", extra={"symbol": "AAPL", "rows": 3, "ratio": float("nan")})
    if what.startswith("raise:"):
        raise getattr(errors, what.split(":")[1])("It broke.\\nBadly.", fix="Mend it.")
    if what == "bug":
        raise ZeroDivisionError("canary-secret-value by zero")
    if what == "full":
        raise OSError(28, "No space left on device", "/lake/x.parquet")
    if what.startswith("signal:"):
        os.kill(os.getpid(), getattr(signal, what.split(":")[1]))
        for number in range(1000):
            run.progress(Progress("loop", number, 1000))
        raise AssertionError("no safe point stopped it")
    if what == "stubborn":
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            pass
    if what == "echo of the signal":
        os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("a child died")
    if what == "late signal":
        os.kill(os.getpid(), signal.SIGINT)
    if what == "progress":
        for number in range(1, 101):
            run.progress(Progress("loop", number, 100, "AAPL"))
    if what == "secret":
        log.info("key canary-secret-value", extra={"api_key": "short", "nested": {"password": "abc"}})
        raise errors.DataFetchError("GET /v2?apikey=abc with canary-secret-value", fix="token=xyz is wrong")
    if what == "print":
        print("noise of a library")
    if what == "gate":
        return Outcome(Result("no", 0.5), status="failed", exit_code=3)
    if what == "skip":
        return Outcome(Result("nothing due", 0.5), status="skipped")
    if what == "common":
        return Outcome(Result(f"{run.book} {run.config.risk.max_gross} {run.now} {run.common.verbose}", 1.0))
    rows = [("AAPL", 0.123456, None), ("[red]MSFT", float("nan"), 1234567)]
    return Outcome(Result("fine", float("nan")), [table("Rows", ("symbol", "x", "n"), rows)], warnings=["few rows"])
'''


@pytest.fixture(autouse=True)
def fake_command(tmp_path, monkeypatch):
    (tmp_path / "fake_command.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fake_command", raising=False)
    table = {**app.COMMANDS, "fake": ("fake_command:fake", "Do it."), "lost": ("aitrader.cli.not_there", "Gone.")}
    monkeypatch.setattr(app, "COMMANDS", MappingProxyType(table))
    return tmp_path


def log_lines(root: Path, command: str = "fake"):
    return [json.loads(line) for line in (root / "logs" / f"{command}.jsonl").read_text().splitlines()]


def test_done_is_0_with_a_table_on_stdout_and_warnings_on_stderr(run_cli, bare_root):
    ran = run_cli("fake", root=bare_root)

    assert ran.code == 0
    assert "AAPL" in ran.out
    assert "[red]MSFT" in ran.out  # data are no markup
    assert "1,234,567" in ran.out
    assert ran.err == "warning: few rows\n"


def test_the_log_keeps_warnings_and_calls_a_failed_gate_an_error(run_cli, bare_root):
    run_cli("fake", root=bare_root)
    run_cli("fake", "--what", "gate", root=bare_root)

    good, bad = (line for line in log_lines(bare_root) if line["event"] == "finished")
    assert (good["level"], good["warnings"]) == ("info", ["few rows"])
    assert (bad["level"], bad["exit_code"]) == ("error", 3)


def test_every_log_line_begins_with_the_same_names(run_cli, bare_root):
    run_cli("fake", root=bare_root)

    lines = {line["event"]: line for line in log_lines(bare_root)}
    assert {tuple(line)[:7] for line in lines.values()} == {
        ("time", "level", "run_id", "book", "symbol", "logger", "event")
    }
    assert (lines["started"]["symbol"], lines["working"]["symbol"]) == (None, "AAPL")


def test_json_is_one_object_with_null_for_nan(run_cli, bare_root):
    ran = run_cli("fake", "--json", root=bare_root)

    assert ran.out.count("\n") == 1
    assert ran.envelope.pop("run_id")
    assert ran.envelope["result"] == {"text": "fine", "value": None}
    assert ran.envelope["status"] == "done"
    assert ran.envelope["warnings"] == ["few rows"]
    assert set(ran.envelope) == {
        "schema", "command", "status", "exit_code", "run_id", "started_at", "duration_s", "result", "warnings", "error",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        ("AitraderError", 1, "failed"),
        ("UsageError", 2, "failed"),
        ("ConfigError", 2, "failed"),
        ("LakeError", 3, "failed"),
        ("DataLeakageError", 3, "failed"),
        ("RefusedError", 4, "refused"),
        ("BrokerError", 5, "failed"),
        ("LockHeldError", 6, "failed"),
        ("Stopped", 130, "stopped"),
    ],
)
def test_each_error_has_two_lines_and_its_code(run_cli, bare_root, error, code, status):
    ran = run_cli("fake", "--what", f"raise:{error}", "--json", root=bare_root)

    assert ran.code == code
    assert ran.err == "error: It broke. Badly.\nfix: Mend it.\n"
    assert ran.envelope["exit_code"] == code
    assert ran.envelope["status"] == status
    assert ran.envelope["error"] == {"type": error, "message": "It broke. Badly.", "fix": "Mend it."}


@pytest.mark.parametrize("common", [(), ("--json",)])
def test_an_unexpected_exception_is_1_in_two_lines(run_cli, bare_root, common):
    ran = run_cli("fake", "--what", "bug", *common, root=bare_root)

    assert ran.code == 1
    assert len(ran.err.splitlines()) == 2
    assert "Traceback" not in ran.err
    assert "ZeroDivisionError" in log_lines(bare_root)[-1]["exception"]


def test_debug_shows_the_traceback(run_cli, bare_root):
    assert "Traceback" in run_cli("fake", "--what", "bug", "--debug", root=bare_root).err


def test_a_full_disk_is_3_and_names_the_file(run_cli, bare_root):
    ran = run_cli("fake", "--what", "full", root=bare_root)

    assert ran.code == 3
    assert ran.err.startswith("error: /lake/x.parquet: No space left on device.\nfix: ")


def test_a_failed_gate_is_3_without_an_error(run_cli, bare_root):
    ran = run_cli("fake", "--what", "gate", "--json", root=bare_root)

    assert (ran.code, ran.envelope["status"], ran.envelope["error"]) == (3, "failed", None)


def test_nothing_due_is_0_and_skipped(run_cli, bare_root):
    ran = run_cli("fake", "--what", "skip", "--json", root=bare_root)

    assert (ran.code, ran.envelope["status"]) == (0, "skipped")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_a_signal_stops_at_the_next_safe_point(run_cli, bare_root, name, code):
    ran = run_cli("fake", "--what", f"signal:{name}", "--json", root=bare_root)

    assert ran.code == code
    assert ran.envelope["status"] == "stopped"
    assert f"error: Stopped by {name}." in ran.err


def test_a_job_without_a_safe_point_is_interrupted(run_cli, bare_root, monkeypatch):
    monkeypatch.setattr(signals, "PATIENCE_SECONDS", 0.05)

    ran = run_cli("fake", "--what", "stubborn", "--json", root=bare_root)

    assert (ran.code, ran.envelope["status"]) == (143, "stopped")


def test_what_breaks_because_of_the_signal_is_a_stop(run_cli, bare_root):
    assert run_cli("fake", "--what", "echo of the signal", root=bare_root).code == 130


def test_work_that_was_finished_when_the_signal_came_is_done(run_cli, bare_root):
    assert run_cli("fake", "--what", "late signal", root=bare_root).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("trane",),
        ("fake", "--nope"),
        ("fake", "--now", "2013-08-07"),
        ("fake", "--now", "noon"),
        ("config",),
        ("lost",),
    ],
)
def test_usage_errors_are_2_in_two_lines_and_obey_json(run_cli, words):
    plain, asked = run_cli(*words), run_cli(*words, "--json")

    assert plain.code == asked.code == 2
    assert plain.out == ""
    assert [line.partition(":")[0] for line in plain.err.splitlines()] == ["error", "fix"]
    assert asked.envelope["exit_code"] == 2
    assert asked.envelope["error"]["type"] == "UsageError"


def test_a_misspelt_command_names_the_nearest(run_cli):
    assert "'train'" in run_cli("trane").err


def test_no_command_shows_the_help_and_is_2(run_cli):
    ran = run_cli()

    assert ran.code == 2
    assert "calculate-features" in ran.out


def test_help_lists_every_command_and_imports_none(run_cli):
    ran = run_cli("--help")

    assert ran.code == 0
    assert all(name in ran.out for name in app.COMMANDS)


def test_version(run_cli):
    ran = run_cli("--version")

    assert ran.code == 0
    assert ran.out.startswith("aitrader ")


def test_common_options_stand_before_and_after_the_command(run_cli, bare_root):
    words = ("--set", "risk.max_gross=0.5", "--book", "blue", "-v", "fake", "--what", "common", "-v", "--json")

    ran = run_cli("--root", bare_root, *words, "--now", "2013-08-07T18:00-04:00", "--set", "risk.max_gross=25%")

    assert ran.envelope["result"]["text"] == "blue 0.25 2013-08-07 18:00:00-04:00 2"


def test_started_at_is_wall_clock_under_now(run_cli, bare_root):
    ran = run_cli("fake", "--json", "--now", "2013-08-07T18:00-04:00", root=bare_root)

    assert not ran.envelope["started_at"].startswith("2013")


def test_progress_without_a_terminal_is_a_few_plain_lines(run_cli, bare_root):
    ran = run_cli("fake", "--what", "progress", root=bare_root)

    assert ran.err.splitlines()[:2] == ["loop: 1/100 AAPL", "loop: 100/100 AAPL"]


def test_progress_on_a_terminal_is_a_bar(run_cli, bare_root, monkeypatch):
    monkeypatch.setattr(render, "_is_terminal", lambda stream: True)

    ran = run_cli("fake", "--what", "progress", root=bare_root)

    assert ran.code == 0
    assert "100/100 AAPL\n" not in ran.err


def test_what_a_library_prints_does_not_spoil_stdout(run_cli, bare_root):
    ran = run_cli("fake", "--what", "print", "--json", root=bare_root)

    assert ran.envelope["status"] == "done"
    assert "noise of a library" in ran.err


def test_log_lines_are_json_with_run_level_event_and_fields(run_cli, bare_root):
    run_id = run_cli("fake", "--json", root=bare_root).envelope["run_id"]

    first, working, last = log_lines(bare_root)
    assert first["event"] == "started"
    assert working["event"] == "working"
    assert working["run_id"] == run_id
    assert (working["level"], working["symbol"], working["rows"], working["ratio"]) == ("info", "AAPL", 3, None)
    assert working["time"].endswith("Z")
    assert last["status"] == "done"


def test_log_files_do_not_depend_on_verbosity(run_cli, bare_root):
    quiet = run_cli("fake", root=bare_root).err
    loud = run_cli("fake", "-v", root=bare_root).err

    assert "working" not in quiet
    assert "info: working symbol=AAPL rows=3" in loud
    assert [line["event"] for line in log_lines(bare_root)] == ["started", "working", "finished"] * 2


def test_a_secret_appears_nowhere(run_cli, bare_root, monkeypatch):
    monkeypatch.setenv("APCA_API_SECRET_KEY", "canary-secret-value")

    ran = run_cli("fake", "--what", "secret", "--debug", "--json", root=bare_root)
    bug = run_cli("fake", "--what", "bug", "--debug", root=bare_root)

    everything = "".join([ran.out, ran.err, bug.out, bug.err, (bare_root / "logs" / "fake.jsonl").read_text()])
    assert "ZeroDivisionError" in everything
    for secret in ("canary-secret-value", "apikey=abc", "token=xyz", '"abc"', '"short"'):
        assert secret not in everything


def test_a_log_folder_that_is_a_file_stops_nothing(run_cli, bare_root):
    (bare_root / "logs").rmdir()
    (bare_root / "logs").write_text("")

    assert run_cli("fake", root=bare_root).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_log_volume_stops_nothing_and_is_told_once(run_cli, bare_root):
    (bare_root / "logs" / "fake.jsonl").symlink_to("/dev/full")

    ran = run_cli("fake", root=bare_root)

    assert ran.code == 0
    assert ran.err.count("no log lines") == 1


def shell(line: str, root: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "A": f"{sys.executable} -m aitrader", "AITRADER_ROOT": str(root)}
    return subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=False)


def test_a_reader_that_goes_away_is_no_failure(bare_root):
    done = shell("$A config show | true; echo ${PIPESTATUS[0]}", bare_root)

    assert done.stdout == "0\n"
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_result_that_cannot_be_written_is_told(bare_root):
    done = shell("$A config show > /dev/full", bare_root)

    assert done.returncode == 1
    assert done.stderr.startswith("error: The result could not be written")


def test_closed_stdout_and_stderr_change_no_code(bare_root):
    assert shell("$A config show >&- 2>&-", bare_root).returncode == 0
    assert shell("$A config show nope >&- 2>&-", bare_root).returncode == 2


def test_cron_without_home_path_and_locale_works(bare_root):
    done = shell(f"env -i {sys.executable} -m aitrader --root {bare_root} config show", bare_root)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_table_costs_no_heavy_import():
    code = (
        "import sys, aitrader.cli.app as app; app.main(['--help']); "
        "print([name for name in ('pydantic', 'polars', 'numpy', 'yaml', 'structlog', 'click') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def listed(table, prefix=""):
    for name, (target, text) in table.items():
        module, _, function = target.partition(":")
        if find_spec(module) is None:
            continue
        found = import_module(module)
        if not function and hasattr(found, "COMMANDS"):
            yield from listed(found.COMMANDS, f"{name} ")
        else:
            yield f"{prefix}{name}", text, getattr(found, function or name.replace("-", "_"))


@pytest.mark.parametrize(("name", "text", "function"), [pytest.param(*row, id=row[0]) for row in listed(app.COMMANDS)])
def test_a_command_s_line_in_the_table_begins_its_own_text(run_cli, name, text, function):
    assert function.__doc__.startswith(text.rstrip("."))

    ran = run_cli(*name.split(), "--help")

    assert ran.code == 0
    for option in ("--config", "--profile", "--set", "--root", "--book", "--json", "--verbose", "--debug", "--now"):
        assert option in ran.out


def test_the_title_of_a_narrow_table_stays_on_one_line(capsys):
    title = "From an empty book of 100,000 USD"

    Console(width=80).print(render.table(title, ("", ""), [("order", "none")]))

    assert capsys.readouterr().out.splitlines()[0].rstrip() == title
