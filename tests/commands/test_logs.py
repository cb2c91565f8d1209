"""``aitrader logs``."""

import json


def write(root, command, *lines):
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    (root / "logs" / command).write_text(text)


def line(second, level="info", run="r1", event="did", **fields):
    return {
        "time": f"2026-01-02T00:00:{second:02}Z",
        "level": level,
        "run_id": run,
        "book": "main",
        "event": event,
        **fields,
    }


def shown(ran):
    return [item["event"] for item in ran.envelope["result"]["lines"]]


def test_lines_of_all_commands_and_rotated_files_come_in_order(run_cli, bare_root):
    write(bare_root, "scan.jsonl", line(3, event="three"), line(5, event="five"))
    write(bare_root, "scan.jsonl.1", line(1, event="one"))
    write(bare_root, "train.jsonl", line(2, event="two", rows=7))

    ran = run_cli("logs", "--json", root=bare_root)

    assert shown(ran)[:4] == ["one", "two", "three", "five"]
    assert ran.envelope["result"]["lines"][1]["fields"] == {"rows": 7}


def test_command_level_run_and_last_filter(run_cli, bare_root):
    lines = [line(1, "error", event="a"), line(2, "info", event="b"), line(3, "error", "r2", "c")]
    write(bare_root, "scan.jsonl", *lines, line(4, "error", event="d"))
    write(bare_root, "train.jsonl", line(9, "error", event="other"))

    words = ("logs", "--json", "--command", "scan", "--level", "warning", "--run", "r1")

    assert shown(run_cli(*words, root=bare_root)) == ["a", "d"]
    assert shown(run_cli(*words, "--last", "1", root=bare_root)) == ["d"]


def test_damaged_lines_are_counted_and_stop_nothing(run_cli, bare_root):
    write(bare_root, "scan.jsonl", line(1, event="good"), '{"time": "2026-01-0', "[]")

    ran = run_cli("logs", "--command", "scan", root=bare_root)

    assert ran.code == 0
    assert "2 damaged" in ran.err
    assert "good" in ran.out


def test_an_unknown_command_or_level_is_2(run_cli, bare_root):
    write(bare_root, "scan.jsonl", line(1))

    assert run_cli("logs", "--command", "sacn", root=bare_root).code == 2
    assert run_cli("logs", "--level", "loud", root=bare_root).code == 2
