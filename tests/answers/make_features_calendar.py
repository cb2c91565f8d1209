"""Makes features_expected_calendar.csv: run ``python tests/answers/make_features_calendar.py``.

The bars of features_bars.csv are laid out on the days from 2020-01-01 on, so that the last is Monday 2020-10-26. What
is expected of it is counted on a wall calendar: October 2020 had 22 sessions, of which that Monday was the 18th; its
third Friday was the 16th and November's the 20th, with Thanksgiving on the 26th and Labor Day, the last holiday, on
September 7th. No import of aitrader.
"""

import math
from pathlib import Path

HERE = Path(__file__).parent
SYMBOLS = 4

OCTOBER = range(1, 32)
WEEKENDS = {3, 4, 10, 11, 17, 18, 24, 25, 31}
DONE = sum(day <= 26 for day in OCTOBER if day not in WEEKENDS)
ALL = len(OCTOBER) - len(WEEKENDS)

EXPECTED = {
    "session_of_week": 1,
    "month_end": 0,
    "turn_of_month": 0,
    "month_share": DONE / ALL,
    "month_sine": math.sin(2 * math.pi * 9 / 12),
    "month_cosine": 0,
    "quarter_sine": 0,  # October begins a quarter
    "quarter_cosine": 1,
    "sessions_to_expiry": 4 + 5 + 5 + 5,  # to Friday, and three weeks without a holiday
    "before_holiday": 0,
    "after_holiday": 0,
    "half_day": 0,
}

if __name__ == "__main__":
    rows = [",".join([name, *[f"{value:.10g}"] * SYMBOLS]) for name, value in EXPECTED.items()]
    header = (HERE / "features_expected_risk.csv").read_text().splitlines()[0]
    (HERE / "features_expected_calendar.csv").write_text("\n".join([header, *rows]) + "\n")
