from skipstone.archives import Archive
from skipstone.lab import keys
from skipstone.lab.configuration import Configuration
from skipstone.lab.image import Recipe
from skipstone.lab.release import load_release, parse_without
from skipstone.lab.topology import load_topology

ARCHIVE = Archive(uri="http://mirror.example/debian", suite="bookworm", components=("main",))
RECIPE = Recipe(
    name="controller-zed", suite="bookworm", packages=("nova-api",), archives=(ARCHIVE,), apt_settings=""
)


def cloud(release: str = "zed", without: str = "", mtu: int = 1500) -> Configuration:
    return Configuration(load_release(release), parse_without(without), load_topology("small"), mtu)


def test_the_same_wishes_have_the_same_key() -> None:
    assert keys.image_key(RECIPE) == keys.image_key(RECIPE.model_copy())
    assert keys.golden_key(cloud(), ["a", "b"]) == keys.golden_key(cloud(), ["a", "b"])


def test_an_image_depends_on_packages_suite_archives_and_settings() -> None:
    others = [
        RECIPE.model_copy(update={"packages": ("nova-api", "heat-api")}),
        RECIPE.model_copy(update={"suite": "trixie"}),
        RECIPE.model_copy(update={"archives": (ARCHIVE.model_copy(update={"uri": "http://other.example"}),)}),
        RECIPE.model_copy(update={"apt_settings": 'Acquire::Check-Valid-Until "false";\n'}),
        RECIPE.model_copy(update={"units_off": ("nova-api",)}),
    ]
    made = {keys.image_key(RECIPE), *(keys.image_key(other) for other in others)}
    assert len(made) == 1 + len(others)


def test_a_golden_cloud_depends_on_images_release_projects_and_mtu() -> None:
    made = {
        keys.golden_key(cloud(), ["image"]),
        keys.golden_key(cloud(), ["another image"]),
        keys.golden_key(cloud("2025.1"), ["image"]),
        keys.golden_key(cloud(without="heat"), ["image"]),
        keys.golden_key(cloud(mtu=1400), ["image"]),
    }
    assert len(made) == 5


def test_where_one_part_ends_counts() -> None:
    assert keys.digest(["ab", "c"]) != keys.digest(["a", "bc"])
