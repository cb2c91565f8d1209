"""What somebody else could have written is not believed."""

import pytest

from aitrader.disk.trust import doubt


@pytest.mark.parametrize(
    ("mode", "believed"), [(0o700, True), (0o775, True), (0o755, True), (0o777, False), (0o702, False)]
)
def test_what_every_user_may_write_is_not_believed_whoever_asks(tmp_path, mode, believed):
    tmp_path.chmod(mode)

    found = doubt(tmp_path)

    assert (found is None) is believed
    assert found is None or found.fix == f"Run: chmod o-w {tmp_path}"


def test_a_link_is_not_believed_even_where_it_points_to_nothing(tmp_path):
    link = tmp_path / "a link"
    link.symlink_to(tmp_path / "nowhere")

    found = doubt(link)

    assert found is not None
    assert found.what == f"{link} is a symbolic link."
    assert f"'{link}'" in found.fix


def test_what_is_not_there_is_an_error_and_not_a_doubt(tmp_path):
    with pytest.raises(FileNotFoundError):
        doubt(tmp_path / "nothing")
