"""The fast writer, against the slow reader."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from skipstone.plan.yamltext import item_text, yaml_text

TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="ab \n\t#:-'\"|>{}[]&*!%@`0\\", max_size=40),
    st.sampled_from(
        [
            "yes",
            "Null",
            "~",
            "1",
            "0x1f",
            "1_000",
            "1e3",
            "12:30",
            "2026-01-01",
            "",
            " a",
            "a ",
            "- a",
            "a: b",
            "<<",
            "=",
        ]
    ),
)
SCALARS = st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
DATA = st.dictionaries(
    TEXTS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=12,
    ),
    min_size=1,
    max_size=5,
)


@given(DATA)
def test_what_is_written_is_read(data: dict[str, Any]) -> None:
    assert yaml.load(yaml_text(data), Loader=yaml.CSafeLoader) == data
    listed = "list:\n" + item_text(data, "  ") + item_text(data, "  ")
    assert yaml.load(listed, Loader=yaml.CSafeLoader) == {"list": [data, data]}


def test_a_script_is_written_as_it_is() -> None:
    script = "set -eu\n\n  if true; then\n\techo 'x: y' # z\n  fi\n"
    assert yaml_text({"script": script}) == (
        "script: |\n  set -eu\n\n    if true; then\n  \techo 'x: y' # z\n    fi\n"
    )
