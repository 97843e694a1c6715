"""Names of what is cached, computed from what it was built from: another input is another name."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources

from skipstone.lab.configuration import Configuration, template_sources
from skipstone.lab.guest import guest_files
from skipstone.lab.image import Recipe

# modules whose code shapes what they build
IMAGE_CODE = ("image.py",)
GUEST_CODE = ("guest.py", "image.py")
GOLDEN_CODE = ("access.py", "configuration.py", "edited.py", "golden.py", "resources.py")


def image_key(recipe: Recipe) -> str:
    """Return the key of a role's image."""
    return digest([recipe.model_dump_json(), *_code(IMAGE_CODE)])


def guest_key(recipe: Recipe) -> str:
    """Return the key of the guest's disk."""
    return digest([recipe.model_dump_json(), *sorted(guest_files().values()), *_code(GUEST_CODE)])


def golden_key(configuration: Configuration, parts: Iterable[str]) -> str:
    """Return the key of a golden cloud; ``parts`` are the keys of its images and its guest."""
    wishes = [
        configuration.release.model_dump_json(),
        configuration.topology.model_dump_json(),
        str(configuration.mtu),
        *sorted(configuration.projects),
    ]
    templates = [text for pair in template_sources() for text in pair]
    return digest([*parts, *wishes, *templates, *_code(GOLDEN_CODE)])


def digest(parts: Iterable[str]) -> str:
    """Return 12 hexadecimal digits for a sequence of texts; where one ends and the next begins counts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode()
        total.update(f"{len(data)}:".encode() + data)
    return total.hexdigest()[:12]


@cache  # a file edited while the lab is built must not change the names half-way
def _code(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple((resources.files("skipstone.lab") / name).read_text() for name in names)
