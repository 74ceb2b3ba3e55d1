"""Power of the paired t-test, held to integrals and textbook values."""

import math

import pytest
from scipy.integrate import quad
from scipy.stats import chi, norm, t

from mnist_trainer.report.analysis.power import (
    DifferenceSd,
    Evidence,
    demand,
    detectable,
    pooled,
    power,
    prospects,
    seeds_needed,
)


def integrated(difference: float, sd: float, seeds: int) -> float:
    """The power, integrated over the distribution of the sample standard deviation."""
    degrees = seeds - 1
    critical, shift = t.ppf(0.975, degrees), difference / sd * math.sqrt(seeds)

    def found(root: float) -> float:
        bound = critical * root / math.sqrt(degrees)
        return float((norm.sf(bound - shift) + norm.cdf(-bound - shift)) * chi.pdf(root, degrees))

    return float(quad(found, 0, 20 + math.sqrt(degrees))[0])


@pytest.mark.parametrize(("difference", "seeds"), [(0.5, 3), (1.2, 8), (0.0, 10), (0.3, 60)])
def test_power_is_the_integral(difference: float, seeds: int) -> None:
    assert power(difference, 1.0, seeds) == pytest.approx(integrated(difference, 1.0, seeds), 1e-5)


def test_textbook_number_of_pairs() -> None:
    # Cohen's d of 0.5 takes 34 pairs, of 0.8 it takes 15.
    assert seeds_needed(0.5, 1.0) == 34
    assert seeds_needed(0.8, 1.0) == 15


@pytest.mark.parametrize("seeds", [3, 10, 100])
def test_least_difference_needs_the_seeds_it_is_for(seeds: int) -> None:
    least = detectable(0.7, seeds)
    assert power(least, 0.7, seeds) == pytest.approx(0.8, abs=1e-4)
    assert seeds_needed(least * 1.001, 0.7) == seeds


def test_power_of_a_huge_difference_is_one() -> None:
    assert power(1.0, 1e-4, 3) == pytest.approx(1.0)


def test_sd_interval_by_tabled_chi_square() -> None:
    low, high = DifferenceSd(2.0, 9).interval
    assert low == pytest.approx(2 * math.sqrt(9 / 19.023), 1e-4)
    assert high == pytest.approx(2 * math.sqrt(9 / 2.7004), 1e-4)


def test_pooled_sd_by_hand() -> None:
    found = pooled([[1.0, 3.0], [5.0], [0.0, 0.0, 3.0]], 2.0)
    assert found is not None
    assert found.degrees == 3
    assert found.value == pytest.approx(2 * math.sqrt((2 + 6) / 3))
    assert pooled([[1.0], []]) is None


def test_costs_are_of_all_runs_and_error_is_shared() -> None:
    two = Evidence(DifferenceSd(0.01, 9), 2, 30.0, ())
    many = Evidence(DifferenceSd(0.01, 9), 6, 30.0, ())
    assert [each.minutes for each in prospects(two)] == [1.5, 5.0, 15.0, 50.0]
    asked = demand(0.01, two)
    assert asked.bounds[0] < asked.seeds < asked.bounds[1]
    assert asked.minutes == asked.seeds / 2
    assert demand(0.01, many).seeds > asked.seeds
