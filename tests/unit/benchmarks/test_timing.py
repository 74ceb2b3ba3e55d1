"""Order of turns, and the statistics of what came of them. Nothing here depends on how fast
anything is."""

from collections import Counter
from functools import partial
from itertools import pairwise

import pytest
from benchmarks.timing import Summary, interleave, paired_ratio, timed, turn_order


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_round_has_every_way_once(count: int) -> None:
    names = [f"way {index}" for index in range(count)]
    for number in range(4 * count):
        assert sorted(turn_order(names, number)) == names


@pytest.mark.parametrize("count", [2, 3, 5])
def test_every_way_takes_every_place_equally_often(count: int) -> None:
    names = [f"way {index}" for index in range(count)]
    places = Counter(
        (place, name)
        for number in range(2 * count)
        for place, name in enumerate(turn_order(names, number))
    )
    assert len(places) == count * count
    assert set(places.values()) == {2}


def test_no_way_always_follows_the_same_one() -> None:
    names = ["a", "b", "c"]
    order = [name for number in range(6) for name in turn_order(names, number)]
    neighbours = set(pairwise(order))
    assert all(
        (first, second) in neighbours for first in names for second in names if first != second
    )


def test_interleaving_keeps_the_rounds_and_drops_the_warm_up() -> None:
    calls: list[str] = []

    def turn(name: str) -> int:
        calls.append(name)
        return len(calls)

    outcomes = interleave({"a": lambda: turn("a"), "b": lambda: turn("b")}, rounds=4, warm_up=2)
    assert len(calls) == 2 * (4 + 2)
    assert sorted(outcomes["a"] + outcomes["b"]) == list(range(5, 13))
    # Equal places were measured next to each other.
    for of_a, of_b in zip(outcomes["a"], outcomes["b"], strict=True):
        assert abs(of_a - of_b) == 1


@pytest.mark.parametrize("warm_up", [0, 1, 3])
def test_the_rounds_that_count_begin_with_the_first_way_whatever_the_warm_up(warm_up: int) -> None:
    calls: list[str] = []
    interleave({name: partial(calls.append, name) for name in "abc"}, rounds=2, warm_up=warm_up)
    assert calls[3 * warm_up :] == ["a", "b", "c", "b", "c", "a"]


def test_a_failing_way_ends_the_measurement() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interleave({"works": lambda: None, "fails": fail}, rounds=1)


def test_a_summary_is_worked_out_by_hand() -> None:
    summary = Summary((3.0, 1.0, 8.0, 4.0))
    assert summary.median == 3.5
    assert summary.mean == 4.0
    assert summary.sd == pytest.approx((26 / 3) ** 0.5)
    described = summary.as_json()
    assert (described["min"], described["max"], described["values"]) == (
        1.0,
        8.0,
        [3.0, 1.0, 8.0, 4.0],
    )


def test_a_single_value_has_no_spread() -> None:
    assert Summary((2.0,)).sd == 0.0


def test_paired_ratios_do_not_see_the_mood_of_the_machine() -> None:
    moods = [1.0, 1.6, 1.6, 1.0, 2.5]
    ratio = paired_ratio([3.0 * mood for mood in moods], [2.0 * mood for mood in moods])
    assert ratio.values == pytest.approx([1.5] * 5)


def test_paired_ratios_need_equally_many_rounds() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1.0, 2.0], [1.0])


def test_a_timed_turn_waits_for_the_device_before_it_starts_and_before_it_ends() -> None:
    events: list[str] = []
    seconds = timed(lambda: events.append("work"), lambda: events.append("wait"), scale=10.0)()
    assert events == ["wait", "work", "wait"]
    assert seconds >= 0
