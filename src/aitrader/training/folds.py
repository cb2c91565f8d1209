"""Where history is cut: what looks ahead stays away from what is learned.

Positions count the panel's sessions. Cuts are by session, for all symbols at once.
"""

from dataclasses import dataclass

from aitrader.errors import InsufficientDataError

MIN_TEST = 20
"""Labelled out-of-fold sessions below which a score says nothing."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The walk-forward plan in sessions: a fold ``every`` so many, trained on ``window``.

    A label reaches ``reach`` sessions past its decision (horizon + 1); ``embargo`` lengthens the gap it makes.
    """

    every: int
    window: int
    reach: int
    embargo: int = 0

    @property
    def gap(self) -> int:
        """Sessions before a test block that give no training sample."""
        return self.reach + self.embargo


@dataclass(frozen=True, slots=True)
class Span:
    """Sessions from ``first`` up to, not including, ``stop``."""

    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class Fold:
    """One cut: what is learned from (purged already) and the block that is predicted."""

    number: int
    train: Span
    test: Span


def walk_forward(first: int, sessions: int, schedule: Schedule) -> tuple[Fold, ...]:
    """Return the folds of a history whose first session with a sample is ``first``.

    The first block begins once a full window lies before it; the last ends with the panel, whose last session is the
    last price that any label uses. A training sample is purged when the last price of its label is not earlier than
    the first session of the test block (Lopez de Prado (2018), Advances in Financial Machine Learning, section 7.4).

    Raises
    ------
    InsufficientDataError
        No window and test block of at least 20 labelled sessions fit in.
    """
    needed = schedule.window + MIN_TEST + schedule.reach
    if sessions - first < needed or schedule.window <= schedule.gap:
        raise InsufficientDataError(
            f"Walk-forward training needs {needed} sessions with features (a window of {schedule.window}, "
            f"{MIN_TEST} to test on, {schedule.reach} for the labels), the lake has {max(sessions - first, 0)}.",
            needed=needed,
            got=max(sessions - first, 0),
            fix="Backfill more history, or set a shorter `training.retrain.window`.",
        )
    starts = range(first + schedule.window, sessions, schedule.every)
    return tuple(
        Fold(
            number=number,
            train=Span(start - schedule.window, start - schedule.gap),
            test=Span(start, min(start + schedule.every, sessions)),
        )
        for number, start in enumerate(starts)
    )


def final_span(sessions: int, schedule: Schedule) -> Span:
    """Return the decisions that the stored model learns from: the newest window that ends with the panel.

    The last ``reach`` of them have no label yet, which is the purge.
    """
    return Span(max(sessions - schedule.window, 0), sessions - schedule.reach)
