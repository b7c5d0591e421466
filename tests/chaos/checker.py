"""What must hold after everything: read from the event stream, the read model, and what the messengers recorded.

Pure: each check takes records and returns sentences about what is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.load import Account, Written

from mim.contracts.errors import ErrorCode
from mim.contracts.messages import (
    CloudEvent,
    Event,
    InstanceAllocated,
    InstanceCreated,
    InstanceDeleted,
    InstanceEvent,
    MessageFailed,
    MessageReceived,
    MessageSent,
)
from mim.contracts.records import InstanceRecord
from mim.lifecycle.fold import fold

TAKEN_S = 2.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the stream."""

    seq: int
    envelope: CloudEvent[Event]


def outcomes(entries: Iterable[Entry], written: Written) -> list[str]:
    """Every accepted message has exactly one outcome: sent, or failed with a reason."""
    found: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        match entry.envelope.data:
            case MessageSent(id=message_id):
                found[message_id].append("sent")
            case MessageFailed(id=message_id, code=code):
                found[message_id].append(code)
    wrong = [f"the message {message_id} has no outcome" for message_id in written.messages.keys() - found.keys()]
    return wrong + [
        f"the message {message_id} has the outcomes {told}"
        for message_id, told in found.items()
        if len(told) > 1 and message_id in written.messages
    ]


def delivered(
    entries: Sequence[Entry], written: Written, inboxes: Mapping[tuple[str, str], Sequence[str]]
) -> list[str]:
    """What was told to be sent came once, in the order of its chat; what failed did not; `uncertain` may have."""
    codes = {
        entry.envelope.data.id: entry.envelope.data.code
        for entry in entries
        if isinstance(entry.envelope.data, MessageFailed)
    }
    sent = {entry.envelope.data.id for entry in entries if isinstance(entry.envelope.data, MessageSent)}
    wanted: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for message_id, (instance_id, chat, number) in written.messages.items():
        wanted[instance_id, chat].append((number, message_id))
    wrong = []
    for where, messages in wanted.items():
        arrived = [text for text in inboxes.get(where, ()) if text.startswith("n")]
        wrong += [f"{text} came more than once to {where}" for text, count in Counter(arrived).items() if count > 1]
        numbers = [int(text[1:]) for text in arrived]
        certain = {number for number, message_id in messages if message_id in sent}
        order = [number for number in numbers if number in certain]
        if order != sorted(order):
            wrong.append(f"out of order in {where}: {order}")
        for number, message_id in messages:
            if message_id in sent and number not in numbers:
                wrong.append(f"{message_id} was told to be sent and never came to {where}")
            if message_id in codes and codes[message_id] != ErrorCode.UNCERTAIN and number in numbers:
                wrong.append(f"{message_id} was told to have failed ({codes[message_id]}) and came to {where}")
    return wrong


def received(
    entries: Iterable[Entry], written: Written, confirmed: Mapping[str, float], unheard: Iterable[tuple[float, float]]
) -> list[str]:
    """What people wrote was told once each, in their order, but for what WhatsApp accounts `confirmed` (by message id,
    when they last did) while `unheard`: what they have not confirmed WhatsApp keeps for them."""
    told: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if isinstance(entry.envelope.data, MessageReceived):
            told[entry.envelope.data.instance_id].append(entry.envelope.data.message.body)
    wrong = []
    for instance_id, texts in written.incoming.items():
        heard = told[instance_id]
        known = set(heard)
        gone = {
            text
            for text, message_id in texts
            for since, until in unheard
            if since - TAKEN_S < confirmed.get(message_id, 0.0) < until + TAKEN_S
        }
        wanted = [text for text, _ in texts if text in known or text not in gone]
        if heard != wanted:
            wrong.append(f"{instance_id} heard {_first_difference(heard, wanted)}")
    return wrong


def _first_difference(got: Sequence[str], wanted: Sequence[str]) -> str:
    for place, (one, other) in enumerate(zip(got, wanted, strict=False)):
        if one != other:
            return f"{list(got[place : place + 5])} where people wrote {list(wanted[place : place + 5])}"
    return f"{len(got)} messages where people wrote {len(wanted)}"


def ports(entries: Iterable[Entry]) -> list[str]:
    """No port belongs to two instances at a time."""
    owners: dict[int, str] = {}
    wrong = []
    for entry in entries:
        match entry.envelope.data:
            case InstanceAllocated(instance_id=instance_id, ports=given):
                for port in [port for port, owner in owners.items() if owner == instance_id]:
                    del owners[port]
                wrong += [
                    f"port {port} belongs to {owners[port]} and to {instance_id}"
                    for port in given.numbers()
                    if owners.setdefault(port, instance_id) != instance_id
                ]
            case InstanceDeleted(instance_id=instance_id):
                for port in [port for port, owner in owners.items() if owner == instance_id]:
                    del owners[port]
    return wrong


def folded(entries: Iterable[Entry], records: Mapping[str, InstanceRecord]) -> list[str]:
    """The read model is what all events come to."""
    model: dict[str, InstanceRecord | None] = {}
    for entry in entries:
        instance_id = entry.envelope.data.instance_id
        model[instance_id] = fold(model.get(instance_id), entry.envelope, entry.seq)
    living = {key: record for key, record in model.items() if record is not None and record.status != "deleted"}
    wrong = [f"{key} is missing in the read model" for key in living.keys() - records.keys()]
    wrong += [f"{key} is in the read model and should not be" for key in records.keys() - living.keys()]
    return wrong + [
        f"{key} is {_differences(records[key], record)}"
        for key, record in living.items()
        if key in records and records[key] != record
    ]


def _differences(stored: InstanceRecord, wanted: InstanceRecord) -> str:
    names = [name for name in InstanceRecord.model_fields if getattr(stored, name) != getattr(wanted, name)]
    return ", ".join(f"{name}={getattr(stored, name)!r} and not {getattr(wanted, name)!r}" for name in names)


def epochs(entries: Iterable[Entry]) -> list[str]:
    """Epochs of an instance's starts only grow."""
    last: dict[str, int] = {}
    wrong = []
    for entry in entries:
        event = entry.envelope.data
        if isinstance(event, InstanceEvent) and event.name == "starting":
            if event.epoch < last.get(event.instance_id, 0):
                wrong.append(f"{event.instance_id} went back to epoch {event.epoch}")
            last[event.instance_id] = event.epoch
    return wrong


def created(entries: Iterable[Entry], written: Written) -> list[str]:
    """Every accepted create made its instance, and each key only one."""
    made = [entry.envelope.data.instance_id for entry in entries if isinstance(entry.envelope.data, InstanceCreated)]
    wrong = [f"the create {key} made no instance" for key, each in written.created.items() if each not in made]
    return wrong + [f"{each} was created {made.count(each)} times" for each in {*made} if made.count(each) > 1]


def keys(accounts: Iterable[Account], shown: Mapping[str, str]) -> list[str]:
    """Every secret can still be read."""
    return [
        f"the API key of {account.instance_id} is another one"
        for account in accounts
        if shown.get(account.instance_id) != account.api_key
    ]
