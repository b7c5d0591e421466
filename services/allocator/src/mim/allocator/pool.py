"""Which port an instance gets and which worker holds it. Pure: what is taken and who lives come in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from mim.contracts.records import Lease, WorkerHeartbeat


def choose_port(ports: range, taken: Collection[int], is_free: Callable[[int], bool]) -> tuple[int | None, list[int]]:
    """The lowest port that is neither taken by an instance nor held by something else on the machine.

    Returns the port (None if there is none) and the ports that something else holds.
    """
    foreign: list[int] = []
    for port in ports:
        if port in taken:
            continue
        if is_free(port):
            return port, foreign
        foreign.append(port)
    return None, foreign


def kept(lease: Lease | None, lost: Collection[int]) -> dict[str, int]:
    """The ports, by interface, that an instance goes on with: those of its lease, but for the lost ones."""
    ports = {} if lease is None else lease.ports.model_dump(exclude_none=True)
    return {interface: port for interface, port in ports.items() if port not in lost}


def choose_worker(
    workers: Iterable[WorkerHeartbeat],
    provider: str,
    placed: Callable[[str], int],
    prefer: str | None,
    only: str | None = None,
) -> WorkerHeartbeat | None:
    """The worker that holds the instance: the one that held it last if it lives, else the least loaded with room; never
    one that is draining.

    `placed(worker)` is how many instances this allocator has given to a worker since that worker last said its load.
    With `only`, an instance's id, it is the worker that is for this instance and no other.
    """
    fitting = [
        worker for worker in workers if worker.provider == provider and worker.only == only and not worker.draining
    ]
    for worker in fitting:
        if worker.worker == prefer:
            return worker
    with_room = [worker for worker in fitting if worker.load + placed(worker.worker) < worker.capacity]
    return min(with_room, key=lambda worker: (worker.load + placed(worker.worker), worker.worker), default=None)
