"""Fires one breach at every control of orders, and says which answered."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from aitrader.config.fields import is_share
from aitrader.config.schema import Config
from aitrader.jobs.checks.drills import DRILLS, Drill, is_off, value_of
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.reports.figures import amount

ALWAYS: Final = "always on"
_OFF: Final = " (off)"


@dataclass(frozen=True, slots=True)
class Control:
    """One control: its name, the setting that moves it with its value and default, what was tried, what answered."""

    control: str
    setting: str
    value: str
    default: str
    tried: str
    answered: str
    fired: bool


@dataclass(frozen=True, slots=True)
class ControlsReport:
    """Every control; ``fired`` says whether all of them did what they are for."""

    controls: tuple[Control, ...]
    fired: bool

    @property
    def warnings(self) -> tuple[str, ...]:
        """The controls that a setting switches off, and that were therefore tried with another value."""
        off = [one.setting for one in self.controls if one.value.endswith(_OFF)]
        return (f"switched off by its setting, and tried as if it were not: {', '.join(off)}",) if off else ()


def fire_controls(config: Config, *, progress: Report = silent) -> ControlsReport:
    """Try one breach of every control at the limits of ``config``, each alone, against a simulated account.

    It goes the way of every order: a recorded decision, review, desk, breakers. Nothing of the book is read or written.
    """
    found = []
    for done, drill in enumerate(DRILLS):
        progress(Progress("controls", done, len(DRILLS), drill.control))
        found.append(_fired(config, drill))
    progress(Progress("controls", len(DRILLS), len(DRILLS)))
    return ControlsReport(tuple(found), all(one.fired for one in found))


def _fired(config: Config, drill: Drill) -> Control:
    outcome = drill.run(config)
    value = default = ""
    if drill.setting:
        value, default = (_shown(one, drill.setting) for one in (config, Config()))
    return Control(
        drill.control, drill.setting or ALWAYS, value, default, outcome.tried, outcome.answered, outcome.fired
    )


def _shown(config: Config, setting: str) -> str:
    section, _, name = setting.partition(".")
    field = type(getattr(config, section)).model_fields[name]
    value = value_of(config, setting)
    if value is None:
        text = "none"
    elif isinstance(value, int | float):
        number = Decimal(repr(value))
        text = f"{amount(number * 100)}%" if is_share(field) else amount(number)
    else:
        text = str(value)
    return f"{text}{_OFF}" if is_off(setting, value) else text
