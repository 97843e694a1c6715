"""What a plan says of a file's conversion, made without its secrets, is the conversion of the file itself."""

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from skipstone.cloud.masking import Secrets, left_out
from skipstone.cloud.model import ConfigFile
from skipstone.convert.conversion import convert, convert_lines
from skipstone.convert.inifile import Kind, parse
from skipstone.convert.options import ReleaseOptions
from skipstone.plan.conversion import described, outline
from skipstone.steps.conversion import ConvertedFile
from skipstone.steps.scripts.conversion import Text
from tests.unit.convert.test_properties import Way, names_of, ways

PATH = "/etc/x/x.conf"
SECRET = "hunter2-"
BETWEEN = (
    *("", "\n", "# password = old-hunter\n", ";\n", "#\n\n# a = b\n"),
    *("not_an_option = 1\n", "\t\n", "#\xa0\u2028 x\n"),
)
VALUES = (
    "v{0}", "a\n  b{0}\n   c", "'{0}'", "mysql+pymysql://nova:" + SECRET + "{0}@db/nova?x=$my_ip", "***{0}",
    "", "$$ ${{my_ip}} \\$host $rabbit_password", "{0}, http://u:" + SECRET + "{0}@h, b",
)  # fmt: skip
SECRETS = ("admin_password", "transport_url", "auth_key")


@st.composite
def texts(draw: st.DrawFn, options: ReleaseOptions) -> str:
    """Draw a file of a release's options and of secrets, with what people put between them."""
    pool = st.sampled_from(names_of(options))
    older = sorted(options.replacements)
    name = st.one_of(pool, st.sampled_from(older)) if older else pool
    between, value = st.sampled_from(BETWEEN[:5]), st.sampled_from(VALUES)
    lines = [draw(between)]
    for number, each in enumerate(draw(st.lists(name, max_size=10))):
        lines.append(f"{draw(between)}[{each.group}]\n{draw(st.sampled_from(BETWEEN))}")
        delimiter = draw(st.sampled_from([" = ", "=", ": ", "  =\t"]))
        lines.append(f"{each.option}{delimiter}{draw(value).format(number)}\n")
        if draw(st.booleans()):
            lines.append(f"{draw(st.sampled_from(SECRETS))} = {SECRET}{number}$my_ip\n")
    text = "".join([*lines, draw(between)])
    ending = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return (text if draw(st.booleans()) else text.rstrip("\n")).replace("\n", ending)


def discovered(text: str) -> ConfigFile:
    secrets = Secrets()
    shown = secrets.everywhere(secrets.configuration(PATH, text))
    return ConfigFile(
        path=PATH,
        sha256=sha256(text.encode()).hexdigest(),
        size=len(text),
        text=shown,
        left_out=left_out(text),
    )


def planned(file: ConfigFile, way: Way, *, keep: bool = False, moved: tuple[str, ...] = ()) -> ConvertedFile:
    history, releases = way
    outlined = outline(file)
    (conversion,) = convert_lines({PATH: outlined.lines}, history, releases, keep=keep)
    return described(conversion, file, outlined, moved)


def on_the_host(text: str, plan: ConvertedFile) -> str:
    read = ConvertedFile.model_validate(plan.model_dump(mode="json"))
    file = {**read.model_dump(mode="json"), "parts": [part.instruction() for part in read.parts]}
    try:
        return Text(text, file).converted()
    except SystemExit as error:  # pytest would take it for its own end
        raise AssertionError(str(error)) from error


@settings(max_examples=60, deadline=None)
@given(ways(), st.data(), st.booleans())
def test_a_plan_without_secrets_converts_a_file_that_has_them(
    way: Way, data: st.DataObject, keep: bool
) -> None:
    history, releases = way
    text = data.draw(texts(releases[0]))
    plan = planned(discovered(text), way, keep=keep)
    (done,) = convert({PATH: text}, history, releases, keep=keep)
    assert on_the_host(text, plan) == done.text
    said = f"{plan.model_dump_json()}{plan.instructions()}{''.join(plan.difference())}"
    assert SECRET not in said
    assert "old-hunter" not in said


@settings(max_examples=40, deadline=None)
@given(ways(), st.data())
def test_line_numbers_are_those_of_the_original(way: Way, data: st.DataObject) -> None:
    text = data.draw(texts(way[1][0]))
    real = [(line.number, line.key) for line in parse(text, PATH) if line.kind is not Kind.TEXT]
    seen = [(line.number, line.key) for line in outline(discovered(text)).lines if line.kind is not Kind.TEXT]
    assert seen == real
