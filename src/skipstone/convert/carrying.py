"""Files of any form carried from one release to another: options, and what starts the services."""

from collections.abc import Mapping, Sequence

from skipstone.catalog.loader import load_catalog
from skipstone.convert.conversion import Conversion, convert
from skipstone.convert.forms import Form, form_of, lines_of
from skipstone.convert.options import OptionHistory, ReleaseOptions
from skipstone.convert.paste import convert_paste
from skipstone.convert.programs import Hop, convert_starter, services_of
from skipstone.errors import InputError


def carry(
    files: Mapping[str, str], history: OptionHistory, way: Sequence[ReleaseOptions], *, keep: bool = False
) -> tuple[Conversion, ...]:
    """Convert the files of a service, by name, whatever each is; the parameters are those of ``convert``.

    Raises InputError also for a file that starts another service.
    """
    forms = {name: form_of(text) for name, text in files.items()}
    options = {name: text for name, text in files.items() if forms[name] is Form.OPTIONS}
    catalog = load_catalog()
    hop = Hop(catalog.release(way[0].release), catalog.release(way[-1].release))
    done = {each.name: each for each in convert(options, history, way, keep=keep)}
    for name, text in files.items():
        if forms[name] is not Form.OPTIONS:
            _refuse_stranger(name, text, history.service)
            done[name] = _other(name, text, forms[name], hop)
    return tuple(done[name] for name in files)


def _other(name: str, text: str, form: Form, hop: Hop) -> Conversion:
    if form is Form.PASTE:
        return convert_paste(name, text, hop)
    if form in {Form.UWSGI, Form.UNIT}:
        return convert_starter(name, text, form, hop)
    # what Python's logging and oslo.rootwrap read is the same in every release
    lines = lines_of(text)
    return Conversion(name, lines, lines, (), frozenset())


def _refuse_stranger(name: str, text: str, service: str) -> None:
    named = services_of(text)
    if named and service not in named:
        raise InputError(
            f"this starts {', '.join(sorted(named))}, not {service}",
            where=name,
            remedy=f"--service {min(named)}",
        )
