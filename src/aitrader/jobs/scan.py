"""Looks for candidates on the last session, with the reasons for each and what the strategies would hold."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from aitrader.config.schema import Config
from aitrader.disk.files import write_text
from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.receipts import Receipt
from aitrader.domain.symbols import Symbol
from aitrader.envelope import jsonable
from aitrader.errors import LakeError
from aitrader.jobs.assembly.opinions import ModelUsed
from aitrader.jobs.assembly.sight import Asked, Sight, Wishes, look
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.reports.figures import write_csv
from aitrader.scanners.layers import Layer
from aitrader.scanners.scanner import Candidate
from aitrader.scanners.scanner import scan as find

COLUMNS: Final = ("rank", "symbol", "score", "price", "weight", "reasons")
"""The columns of ``scan.csv``."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What the strategies would hold of an empty book: ``weight`` of equity, about ``shares`` at ``price`` USD.

    ``refused`` says which limit would refuse the order, and why; empty if none.
    """

    symbol: Symbol
    weight: float
    shares: float
    price: float
    refused: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Candidates on ``session`` (the last with bars known at ``decided_at``), best first, with their reasons.

    ``due`` is the last session that had closed; later than ``session`` the data are old. ``layers`` say how many
    symbols each filter left. ``holdings`` are what ``strategies`` would hold together of ``equity`` USD in cash.
    ``survivors_only``, ``hand_picked`` and ``adjusted`` say what is wrong with the universe and the prices.
    """

    scanner: str
    session: date
    due: date
    decided_at: datetime
    source: str
    lake_version: int
    symbols: int
    members: int
    scored: int
    candidates: tuple[Candidate, ...]
    layers: tuple[Layer, ...]
    strategies: tuple[str, ...]
    equity: float
    holdings: tuple[Holding, ...]
    models: tuple[ModelUsed, ...]
    survivors_only: bool
    hand_picked: bool
    adjusted: bool
    warnings: tuple[str, ...]
    report: str
    receipt: str


def scan(
    config: Config,
    root: Path,
    asked: Asked | None = None,
    *,
    clock: Clock = wall_clock,
    progress: Report = silent,
) -> ScanReport:
    """Scan the last session that is known, and keep the result under ``data_lake/reports/<run_id>/``.

    Raises
    ------
    DataLeakageError
        A model was trained on the session or on later ones.
    DataError
        No score is a number, all are equal, or the data do not allow a scan (see ``assembly.sight.look``). Nothing is
        written then.
    LakeError
        The result could not be written.
    """
    started, wanted = clock(), asked or Asked()
    sight = look(config, root, wanted, clock=clock, progress=progress)
    found = find(sight.scanner, sight.view)
    progress(Progress("scan", 4, 4))
    run_id = wanted.run_id or f"scan-{started:%Y%m%dT%H%M%SZ}"
    snapshot, wishes = sight.view.snapshot, sight.wishes
    report = ScanReport(
        scanner=sight.name,
        session=sight.session,
        due=sight.due,
        decided_at=snapshot.decided_at,
        source=sight.market.source,
        lake_version=sight.market.lake_version,
        symbols=len(snapshot.symbols),
        members=int(snapshot.members.sum()),
        scored=found.scored,
        candidates=_weighted(found.candidates, wishes),
        layers=found.layers,
        strategies=tuple(wishes.by_strategy) if wishes else (),
        equity=wishes.equity if wishes else float("nan"),
        holdings=_holdings(wishes) if wishes else (),
        models=sight.models,
        survivors_only=sight.market.survivors_only,
        hand_picked=sight.market.hand_picked,
        adjusted=sight.market.adjusted,
        warnings=sight.warnings,
        report=f"data_lake/reports/{run_id}/scan.json",
        receipt=f"data_lake/receipts/{run_id}.json",
    )
    outputs = _write(root, report)
    write_receipt(root / "data_lake", _receipt(config, wanted, sight, outputs, (run_id, started, clock())))
    return report


def _weighted(candidates: Sequence[Candidate], wishes: Wishes | None) -> tuple[Candidate, ...]:
    if wishes is None:
        return tuple(candidates)
    return tuple(replace(one, weight=wishes.weights.get(one.symbol, 0.0)) for one in candidates)


def _holdings(wishes: Wishes) -> tuple[Holding, ...]:
    orders = {order.symbol: order for order in wishes.decision.orders}
    made = []
    for symbol, weight in sorted(wishes.weights.items(), key=lambda item: (-item[1], item[0])):
        order, refusal = orders.get(symbol), wishes.refused.get(symbol)
        made.append(
            Holding(
                symbol,
                weight,
                float(order.signed_quantity) if order else 0.0,
                float(order.planned_price) if order else float("nan"),
                f"{refusal.code}: {refusal.reason}" if refusal else "" if order else "less than one lot",
            )
        )
    return tuple(made)


def _write(root: Path, report: ScanReport) -> dict[str, str]:
    """Write ``scan.json`` and ``scan.csv``; return their SHA-256 by path."""
    rows = [
        (one.rank, one.symbol, one.score, one.price, one.weight, "; ".join(reason.text for reason in one.reasons))
        for one in report.candidates
    ]
    table = io.StringIO()
    write_csv(table, COLUMNS, rows)
    body = json.dumps(jsonable(report), indent=1, ensure_ascii=False, allow_nan=False)
    texts = {report.report: f"{body}\n", report.report.replace(".json", ".csv"): table.getvalue()}
    try:
        for path, text in texts.items():
            write_text(root / path, text)
    except OSError as error:
        raise LakeError(
            f"The scan could not be written: {error}.", fix="Free space or repair the disk, then run again."
        ) from error
    return {path: sha256(text.encode()).hexdigest() for path, text in texts.items()}


def _receipt(
    config: Config, asked: Asked, sight: Sight, outputs: dict[str, str], run: tuple[str, datetime, datetime]
) -> Receipt:
    run_id, started, finished = run
    arguments = {
        "scanner": sight.name,
        "strategy": asked.strategy,
        "now": asked.now,
        "as_of": asked.as_of,
        "allow_rejected": asked.allow_rejected,
    }
    return Receipt(
        run_id=run_id,
        command="scan",
        arguments=arguments,
        started_at=started,
        finished_at=finished,
        lake_version=sight.market.lake_version,
        inputs={"bars/1d": sight.market.bars_hash} | {f"models/{m.name}": m.version for m in sight.models},
        outputs=outputs,
        settings=config.model_dump(mode="json"),
        origins=asked.origins,
        seed=None,
        versions=versions(),
    )
