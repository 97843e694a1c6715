"""Releases and services are found by what people and packages call them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skipstone.catalog.loader import load_catalog
from skipstone.errors import InputError, UnknownRelease

CATALOG = load_catalog()


@pytest.mark.parametrize(
    ("text", "codename"),
    [
        ("zed", "zed"),
        ("Zed", "zed"),
        (" ZED ", "zed"),
        ("2022.2", "zed"),
        ("2025.1", "epoxy"),
        ("Epoxy", "epoxy"),
        ("2025.1 Epoxy", "epoxy"),
        ("2025.1-epoxy", "epoxy"),
        ("stable/2025.1", "epoxy"),
        ("unmaintained/zed", "zed"),
        ("2014.2", "juno"),
    ],
)
def test_release_is_found(text: str, codename: str) -> None:
    assert CATALOG.release(text).codename == codename


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("zedd", "did you mean Zed?"),
        ("2025.3", "did you mean 2025"),
        ("antilope", "did you mean 2023.1 Antelope?"),
        ("zed epoxy", "the catalog goes from 2014.2 Juno to 2026.2 Hibiscus"),
        ("", "the catalog goes from"),
        ("windows", "the catalog goes from"),
    ],
)
def test_unknown_release_names_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(UnknownRelease) as caught:
        CATALOG.release(text)
    assert hint in caught.value.remedy
    assert repr(text) in str(caught.value)


@given(st.text())
def test_any_text_is_a_release_or_unknown(text: str) -> None:
    with suppress(UnknownRelease):
        assert CATALOG.release(text) in CATALOG.releases


def test_releases_are_ordered_and_hashable() -> None:
    assert list(CATALOG.releases) == sorted(CATALOG.releases)
    assert len(set(CATALOG.releases)) == len(CATALOG.releases)
    zed, epoxy = CATALOG.release("zed"), CATALOG.release("epoxy")
    assert zed < epoxy
    assert zed <= epoxy
    assert epoxy > zed
    assert epoxy >= CATALOG.release("2025.1")
    assert zed != "zed"
    assert [str(release) for release in CATALOG.between(zed, CATALOG.release("bobcat"))] == [
        "zed",
        "antelope",
        "bobcat",
    ]
    following = CATALOG.next_slurp(zed)
    assert following is not None
    assert following.codename == "antelope"
    assert CATALOG.next_slurp(CATALOG.releases[-1]) is None


@pytest.mark.parametrize(
    ("service", "version", "codename"),
    [
        ("nova", "2:26.2.2-1~deb12u4", "zed"),
        ("nova", "2:31.0.0-6+deb13u2", "epoxy"),
        ("neutron", "2:17.2.1-0+deb11u1", "victoria"),
        ("heat", "1:19.0.0-3", "zed"),
        ("placement", "8.0.0-2", "zed"),
        ("keystone", "2014.2.4", "juno"),
        ("cinder", "26.0.0.0rc1", "epoxy"),
        ("nova", "2.6.0", None),
        ("nova", "260.0", None),
        ("swift", "2.30.0", None),
    ],
)
def test_release_of_a_package_version(service: str, version: str, codename: str | None) -> None:
    found = CATALOG.release_of(service, version)
    assert (found.codename if found else None) == codename


@pytest.mark.parametrize(
    ("schema", "heads", "codenames"),
    [
        ("nova", ("ccb0fa1a2252",), ["zed"]),
        (
            "nova_api",
            ("cdeec0c85668",),
            ["bobcat", "caracal", "dalmatian", "epoxy", "flamingo", "gazpacho", "hibiscus"],
        ),
        ("keystone", ("e25ffa003242", "29e87d24a316"), ["zed", "antelope"]),
        ("keystone", ("migrate:109", "migrate:79"), ["wallaby", "xena", "yoga"]),
        ("keystone", ("migrate:79",), ["yoga"]),
        ("keystone", ("29e87d24a316",), []),
        ("glance", ("wallaby_contract01",), ["wallaby", "xena", "yoga", "zed"]),
        ("glance", ("ocata01",), ["ocata"]),
        ("glance", ("ocata_contract01",), ["ocata"]),
        ("glance", ("pike01",), ["pike"]),
        ("glance", ("pike_contract01",), ["pike"]),
        ("cinder", ("migrate:140",), ["victoria"]),
        ("nova_api", ("migrate:22",), ["newton"]),
    ],
)
def test_releases_at_heads(schema: str, heads: tuple[str, ...], codenames: list[str]) -> None:
    assert [release.codename for release in CATALOG.releases_at(schema, heads)] == codenames


def test_services_are_found_by_name_and_endpoint_type() -> None:
    assert CATALOG.service("volumev3").name == "cinder"
    assert [service.name for service in CATALOG.in_order(["nova", "identity"])] == ["keystone", "nova"]
    with pytest.raises(InputError, match="'novaa'") as caught:
        CATALOG.service("novaa")
    assert "did you mean nova?" in caught.value.remedy
