"""The rate of every step against literal formulas."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiface.errors import UsageError
from multiface.train.schedule import ScheduleConfig, rate_factor, rate_factor_of_step, steps_of_run


def test_the_originals_steps() -> None:
    config = ScheduleConfig()
    found = [round(rate_factor(config, epoch), 9) for epoch in range(20)]
    assert found == [1.0] * 12 + [0.1] * 3 + [0.01] * 3 + [0.001] * 2


def test_steps_fall_at_the_first_step_of_the_epoch() -> None:
    config = ScheduleConfig(epochs=4, milestones=(2.0,))
    rates = [rate_factor_of_step(config, step, 100, 30) for step in range(14)]
    assert rates == [1.0] * 7 + [0.1] * 7  # 100 pictures an epoch: step 7 is the first that begins behind 200
    assert steps_of_run(config, 100, 30) == 14


def test_cosine_and_poly() -> None:
    cosine = ScheduleConfig(epochs=10, warmup_epochs=2, shape="cosine", final=0.1)
    poly = ScheduleConfig(epochs=10, warmup_epochs=2, shape="poly", power=2)
    for epoch in (2.0, 3.5, 6.0, 9.9):
        t = (epoch - 2) / 8
        assert rate_factor(cosine, epoch) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * t)) / 2)
        assert rate_factor(poly, epoch) == pytest.approx((1 - t) ** 2)


@given(st.sampled_from(["step", "cosine", "poly"]), st.floats(0, 3), st.integers(10, 500), st.integers(1, 64))
def test_rates_rise_in_the_warm_up_then_fall(shape: str, warmup: float, pictures: int, batch: int) -> None:
    config = ScheduleConfig(epochs=5, warmup_epochs=warmup, shape=shape, milestones=(2.0, 4.0))  # type: ignore[arg-type]
    rates = [
        rate_factor_of_step(config, step, pictures, batch)
        for step in range(steps_of_run(config, pictures, batch))
    ]
    assert all(0 < rate <= 1 for rate in rates[:-1])
    warm = math.ceil(warmup * pictures / batch)
    assert rates[:warm] == sorted(rates[:warm]) and rates[warm:] == sorted(rates[warm:], reverse=True)


def test_what_cannot_be_meant_is_refused() -> None:
    for wrong in ({"epochs": 0.0}, {"warmup_epochs": 20.0}, {"milestones": (3.0, 3.0)}, {"factor": 0.0}):
        with pytest.raises(UsageError, match="schedule"):
            ScheduleConfig(**wrong)  # type: ignore[arg-type]
