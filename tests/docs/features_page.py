"""Writes docs/features.md and docs/features/: what the registry says of every feature and operator.

``python tests/docs/features_page.py`` writes them anew; a test compares them.
"""

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path

from aitrader.features.conformance.rules import RULES
from aitrader.features.families import FAMILIES
from aitrader.features.feature import FeatureSpec, load, spec_of
from aitrader.features.formula import formula
from aitrader.features.resolve import resolve
from aitrader.features.sets import SETS
from aitrader.panel import parse
from aitrader.panel.expr import Expr
from aitrader.panel.operators import CROSS, EVENTS, PAIRED, RECURSIVE, ROLLING, UNARY
from aitrader.panel.panel import ADJUSTED, TRADED
from aitrader.panel.plan import columns_of

DOCS = Path(__file__).parents[2] / "docs"
MADE = "<!-- Made by `python tests/docs/features_page.py`: edit the docstrings, not this page. -->"

INTRO = """
A feature is one value per symbol and bar, known when the bar closes. Each is an expression in a small language that has
no word for the future; its lookback, the columns it reads and whether it compares symbols follow from it.

```bash
aitrader features ls --family momentum        # what there is
aitrader features describe "rsi(bars=5)"      # formula, unit, source, lookback, cost
aitrader features test my.yaml                # your own features against every rule below
```

A set is a list in `config/features.yaml`: names, names with settings, patterns (`candle_*`), whole families
(`family:volume`, without what follows the level of prices), other sets, and features of your own as text. How to write
those, and how to bring features in a package, stands in [extending-features.md](extending-features.md).
"""

STORED = """
## What is stored

`aitrader calculate-features` stores the sets of `features.compute` in the lake, as a record and for
`aitrader lake export`; every other command computes what it needs by itself. What is stored is built on, not anew:

| what changed | what is computed |
|---|---|
| a new session | its cells, from the last bars and the stored states |
| a past bar or corporate action, a new symbol | that symbol from its first bar; features that compare symbols wholly |
| a bar on a session on which nobody had one | everything |
| the formula, `data.start`, the source or its adjustment | that feature: it is another one |
| `universe`, `features.min_names`, a group's members | features that compare symbols, or compare within that group |
| `--symbols` | those symbols; what is stored of others stays |
| `--full` | everything that is wanted |

An earlier `--now` than what is stored knows is refused, since it would replace values that know more; `--full` replaces
them. `aitrader lake export --now` refuses them too. A damaged or lost file is computed again. An interrupted run keeps
the parts that it finished. `features.max_memory` bounds what a run takes, whatever the panel: less is slower and gives
the same bits. With 3,000 symbols 1 (GB) is enough for every built-in feature; under 0.5 the program itself is larger.

`aitrader lake export features/1d --feature-set mine --out mine.parquet` (or `.csv`) writes a row per symbol and session
and a float32 column per feature, under its name, with nulls where a value is missing:

```python
import polars as pl

wide = pl.read_parquet("mine.parquet").pivot("symbol", index="session", values="rsi(bars=5)")
```

The files in the lake are no interface: its catalog knows which of them count. The `key` of a feature in
`calculate-features --json` names what is stored: the formula on these prices, and with this universe where it compares
symbols. The one of `features describe` names the formula alone.

## Groups

`by=sector` and `by=industry` compare a symbol with the members of its own group. No source tells them, so
`universe.groups` in `config/universe.yaml` names a file of yours, CSV or Parquet, whose path begins at the root:

```text
symbol,sector,industry,from
JPM,Financials,Banks,
META,Technology,Software,
META,Communication,Media,2018-09-24
```

`sector` or `industry` may be missing, and so may `from`: a row counts from that session on until the symbol's next
row, and without a date ever since. Who is not named, or has an empty name, is in no group, where the value is missing.
The file is part of the identity of the features that use it: those are computed anew when it changes.

Today's sectors, applied to the past, look ahead a little: they know which business a company grew into. Date the rows
where you can. A model does not record the file: train again after changing it. Features within groups belong to no
family or set; name them, as `sector_beta` or `sector_*`.
"""

OPERATORS = """
Missing is NaN and stays NaN; what is not finite is NaN. Windows end at the current bar; `min_periods` of their values
are enough, without it all are needed. The columns are {columns}.

What ends in `_across` compares the universe's members: symbols that have a bar on the session, `universe.min_history`
(60) bars up to it, and pass the other rules of `config/universe.yaml`. Others influence nobody, and have no value but
of `mean_across` and `eigenvalue_across`. With fewer than `features.min_names` (10) members that have a value there is
none at all.
"""


