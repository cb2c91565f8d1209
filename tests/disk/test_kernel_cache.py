from aitrader.disk.kernel_cache import VARIABLE, use_kernel_cache


def test_a_private_folder_of_this_user(tmp_path):
    env = {"XDG_CACHE_HOME": str(tmp_path)}

    use_kernel_cache(env)

    (folder,) = (tmp_path / "aitrader").iterdir()
    assert env[VARIABLE] == str(folder)
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_is_named_stays(tmp_path):
    env = {VARIABLE: "/elsewhere", "XDG_CACHE_HOME": str(tmp_path)}

    use_kernel_cache(env)

    assert env[VARIABLE] == "/elsewhere"
    assert not list(tmp_path.iterdir())


def test_code_is_not_run_from_a_folder_that_others_can_write(tmp_path):
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    use_kernel_cache(env)
    (folder,) = (tmp_path / "aitrader").iterdir()
    folder.chmod(0o777)
    again = {"XDG_CACHE_HOME": str(tmp_path)}

    use_kernel_cache(again)

    assert again.get(VARIABLE) != str(folder)
