"""What a command leaves behind so that it can be traced and run again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Receipt:
    """Inputs and outputs by name with their hashes, settings with their origins, seed and versions.

    ``lake_version`` counts the commits that the command saw; times are UTC.
    """

    run_id: str
    command: str
    arguments: Mapping[str, Any]
    started_at: datetime
    finished_at: datetime
    lake_version: int | None
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    settings: Mapping[str, Any]
    origins: Mapping[str, str]
    seed: int | None
    versions: Mapping[str, str]
