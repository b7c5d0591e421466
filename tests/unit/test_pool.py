"""Which port and which worker an instance gets."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mim.allocator.pool import choose_port, choose_worker
from mim.contracts.records import WorkerHeartbeat
from mim.contracts.states import Provider

PORTS = range(3001, 3021)
some_ports = st.sets(st.sampled_from(list(PORTS)))


@given(taken=some_ports, foreign=some_ports)
def test_the_port_is_the_lowest_that_nobody_has(taken: set[int], foreign: set[int]) -> None:
    port, met = choose_port(PORTS, taken, lambda number: number not in foreign)
    free = sorted(set(PORTS) - taken - foreign)
    assert port == (free[0] if free else None)
    assert set(met) <= foreign - taken


@given(taken=some_ports)
def test_ports_of_instances_are_not_even_tried(taken: set[int]) -> None:
    tried: list[int] = []
    choose_port(PORTS, taken, lambda number: bool(tried.append(number)))
    assert tried == sorted(set(PORTS) - taken)


def test_an_exhausted_range_gives_none_and_says_who_is_in_the_way() -> None:
    assert choose_port(range(3001, 3004), {3001}, lambda _: False) == (None, [3002, 3003])


def beat(
    name: str, load: int = 0, capacity: int = 10, provider: Provider = Provider.TELEGRAM, draining: bool = False
) -> WorkerHeartbeat:
    base: dict[str, Any] = {"boot": "b", "host": "h", "capacity": capacity, "load": load, "draining": draining}
    return WorkerHeartbeat(worker=name, provider=provider, **base)


beats = st.lists(
    st.builds(
        beat,
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.integers(0, 12),
        st.integers(1, 12),
        st.sampled_from(list(Provider)),
        st.booleans(),
    ),
    unique_by=lambda worker: worker.worker,
)
loads = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), st.integers(0, 5))


@given(workers=beats, placed=loads, prefer=st.none() | st.sampled_from(["a", "b", "gone"]))
def test_the_worker_fits_has_room_and_is_the_least_loaded(
    workers: list[WorkerHeartbeat], placed: dict[str, int], prefer: str | None
) -> None:
    chosen = choose_worker(workers, "telegram", lambda name: placed.get(name, 0), prefer)
    fitting = {worker.worker: worker for worker in workers if worker.provider == "telegram" and not worker.draining}
    load = {name: worker.load + placed.get(name, 0) for name, worker in fitting.items()}
    room = {name for name, worker in fitting.items() if load[name] < worker.capacity}
    if prefer in fitting:
        assert chosen is fitting[prefer]  # it holds the instance already: staying costs no room
    elif room:
        assert chosen is not None
        assert chosen.worker in room
        assert load[chosen.worker] == min(load[name] for name in room)
    else:
        assert chosen is None


@given(workers=beats, order=st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_arrival(workers: list[WorkerHeartbeat], order: object) -> None:
    shuffled = list(workers)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose_worker(workers, "telegram", lambda _: 0, None) == choose_worker(
        shuffled, "telegram", lambda _: 0, None
    )


def test_a_burst_is_spread_before_any_worker_has_said_its_new_load() -> None:
    workers, placed = [beat("a"), beat("b"), beat("c")], dict.fromkeys("abc", 0)
    for _ in range(9):
        chosen = choose_worker(workers, "telegram", placed.__getitem__, None)
        assert chosen is not None
        placed[chosen.worker] += 1
    assert placed == {"a": 3, "b": 3, "c": 3}
