"""Hosts whose files are alike are carried once: what becomes of one's is then told of the others."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from skipstone.cloud.likeness import likeness_of, renamed, retold
from skipstone.cloud.model import ConfigFile, Host
from skipstone.plan.telling import Carried, Said
from skipstone.steps.conversion import ConvertedFile

_BETWEEN = "\1"
"""Stands between the texts of a host's files, which are looked at as one."""


class _Model(NamedTuple):
    """What becomes of one host's files; ``own`` is what they have of its own, ``text`` all that is said."""

    own: tuple[str, ...]
    carried: tuple[Carried, ...]
    text: str


@dataclass(frozen=True)
class Retelling:
    """Hosts on their way; ``carry`` says what becomes of one host's files."""

    carry: Callable[[Host], Iterable[Carried]]
    _models: dict[Hashable, _Model] = field(default_factory=dict)

    def carried(self, host: Host) -> tuple[Carried, ...]:
        """Return what becomes of a host's files.

        What becomes of a file does not go by which address stands in it, but for those of this host itself
        and of any: they are not a host's own (``likeness_of``).
        """
        # with their paths: a host that is called as a directory is not to give its name to another's
        texts = (f"{file.path}\n{file.text or ''}" for file in host.config_files)
        likeness = likeness_of(_BETWEEN.join(texts), host.name)
        own = likeness.own
        files = tuple((file.text is None, file.left_out, file.shipped) for file in host.config_files)
        key = (files, likeness.form, frozenset(package.source for package in host.packages))
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = _model(own, self.carry(host))
            return model.carried
        return _retold(model, own, {file.path: file for file in host.config_files})


def _model(own: tuple[str, ...], carried: Iterable[Carried]) -> _Model:
    found = tuple(carried)
    texts = [file.model_dump_json() for done in found for file in done.files]
    texts += (text for done in found for said, evidence in done.said for text in (*said, evidence) if text)
    return _Model(own, found, "\n".join(texts))


def _retold(model: _Model, own: tuple[str, ...], files: dict[str, ConfigFile]) -> tuple[Carried, ...]:
    names = {old: new for old, new in renamed(model.own, own).items() if old in model.text}
    return tuple(
        Carried(
            tuple(_file(file, files[file.path].sha256, names) for file in done.files),
            tuple(_said(*said, names) for said in done.said) if names else done.said,
        )
        for done in model.carried
    )


def _file(model: ConvertedFile, sha256: str, names: Mapping[str, str]) -> ConvertedFile:
    file = model.model_copy(update={"sha256": sha256})
    return ConvertedFile.model_validate_json(retold(file.model_dump_json(), names)) if names else file


def _said(said: Said, evidence: str, names: Mapping[str, str]) -> tuple[Said, str]:
    title, remedy = retold(said.title, names), retold(said.remedy, names)
    return said._replace(title=title, remedy=remedy), retold(evidence, names)
