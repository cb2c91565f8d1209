"""Credentials come from one place at a time, and from files that nobody else can read."""

import pytest

from aitrader.config.secrets import SECRET_SHAPE, Secrets
from aitrader.errors import ConfigError

PAIR = {"APCA_API_KEY_ID": "name", "APCA_API_SECRET_KEY": "value"}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "aitrader").mkdir()
    return tmp_path


def write(file, text, mode=0o600):
    file.write_text(text)
    file.chmod(mode)
    return file


def test_nobody_set_it(home):
    assert Secrets({"XDG_CONFIG_HOME": str(home)}).get("APCA_API_KEY_ID") is None
    assert Secrets({}).get("APCA_API_KEY_ID") is None


def test_the_environment_comes_first_then_env_file_then_the_user_s_file(home):
    env = {"XDG_CONFIG_HOME": str(home)}
    write(home / "aitrader" / "secrets.env", "APCA_API_KEY_ID=c\nAPCA_API_SECRET_KEY=c\n")
    project = write(home / ".env", "# mine\n\nexport APCA_API_KEY_ID='b'\nAPCA_API_SECRET_KEY=\"b\"\n")

    def key(**given):
        found = Secrets({**env, **given.get("env", {})}, env_file=given.get("env_file")).get("APCA_API_KEY_ID")
        return found.get_secret_value() if found else None

    assert key() == "c"
    assert key(env_file=project) == "b"
    assert key(env_file=project, env=PAIR) == "name"


def test_a_value_does_not_show_itself():
    assert "name" not in repr(Secrets(PAIR).get("APCA_API_KEY_ID"))


@pytest.mark.parametrize("absent", PAIR)
def test_half_a_pair_is_an_error_even_when_another_place_has_the_rest(home, absent):
    write(home / "aitrader" / "secrets.env", "APCA_API_KEY_ID=c\nAPCA_API_SECRET_KEY=c\n")
    env = {"XDG_CONFIG_HOME": str(home), **{name: value for name, value in PAIR.items() if name != absent}}

    for name in PAIR:
        with pytest.raises(ConfigError, match=f"{absent} is not"):
            Secrets(env).get(name)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_refused(home, mode):
    write(home / "aitrader" / "secrets.env", "APCA_API_KEY_ID=c\nAPCA_API_SECRET_KEY=c\n", mode)

    with pytest.raises(ConfigError, match="others can") as caught:
        Secrets({"XDG_CONFIG_HOME": str(home)}).get("APCA_API_KEY_ID")

    assert "chmod 600" in caught.value.fix


def test_an_env_file_that_was_named_must_exist(home):
    with pytest.raises(ConfigError, match="cannot be read"):
        Secrets({}, env_file=home / "nope").get("APCA_API_KEY_ID")


def test_a_line_that_is_no_assignment_is_named(home):
    file = write(home / ".env", "APCA_API_KEY_ID=a\nwhat\n")

    with pytest.raises(ConfigError, match=r"\.env:2"):
        Secrets({}, env_file=file).get("APCA_API_KEY_ID")


def test_known_values_are_all_that_must_be_hidden(home):
    file = write(home / ".env", "OTHER_TOKEN=long-enough-secret\n")

    assert set(Secrets(PAIR, env_file=file).known_values()) == {"name", "value", "long-enough-secret"}


@pytest.mark.parametrize(
    "text",
    [
        "20260102T030405Z-3f9a1c",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "/home/Anna/Prices2024/Daily/Equities/AllSymbolsAdjustedForSplits.parquet",
        "momentum(bars=60)",
        "lgbm-20130628T000000Z-9f86d081884c7d65",
        "https://paper-api.alpaca.markets",
        "PKI, PKX and AKRX are tickers",
    ],
)
def test_what_only_looks_long_is_no_secret(text):
    assert not SECRET_SHAPE.search(text)
