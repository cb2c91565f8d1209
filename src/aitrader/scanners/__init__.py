"""What deserves attention today, and why."""

from typing import Final

SCANNERS: Final = {
    "model": "aitrader.scanners.model:ModelScanner",
    "rule": "aitrader.scanners.rule:RuleScanner",
}
