"""Commands that trade are killed at every durable call, and at any moment with a broker that loses answers.

After each death the same command runs again, and nothing else: every order that was wanted is then in the account
exactly once, every fill in the journal exactly once, and the two agree to the cent.
"""

import random
from dataclasses import dataclass

import pytest

FIRST = ("trade", "--now", "2013-08-07T09:36-04:00")
SECOND = ("trade", "--now", "2013-08-08T09:36-04:00")
EVENING = ("emergency-shutdown", "--yes", "--now", "2013-08-08T18:00-04:00")
RESUME = ("resume", "--account", "SIM-main")
MORNING = ("emergency-shutdown", "--yes", "--now", "2013-08-09T10:00-04:00")


@dataclass(frozen=True)
class Scene:
    """A command to kill, those that come before it, and its exit code when it is not killed."""

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...]
    code: int


SCENES = {
    "first trade": Scene(FIRST, (), 0),
    "trade over a split": Scene(SECOND, (FIRST,), 0),
    "shutdown in the evening": Scene(EVENING, (FIRST, SECOND), 10),
    "shutdown in the morning": Scene(MORNING, (FIRST, SECOND, EVENING), 0),
    "halt": Scene(("halt",), (FIRST,), 0),
    "resume": Scene(RESUME, (FIRST, SECOND, EVENING, MORNING), 0),
}
MEANWHILE = {"trade over a split": (5,), "shutdown in the evening": (11,), "shutdown in the morning": (10, 11)}
"""The exit codes of these scenes while answers are lost, besides the one at their end."""
TRADES = ("first trade", "trade over a split")


@pytest.fixture(scope="module")
def prepared(books, commands, tmp_path_factory):
    """Return the root that a scene begins with; the process that is forked has loaded what its command needs."""
    place = tmp_path_factory.mktemp("prepared")
    books.make_root(place / "root")
    made = {(): place / "root"}

    def prepare(scene):
        for count, words in enumerate(scene.before, 1):
            if scene.before[:count] not in made:
                root = books.copy(made[scene.before[: count - 1]], place / str(count))
                books.run(words, root, codes=(0, 10))
                made[scene.before[:count]] = root
        commands.load(scene.words, books.copy(made[scene.before], place / "loading"))
        return made[scene.before]

    return prepare


def checked(books, root, kills, after, expected=None, *, halted=False):
    """Compare journal and account, count what was found, and fail if it is anything."""
    found = books.compare(root, halted=halted)
    for name in ("orders", "duplicates", "lost"):
        kills[name] = kills.get(name, 0) + getattr(found, name)
    assert not found.wrong, f"after {after}: {found.wrong}"
    if expected is not None:
        assert books.account(root) == expected, f"after {after}"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SCENES)
def test_killed_before_any_durable_call_the_same_command_brings_the_account_that_an_uninterrupted_one_brings(
    crashpoints, books, commands, effort, kills, prepared, tmp_path, name, part
):
    if not crashpoints.can_trace():
        pytest.skip("no process may trace another here; the next test counts the calls inside the process")
    scene = SCENES[name]
    before = prepared(scene)
    root = books.copy(before, tmp_path / "root")
    whole, points = commands.points(scene.words, root)
    assert whole.status == scene.code, whole.printed
    assert len(points) > 30
    checked(books, root, kills, "an uninterrupted run")
    expected = books.account(root)

    for point in effort.some(points, part):
        root = books.copy(before, tmp_path / "root")
        assert commands.run(scene.words, root, point).status == crashpoints.KILLED, point
        kills["kills"] += 1
        again = commands.run(scene.words, root)
        assert again.status == scene.code, f"after {point}: {again.printed}"
        checked(books, root, kills, point, expected)


@pytest.mark.timeout(1800)
def test_after_a_trade_that_was_killed_anywhere_the_kill_switch_brings_the_account_to_nothing(
    crashpoints, books, commands, effort, kills, prepared, tmp_path, part
):
    if not crashpoints.can_trace():
        pytest.skip("no process may trace another here")
    scene = SCENES["trade over a split"]
    prepared(SCENES["shutdown in the evening"])  # so that the kill switch is loaded as well
    before = prepared(scene)
    _, points = commands.points(scene.words, books.copy(before, tmp_path / "root"))

    for point in effort.some(points, part):
        root = books.copy(before, tmp_path / "root")
        assert commands.run(scene.words, root, point).status == crashpoints.KILLED, point
        kills["kills"] += 1
        evening, morning = commands.run(EVENING, root), commands.run(MORNING, root)
        assert (evening.status, morning.status) == (10, 0), f"after {point}: {evening.printed}{morning.printed}"
        checked(books, root, kills, point, halted=True)
        assert books.account(root).positions == {}, point


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TRADES)
def test_killed_at_any_step_without_strace_the_same_command_brings_the_same_account(
    crashpoints, books, commands, effort, kills, prepared, tmp_path, name
):
    scene = SCENES[name]
    before = prepared(scene)
    root = books.copy(before, tmp_path / "root")
    whole, steps = commands.steps(scene.words, root)
    assert whole.status == scene.code, whole.printed
    expected = books.account(root)

    for number in range(1, steps + 1, max(1, steps // max(4, effort.kills))):
        root = books.copy(before, tmp_path / "root")
        assert commands.run(scene.words, root, crashpoints.Step(number)).status == crashpoints.KILLED, number
        kills["kills"] += 1
        again = commands.run(scene.words, root)
        assert again.status == scene.code, f"after step {number}: {again.printed}"
        checked(books, root, kills, f"step {number}", expected)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", MEANWHILE)
def test_killed_three_times_in_a_row_with_a_broker_that_loses_answers_nothing_is_doubled_or_lost(
    crashpoints, books, commands, effort, kills, prepared, tmp_path, name, part
):
    chance = random.Random(f"{effort.seed} {name} {part}")
    scene = SCENES[name]
    before = prepared(scene)
    usual = commands.run(scene.words, books.copy(before, tmp_path / "root")).seconds
    kills["random_kills"] = 0

    while kills["random_kills"] < effort.kills:
        root = books.copy(before, tmp_path / "root")
        for _ in range(3):
            moment = crashpoints.After(chance.uniform(0, usual))
            killed = commands.run([*scene.words, *lossy(chance)], root, moment)
            kills["random_kills"] += killed.status == crashpoints.KILLED
        for _ in range(30):
            again = commands.run([*scene.words, *lossy(chance)], root)
            if again.status == scene.code:
                break
            assert again.status in MEANWHILE[name], again.printed
        assert again.status == scene.code, f"30 runs were not enough: {again.printed}"
        sound = commands.run(scene.words, root)
        assert sound.status == scene.code, sound.printed
        checked(books, root, kills, f"{kills['random_kills']} random deaths of part {part}")


def lossy(chance):
    """Return the options that let the broker lose, delay and repeat answers, another way each time."""
    return ["--set", f"account.faults.seed={chance.randrange(10**6)}", "--set", "account.faults.rate=0.2"]
