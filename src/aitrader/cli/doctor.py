"""``aitrader doctor``: the machine, the root, the settings and the credentials."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.errors import AitraderError

_COLORS: Final = {"pass": "green", "fail": "bold red", "skip": "yellow"}


@command
def doctor(run: Run) -> Outcome:
    """Check this machine, the root and the credentials.

    Each line passes, fails or is skipped with its reason; exit code 3 when one fails. Credentials are never shown.
    """
    from aitrader.config.secrets import CREDENTIALS, Secrets
    from aitrader.jobs.doctor import doctor as job

    secrets = Secrets(run.env, env_file=run.common.env_file)

    def place(name: str) -> str | None:
        secrets.get(name)
        return secrets.place(name)

    report = job(
        _or_error(lambda: run.root),
        _or_error(lambda: run.config),
        {item.name: _or_error(partial(place, item.name)) for item in CREDENTIALS},
        clock=run.clock,
    )
    rows = [
        (c.name, colored(c.status, _COLORS[c.status]), f"{c.detail.rstrip('.')}. {c.fix}".rstrip(". "))
        for c in report.checks
    ]
    shown = table("Doctor", ("check", "status", "found"), rows)
    failed = report.failed
    return Outcome(report, [shown], status="failed" if failed else "done", exit_code=3 if failed else 0)


def _or_error(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except AitraderError as error:
        return error
