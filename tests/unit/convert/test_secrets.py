"""No secret of any option that any release calls secret is shown, wherever and however it is written."""

import io
import json
from collections.abc import Iterator
from functools import cache

import pytest
from rich.console import Console

from skipstone.cloud.masking import MASK, Secrets
from skipstone.convert.conversion import Conversion, convert
from skipstone.convert.merge import Shipped, merge
from skipstone.convert.option import Name
from skipstone.convert.options import OptionHistory, known_services, load_history
from skipstone.views import conversion as views
from skipstone.views.conversion import document, remarks_table, side_by_side
from skipstone.views.conversion_page import render

histories = cache(load_history)

FORMS = {
    "set": "{key} = {value}\n",
    "without blanks": "{key}={value}\n",
    "quoted": '{key} = "{value}"\n',
    "continued": "{key} =\n  {value}\n",
    "commented out": "# {key} = {value}\n",
    "told of": "# it was: {key}={value}\n",
}
NO_SECRETS = {
    "admin_user",
    "admin_tenant_name",
    "swift_store_user",
    "netapp_ca_certificate_file",
    "netapp_certificate_file",
    "netapp_private_key_file",
    "code",
}
"""Names and paths that a release calls secret to be sure, and a code that is good once, for minutes:
discovery keeps them."""


@pytest.fixture(autouse=True)
def every_line_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_AROUND", 10**6)


def names_of(history: OptionHistory) -> list[Name]:
    found = (
        each
        for release in history.releases
        for name, option in history.at(release).options.items()
        if option.secret
        for each in (name, *option.aliases)
    )
    return list(dict.fromkeys(found))


def values(names: list[Name]) -> Iterator[tuple[Name, str, str]]:
    """Yield each option with a secret of its own, and what it is set to."""
    for number, name in enumerate(names):
        secret = f"S3cret{number}q7end"
        url = any(word in name.option for word in ("url", "connection"))
        yield name, secret, f"mysql://me:{secret}@db/x" if url else secret


def shown(done: Conversion) -> str:
    """Return all that is said of a conversion, in the terminal, as JSON and as a page."""
    out = io.StringIO()
    console = Console(file=out, width=300)
    console.print(remarks_table(done.remarks))
    console.print(side_by_side(done))
    return out.getvalue() + json.dumps(document(done)) + render([done], "x")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("service", known_services())
def test_a_diff_shows_no_secret(service: str, form: str) -> None:
    history = histories(service)
    way = tuple(history.at(each) for each in history.releases[history.releases.index("zed") :])
    names = names_of(history)
    text = "".join(
        f"[{name.group}]\n{FORMS[form].format(key=name.option, value=value)}"
        for name, _, value in values(names)
    )
    (done,) = convert({"x.conf": f"{text}[DEFAULT]\nlast = line\n"}, history, way, keep=True)
    assert done.changed
    said = shown(done)
    assert said.count("last = line") == 4
    assert [name for name, secret, _ in values(names) if secret in said] == []


@pytest.mark.parametrize("form", ["set", "without blanks", "quoted", "continued"])
@pytest.mark.parametrize("service", known_services())
def test_discovery_takes_no_secret_along(service: str, form: str) -> None:
    names = [name for name in names_of(histories(service)) if name.option not in NO_SECRETS]
    text = "".join(
        f"[{name.group}]\n{FORMS[form].format(key=name.option, value=value)}"
        for name, _, value in values(names)
    )
    kept = Secrets().configuration("/etc/x/x.conf", text)
    assert [name for name, secret, _ in values(names) if secret in kept] == []
    assert kept.count("[") == len(names)


def test_a_password_within_a_value_is_masked() -> None:
    text = "[one]\nbackends = a:b,san_login:admin,san_password:hunter22x,san_ip:192.0.2.1\n"
    masked = f"[one]\nbackends = a:b,san_login:admin,san_password:{MASK},san_ip:192.0.2.1\n"
    assert Secrets().configuration("/etc/x/x.conf", text) == masked


def test_a_secret_that_becomes_a_comment_is_masked_and_nothing_else_of_its_number_is() -> None:
    """Lines of a merged file have two numberings: the operator's, and the distribution's."""
    history = histories("cinder")
    way = tuple(history.at(each) for each in history.releases[history.releases.index("zed") :])
    gone = next(
        name
        for name, option in way[0].options.items()
        if option.secret and (end := history.follow(name, way)) and not end.names
    )
    text = f"[{gone.group}]\n{gone.option} = one word\n  and 4 more"
    (done,) = convert({"x.conf": text}, history, way)
    merged = merge(done, Shipped("new.conf", "[DEFAULT]\n# read the manual\n# twice\n", None), history, way)
    assert merged.text.count("and 4 more") == 1
    said = shown(merged)
    assert "one word" not in said
    assert "and 4 more" not in said
    assert "# read the manual" in said
    assert "# twice" in said


def test_a_secret_that_is_no_option_of_the_section_is_masked() -> None:
    history = histories("cinder")
    way = tuple(history.at(each) for each in ("zed", "epoxy"))
    text = "[oslo_messaging_rabbit]\n[nowhere]\nlightos_jwt = abc.def7\ncode = 4711x4711\nno_such = 1\n"
    (done,) = convert({"x.conf": text}, history, way, keep=True)
    said = shown(done)
    assert "no_such = 1" in said
    assert "abc.def7" not in said
    assert "4711x4711" not in said
