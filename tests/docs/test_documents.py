"""What the documents show is what the commands print."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["README.md"])
def test_a_document_shows_what_its_commands_print(documents, name, tmp_path):
    documents.prepare(tmp_path)
    text = (ROOT / name).read_text()

    shown = list(documents.commands(text))

    assert shown, f"{name} shows no command"
    for command in shown:
        printed = documents.run(command.command, tmp_path)
        assert documents.normalised(printed) == documents.normalised(command.output), command.command


def test_every_relative_link_of_the_documents_leads_to_a_file(documents):
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]

    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in documents.links(page.read_text())
        if not (page.parent / target).exists()
    ]

    assert not broken