def plain(text: str) -> str:
    """Return a docstring's first paragraph as Markdown in one line."""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split()).replace("``", "`").replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def index(specs: list[FeatureSpec]) -> str:
    """Return docs/features.md."""
    counts = {family: sum(spec.family == family for spec in specs) for family in FAMILIES}
    sets = [(f"`{name}`", str(len(resolve([name], sets={}, custom={}))), described(name)) for name in SETS]
    families = [
        (f"[{name}](features/{name}.md)", str(counts[name]), plain(import_module(module).__doc__ or ""))
        for name, module in FAMILIES.items()
    ]
    columns = f"`{' '.join(ADJUSTED)}`, adjusted forward, and `{' '.join(TRADED)}`, as traded"
    parts = [
        ["# Features", "", MADE, INTRO.rstrip(), ""],
        ["## Sets", "", *table(("set", "features", "what is in it"), sets), ""],
        ["## Families", "", *table(("family", "features", "what it is"), families), ""],
        [
            "## Rules",
            "",
            "Every feature keeps them: a test proves it, on a made-up market, and so does the command.",
            "",
        ],
        [*table(("rule", "what it proves"), [(rule.name, rule.says) for rule in RULES])],
        [STORED],
        ["## Operators", OPERATORS.format(columns=columns).rstrip(), "", *table(("operator", "value"), operators())],
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def described(name: str) -> str:
    """Return what a built-in set is made of, in short."""
    items = [item if isinstance(item, str) else f"{next(iter(item))}(…)" for item in SETS[name]]
    families = [item for item in items if item.startswith("family:") or item in SETS]
    return ", ".join(f"`{item}`" for item in families) or f"`{items[0]}` to `{items[-1]}`"


def operators() -> list[tuple[str, str]]:
    """Return every word of the language: how it is written, and its first paragraph."""
    methods = {name: getattr(Expr, name) for name in parse._METHODS if name not in UNARY}
    groups = ({"shift", "clip", "count"}, ROLLING, PAIRED, EVENTS, RECURSIVE, CROSS)
    ranks = {name: rank for rank, group in enumerate(groups) for name in group}
    order = sorted(methods, key=lambda name: (ranks.get(name, 1), name))
    words = [(f"{name}{signature(function, '')}", function) for name, function in parse._FUNCTIONS.items()]
    words += [(f"x.{name}{signature(methods[name], 'self')}", methods[name]) for name in order]
    return [(f"`{written}`", plain(inspect.getdoc(function) or "")) for written, function in words]


def signature(function: object, hidden: str) -> str:
    """Return a function's parameters without their types."""
    parameters = inspect.signature(function).parameters.values()
    shown = [p.replace(annotation=p.empty) for p in parameters if p.name != hidden]
    if not hidden and [p.name for p in shown] == ["self"]:
        return "(x)"
    return str(inspect.Signature(shown))


def family_page(name: str, specs: list[FeatureSpec]) -> str:
    """Return docs/features/NAME.md."""
    about = inspect.cleandoc(import_module(FAMILIES[name]).__doc__ or "").replace("``", "`")
    lines = [f"# {name}", "", MADE, "", about, ""]
    for spec in specs:
        lines += list(entry(spec))
    return "\n".join(lines).rstrip() + "\n"


def entry(spec: FeatureSpec) -> Iterator[str]:
    """Yield the lines on one feature."""
    back = "recursive" if spec.lookback is None else f"lookback {spec.lookback} bars"
    traits = [
        back,
        f"reads {', '.join(f'`{name}`' for name in sorted(columns_of(spec.expr))) or 'no column'}",
        *(["compares symbols"] if spec.looks_across else []),
        *(["follows the level of prices or volume: models refuse it"] if spec.raw_level else []),
    ]
    settings = ", ".join(f"{name}={value}" for name, value in spec.settings)
    yield from (f"## `{spec.name}`", "", plain(spec.summary), "", "```text", *formula(spec.expr).lines, "```", "")
    yield f"- Unit: {plain(spec.unit)}. {plain(spec.missing)}."
    yield f"- {'; '.join(traits)[0].upper()}{'; '.join(traits)[1:]}." + (
        f" Settings: `{settings}`." if settings else ""
    )
    yield from (f"- Source: {plain(spec.source).rstrip('.')}.", "")


def pages() -> dict[Path, str]:
    """Return every page by its path."""
    specs = [spec_of(known) for known in load().values() if known.family in FAMILIES]
    own = {name: list(group) for name, group in groupby(specs, key=lambda spec: spec.family)}
    return {
        DOCS / "features.md": index(specs),
        **{DOCS / "features" / f"{name}.md": family_page(name, group) for name, group in own.items()},
    }


if __name__ == "__main__":
    made = pages()
    (DOCS / "features").mkdir(exist_ok=True)
    for old in set((DOCS / "features").glob("*.md")) - set(made):
        old.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(made)} pages\n")
