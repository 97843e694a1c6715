"""What hosts say of their guests, by nova's names, and what counts where one is silent."""

from collections.abc import Iterable, Mapping

from skipstone.drain.gear import Gear
from skipstone.drain.truth import Answer, Guests, look

_STRANGER = Answer(None, "the inventory has no such host")


async def hosts_say(gear: Gear, hosts: Iterable[str]) -> Mapping[str, Answer]:
    """Ask hosts for their guests; one that is silent has none where its operator has fenced it."""
    names = {host: gear.names.get(host) for host in hosts}
    answers = await look(gear.transport, [name for name in names.values() if name])
    found = {host: answers[name] if name else _STRANGER for host, name in names.items()}
    return {host: await _believed(gear, host, answer) for host, answer in found.items()}


async def _believed(gear: Gear, host: str, answer: Answer) -> Answer:
    if answer.guests is not None:
        return answer
    fenced = await gear.ask(gear.nova.fenced, host)
    return Answer(Guests(), fenced) if fenced else answer
