"""Everything that may be bought, in equal parts: the benchmark that needs no opinion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from aitrader.config.fields import Section
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.errors import DataError
from aitrader.strategies.strategy import AllocatorTable, tradable


class EqualWeightSettings(Section):
    """Equal weight has nothing to set."""


@dataclass(frozen=True, slots=True)
class EqualWeight:
    """The same weight for every member with a fresh bar.

    Source: DeMiguel, Garlappi & Uppal (2009), Review of Financial Studies 22(5), the 1/N rule.
    """

    Settings: ClassVar[type[Section]] = EqualWeightSettings
    needs_models: ClassVar[tuple[str, ...]] = ()
    needs_features: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_settings(cls, settings: EqualWeightSettings, allocators: AllocatorTable) -> Self:  # noqa: ARG003 - nothing to set
        """Return the strategy; there is nothing to set."""
        return cls()

    def targets(self, snapshot: MarketSnapshot) -> Mapping[Symbol, float]:
        """Return 1/n for each of the n tradable symbols; raises ``DataError`` if there is none."""
        chosen = [symbol for symbol, good in zip(snapshot.symbols, tradable(snapshot), strict=True) if good]
        if not chosen:
            raise DataError(
                f"No symbol can be held after {snapshot.session}: no member of the universe has a bar of that session.",
                fix="Run `aitrader validate --level data`, or loosen the filters under `universe`.",
            )
        return dict.fromkeys(chosen, 1.0 / len(chosen))
