"""Symbols that meet written conditions, ranked by a written score."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, PositiveInt

from aitrader.config.fields import Section
from aitrader.domain.snapshot import FloatArray
from aitrader.panel.expr import Expr
from aitrader.scanners.explain import is_comparison, rule_reason, sides, written
from aitrader.scanners.layers import Filter
from aitrader.scanners.scanner import Reader, Reason, ScanView


@dataclass(frozen=True, slots=True)
class RuleScanner:
    """Keeps the symbols for which every rule holds (one whose value is not known does not), ranks by the score."""

    class Settings(Section):
        """Conditions and a score in the language of the features."""

        where: tuple[str, ...] = Field(default=(), examples=[["close > close.mean(50)"]])
        """Each must hold: an expression that is above zero, such as `close > close.mean(50)`."""
        score: str
        """The highest comes first, for example `close / close.shift(20) - 1`."""
        top: PositiveInt = 10
        """Candidates to show."""

    needs_models: ClassVar[tuple[str, ...]] = ()

    where: tuple[Expr, ...]
    score: Expr
    top: int

    @classmethod
    def from_settings(cls, settings: Settings, read: Reader) -> Self:
        """Return the scanner of ``settings``; a mistake in a text is a ``ConfigError`` with its position."""
        return cls(tuple(read(text) for text in settings.where), read(settings.score), settings.top)

    @property
    def needs_values(self) -> tuple[Expr, ...]:
        """The score, the rules, and both sides of each comparison."""
        wanted = (self.score, *(side for rule in self.where for side in sides(rule)))
        return tuple(dict.fromkeys(wanted))

    def filters(self, view: ScanView) -> tuple[Filter, ...]:
        """Return a filter for each rule."""
        return tuple(_rule_filter(view, rule) for rule in self.where)

    def scores(self, view: ScanView) -> FloatArray:
        """Return the values of the score."""
        return view.snapshot.features[self.score.key]

    def reasons(self, view: ScanView, position: int) -> tuple[Reason, ...]:
        """Return the score and what each rule found."""
        return tuple(rule_reason(view, quantity, position) for quantity in (self.score, *self.where))


def _rule_filter(view: ScanView, rule: Expr) -> Filter:
    values = view.snapshot.features[rule.key]

    def why_not(position: int) -> str:
        if np.isnan(values[position]):
            return "not known: its window lacks bars"
        return rule_reason(view, rule, position).text

    with np.errstate(invalid="ignore"):
        return Filter(written(rule) if is_comparison(rule) else f"{written(rule)} > 0", values > 0, why_not)
