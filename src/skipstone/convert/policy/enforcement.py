"""What oslo.policy enforces besides the rules: new defaults without the deprecated ones, and scopes.

Which release made either the default is in the option catalogs, per service: nova and glance in 2023.1,
neutron in 2023.2, heat in 2024.1, keystone and placement with oslo.policy 4.4 of 2024.2, cinder in 2026.2,
where oslo.policy 6 has no ``enforce_scope`` any more and always does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter

from skipstone.catalog.loader import load_catalog
from skipstone.convert.inifile import Kind, Line
from skipstone.convert.option import Name
from skipstone.convert.options import ReleaseOptions, load_history

GROUP = "oslo_policy"
NEW_DEFAULTS = Name(GROUP, "enforce_new_defaults")
SCOPE = Name(GROUP, "enforce_scope")
FILE = Name(GROUP, "policy_file")
DIRECTORIES = Name(GROUP, "policy_dirs")

Settings = tuple[tuple[Name, str], ...]
"""Options of oslo.policy by their names in a release, with values; where one comes twice the last counts."""

EQUALITY = "gazpacho"
"""The release whose oslo.policy, 5.1, compares checks (``Check.__eq__``); that of the one before is 4.7."""

_TRUE = {"true", "1", "on", "yes"}


@dataclass(frozen=True)
class Enforcement:
    """What a service of one release enforces; ``file`` is the policy file that it looks for by itself.

    ``repetitions_ignored``: what a file says of a rule's old name is not taken for the new one where it only
    repeats the old default. Older checks never equal each other, so it was taken.
    """

    new_defaults: bool
    scope: bool
    file: str
    repetitions_ignored: bool


def settings_of(lines: Iterable[Line], options: ReleaseOptions) -> Settings:
    """Return what a configuration file sets of oslo.policy in a release.

    An alias (``[DEFAULT] policy_file``) is outdone by the option's own name, wherever both stand.
    """
    named = ((Name(line.section, line.key), line.value) for line in lines if line.kind is Kind.OPTION)
    found = [
        (today, value, name == today)
        for name, value in named
        for today in options.resolve(name)
        if today.group == GROUP
    ]
    return tuple((today, value) for today, value, _ in sorted(found, key=itemgetter(2)))


def enforcements(
    service: str, releases: Iterable[str], settings: Mapping[Name, str]
) -> Mapping[str, Enforcement]:
    """Return what is enforced in each release, by codename: what is set, else the release's default."""
    history = load_history(service)
    return {release: _enforcement(history.at(release), settings) for release in releases}


def _enforcement(options: ReleaseOptions, settings: Mapping[Name, str]) -> Enforcement:
    catalog = load_catalog()
    equality = catalog.release(options.release) >= catalog.release(EQUALITY)

    def of(name: Name) -> str:
        option = options.options.get(name)
        default = (option.text_of_default() or "") if option else "true"
        return settings.get(name, default) if option else default

    return Enforcement(
        new_defaults=of(NEW_DEFAULTS).lower() in _TRUE,
        scope=of(SCOPE).lower() in _TRUE,
        file=of(FILE),
        repetitions_ignored=equality,
    )
