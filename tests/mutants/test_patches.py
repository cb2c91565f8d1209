"""Every mutant still applies, and names tests that exist: `make mutants` can run them."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _load():
    spec = importlib.util.spec_from_file_location("mutants_run", Path(__file__).with_name("run.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants_run"] = module
    spec.loader.exec_module(module)
    return module


RUN = _load()
MUTANTS = RUN.mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_patch_applies_to_the_tree(mutant):
    checked = RUN.patch(mutant, ROOT, "--check")

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_says_its_rule_and_names_tests_that_exist(mutant):
    assert mutant.rule
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("[")[0].partition("::")
        functions = {node.name for node in ast.parse((ROOT / path).read_text()).body if hasattr(node, "name")}
        assert name in functions, test


def test_a_head_is_read_up_to_the_diff(tmp_path):
    path = tmp_path / "one.patch"
    path.write_text("Rule: a thing\nFails: tests/a.py::b\nFails: tests/c.py::d\n\n--- a/x\n+++ b/x\nRule: not this\n")

    mutant = RUN.read(path)

    assert (mutant.name, mutant.rule, mutant.tests) == ("one", "a thing", ("tests/a.py::b", "tests/c.py::d"))
