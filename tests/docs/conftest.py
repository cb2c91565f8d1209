"""The module that runs documents, for the tests of documents and of the demo."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def documents():
    """tests/docs/documents.py as a module."""
    spec = importlib.util.spec_from_file_location("documents", Path(__file__).with_name("documents.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["documents"] = module
    spec.loader.exec_module(module)
    return module
