import os
import subprocess
import sys


def test_blas_has_one_thread_from_the_start_unless_the_environment_says_otherwise():
    program = """
import os, sys
from aitrader import __main__ as script
script._command_line(["--help"])
print(os.environ["OPENBLAS_NUM_THREADS"], "numpy" in sys.modules)
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}

    last = []
    for env in (environment, {**environment, "OPENBLAS_NUM_THREADS": "2"}):
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
        last.append(done.stdout.splitlines()[-1])

    assert last == ["1 False", "2 False"]
