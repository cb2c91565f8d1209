"""Runs the program's commands in forked children of a process that has imported everything already.

A command that takes a second from the shell takes a tenth of it here, which is what makes hundreds of kills affordable.
The child is a process of its own: killing it leaves what killing ``aitrader`` would leave. Requests and answers are
JSON objects, one a line, on stdin and stdout:

``{"do": "load", "modules": [...]}`` imports and answers ``{"threads": [names]}``; a fork is only sound while there is
no thread beside the main one that may hold a lock.
``{"do": "fork", "words": [...], "out": path, ...}`` answers ``{"pid": n}``; the child waits.
``{"do": "go"}`` lets it run, and answers ``{"status": exit code, or minus the signal}`` when it has ended.
"""

import gc
import importlib
import json
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path


def serve():
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    child, gate = 0, -1
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {}
        if asked["do"] == "load":
            answer = load(asked["modules"])
        elif asked["do"] == "fork":
            reader, gate = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(gate)
                run_child(asked, reader)
            os.close(reader)
            answer = {"pid": child}
        else:
            os.close(gate)
            _, status = os.waitpid(child, 0)
            answer = {"status": os.waitstatus_to_exitcode(status)}
        print(json.dumps(answer), file=answers, flush=True)


def load(modules):
    """Import what commands import, and make the calendar."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    from aitrader.domain.calendars import calendar

    calendar("XNYS")
    gc.freeze()  # no child looks through what all of them share
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return {"threads": [thread.name for thread in threading.enumerate()[1:]]}
    names = {task.name: (task / "comm").read_text().strip() for task in tasks.iterdir()}
    return {"threads": [name for task, name in names.items() if task != str(os.getpid())]}


def run_child(asked, gate):
    """Become the program: wait for the gate, run the words, and end with their exit code."""
    os.read(gate, 1)
    os.close(gate)
    os.chdir(asked["cwd"])
    os.environ.update(asked["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    out = os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    steps = hook(asked["step"]) if asked["step"] is not None else None
    sys.argv = ["aitrader", *asked["words"]]
    code = 1
    try:
        from aitrader.__main__ import main

        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if asked["notes"]:
            notes = {"modules": list(sys.modules), "steps": steps["done"] if steps else 0}
            Path(asked["notes"]).write_text(json.dumps(notes))
        os._exit(code)


def hook(fatal):
    """Count the calls that make something durable, and die at the one with the number ``fatal`` (0: only count).

    For machines where no process may trace another. Each call counts twice: before, and after it was done; each SQL
    statement once, before.
    """
    steps = {"done": 0}

    def step(*_):
        steps["done"] += 1
        if steps["done"] == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(function):
        def called(*args, **more):
            step()
            result = function(*args, **more)
            step()
            return result

        return called

    connect = sqlite3.dbapi2.connect

    def connected(*args, **more):
        database = connect(*args, **more)
        database.set_trace_callback(step)
        return database

    sqlite3.connect = sqlite3.dbapi2.connect = connected
    for name in ("fsync", "fdatasync", "rename", "replace", "unlink", "write", "mkdir"):
        setattr(os, name, around(getattr(os, name)))
    return steps


if __name__ == "__main__":
    serve()
