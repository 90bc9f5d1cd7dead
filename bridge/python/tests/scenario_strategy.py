"""Scenarios of every feature, made by hypothesis; small enough to be played in a blink."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["scenarios"]


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Give numbers as users write them: round ones, whole ones and any other."""
    any_number = st.floats(low, high, allow_nan=False)
    return st.one_of(any_number, any_number.map(lambda value: min(max(round(value, 2), low), high)))


def ranges(low: float, high: float) -> st.SearchStrategy[dict[str, float]]:
    return st.tuples(numbers(low, high), numbers(low, high)).map(lambda pair: {"min": min(pair), "max": max(pair)})


counts = st.integers(1, 6)
server_numbers = st.one_of(
    counts,
    st.lists(counts, min_size=1, max_size=4, unique=True),
    st.tuples(counts, counts).map(lambda pair: {"min": min(pair), "max": max(pair)}),
)
arrivals = st.one_of(
    st.fixed_dictionaries({"process": st.just("bernoulli"), "probability": numbers(0.02, 1)}),
    st.fixed_dictionaries({"process": st.just("poisson"), "ratePerSlot": numbers(0.02, 3)}),
    st.fixed_dictionaries(
        {
            "process": st.just("bursty"),
            "busyProbability": numbers(0.05, 1),
            "quietProbability": numbers(0.01, 1),
            "meanBusySlots": numbers(1, 30),
            "meanQuietSlots": numbers(1, 30),
        }
    ),
)
look_aheads = st.fixed_dictionaries(
    {},
    optional={
        "numSamples": st.integers(1, 8),
        "weight": numbers(0, 3),
        "sizeFactor": ranges(0.1, 3),
        "mode": st.sampled_from(["independent", "sequential"]),
        "rates": st.sampled_from(["frozen", "resampled"]),
    },
)
fields = st.fixed_dictionaries(
    {"episodeSlots": st.integers(1, 30)},
    optional={
        "id": st.sampled_from(["custom", "mine-v1"]),
        "description": st.text(max_size=20).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
        "numServers": server_numbers,
        "users": st.one_of(
            st.fixed_dictionaries({"count": st.integers(1, 20)}),
            st.fixed_dictionaries({"perServer": st.integers(1, 4)}),
        ),
        "serverCpuGHz": ranges(1, 100),
        "localCpuGHz": numbers(0.01, 10),
        "slotSeconds": numbers(0.01, 1),
        "densityGcyclesPerMbit": numbers(0.01, 3),
        "taskSizeMbit": ranges(0.1, 20),
        "arrivals": arrivals,
        "uplink": st.fixed_dictionaries(
            {},
            optional={"meanRateMbps": numbers(0.5, 100), "meanSnrDb": numbers(-20, 80), "minRateMbps": numbers(0, 20)},
        ),
        "churn": st.fixed_dictionaries(
            {}, optional={"leaveProbability": numbers(0, 1), "returnProbability": numbers(0, 1)}
        ),
        "deadlineSlots": numbers(0.1, 50),
        "deadlinePenaltySlots": numbers(0, 50),
        "service": st.sampled_from(["shared-rate", "work-conserving"]),
        "historySlots": st.integers(1, 12),
        "lookAhead": look_aheads,
    },
)


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """Give the fields of a valid scenario."""
    scenario: dict[str, Any] = draw(fields)
    number = scenario.get("numServers", 6)
    most = number["max"] if isinstance(number, dict) else max(number) if isinstance(number, list) else number
    if "serverCpuGHz" in scenario and draw(st.booleans()):
        scenario["serverCpuGHz"] = draw(st.lists(numbers(1, 100), min_size=most, max_size=most))
    return scenario
