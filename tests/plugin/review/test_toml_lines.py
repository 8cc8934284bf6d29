"""Which line of weighin.toml holds a budget."""

import tomllib
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.plugin.review.toml_lines import budget_lines
from weighin.plugin.review.toml_scan import key_lines

MEMBERS = {"tier:low": ("go",), "ram<4096": ("go", "pixel-4")}


def members(scope: str) -> Collection[str]:
    return MEMBERS.get(scope, ())


def line(text: str, device: str = "pixel-4", metric: str = "latency_p90_ms") -> int | None:
    return budget_lines(text, members).line_of("digits", device, metric)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[budgets.default]\nlatency_p90_ms = 4\n", 2, id="default"),
        pytest.param(
            "[budgets.default]\nlatency_p90_ms = 4\n[budgets.pixel-4]\nlatency_p90_ms = 3\n",
            4,
            id="device-over-default",
        ),
        pytest.param(
            "[budgets.pixel-4]\nlatency_p90_ms = 4\n[models.digits.budgets.default]\n"
            "latency_p90_ms = 3\n",
            4,
            id="model-over-all",
        ),
        pytest.param(
            "[models.digits.budgets.pixel-4]\nlatency_p90_ms = 4\n"
            "[models.digits.budgets.default]\nlatency_p90_ms = 3\n",
            2,
            id="model-device-over-model-default",
        ),
        pytest.param(
            "[models.digits.budgets.pixel-4]\nsize_mib = 4\n[budgets.default]\nlatency_p90_ms = 3",
            4,
            id="per-metric",
        ),
        pytest.param(
            "[models.other.budgets.pixel-4]\nlatency_p90_ms = 4\n", None, id="another-model"
        ),
        pytest.param("models.digits.budgets.pixel-4.latency_p90_ms = 4\n", 1, id="dotted"),
        pytest.param('budgets."pixel-4" = { latency_p90_ms = 4 }\n', 1, id="inline-table"),
        pytest.param(
            '\n["budgets"]\n\'pixel-4\' = { size_mib = 1, "latency_p90_ms" = { at_most = 4 } }',
            3,
            id="quoted-and-nested",
        ),
        pytest.param(
            "[budgets.default.latency_p90_ms]\nat_most = 4\nleast_origin = 'device'\n",
            1,
            id="a-table-of-its-own",
        ),
        pytest.param("[budgets.default]\r\n\r\nlatency_p90_ms = 4\r\n", 3, id="crlf"),
        pytest.param(
            '# [budgets.default]\nx = """\n[budgets.default]\nlatency_p90_ms = 1\n"""\n'
            "y = [ # latency_p90_ms = 2\n  '''\nlatency_p90_ms = 3''', { latency_p90_ms = 4 },\n]\n"
            "[budgets.default]\nlatency_p90_ms = 5\n",
            11,
            id="strings-arrays-and-comments-are-no-keys",
        ),
        pytest.param('a = """x\\""" """\n[budgets.default]\nlatency_p90_ms = 5', 3, id="escapes"),
        pytest.param('a = """""x"""""\n[budgets.default]\nlatency_p90_ms = 5', 3, id="quotes"),
        pytest.param('[budgets."ram<4096"]\nlatency_p90_ms = 5', 2, id="class"),
        pytest.param("[budgets.default]\nlatency_p90_ms = \n", None, id="no-toml"),
        pytest.param("[budgets]\ndefault = 3", None, id="no-table-of-budgets"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_line_is_that_of_the_budget_that_holds(text: str, expected: int | None) -> None:
    assert line(text) == expected


def test_of_several_classes_the_strictest_is_named() -> None:
    text = '[budgets."ram<4096"]\nlatency_p90_ms = 5\n[budgets."tier:low"]\nlatency_p90_ms = 4\n'
    assert line(text, "go") == 4
    assert line(text, "pixel-4") == 2
    assert line(text, "pixel-9") is None


KEYS = st.sampled_from(["a", "b-c", "d e", 'q"q', "tier:low", "pixel-4", "é", "1", ""])
VALUES = st.sampled_from(
    ["1", "'x'", '"]"', '"""a\n= [x]\n"""', "[1,\n # ]\n 2]", "[{ z = 1 }]", "1979-05-27 07:32:00Z",
     "'''\n{'''", "true", '"\\""', "[[1], ['}']]", "+1e3"]
)  # fmt: skip
LEAF_OR_TABLE = st.recursive(
    VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
DOCUMENTS = st.dictionaries(KEYS, LEAF_OR_TABLE, max_size=4)


def quoted(key: str) -> str:
    if key.isascii() and key.replace("-", "").isalnum():
        return key
    return '"' + key.replace('"', '\\"') + '"'


def written(document: dict[str, object], style: st.DataObject, head: str = "") -> str:
    """A document in one of the many ways in which TOML can say it."""
    own, tables = [], []
    for key, value in document.items():
        name = quoted(key)
        if not isinstance(value, dict):
            own.append(f"{name} = {value}")
        elif style.draw(st.booleans()) or "\n" in inline(value):
            tables.append(written(value, style, f"{head}.{name}" if head else name))
        else:
            own.append(f"{name} = {inline(value)}")
    end = style.draw(st.sampled_from(["\n", "\r\n", "  # a note\n", "\n\n"]))
    title = f"[ {head} ]{end}" if head else ""
    return title + "".join(f"{line}{end}" for line in own) + "".join(tables)


def inline(value: object) -> str:
    if isinstance(value, dict):
        parts = (f"{quoted(key)} = {inline(inner)}" for key, inner in value.items())
        return "{ " + ", ".join(parts) + " }"
    return str(value)


def leaves(document: dict[str, object], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for key, value in document.items():
        found.add((*path, key))
        if isinstance(value, dict):
            found |= leaves(value, (*path, key))
    return found


@given(DOCUMENTS, st.data())
def test_every_key_of_every_document_is_found_where_it_stands(
    document: dict[str, object], style: st.DataObject
) -> None:
    text = written(document, style)
    found = key_lines(text)
    lines = text.split("\n")
    assert {one.path for one in found} == leaves(tomllib.loads(text))
    for one in found:
        shown = quoted(one.path[-1])
        assert shown in lines[one.line - 1]


METRIC = st.sampled_from(["size_mib", "latency_p90_ms", "energy_mj"])
SCOPE = st.sampled_from(["default", "pixel-4", "go", "tier:low", "ram<4096"])
BUDGET = st.sampled_from(["4", "{ at_most = 3, least_origin = 'device' }", "{ at_most = 9 }"])
BUDGET_TABLE = st.dictionaries(SCOPE, st.dictionaries(METRIC, BUDGET, max_size=3), max_size=4)


@given(BUDGET_TABLE, BUDGET_TABLE, METRIC, st.sampled_from(["pixel-4", "go", "other"]), st.data())
def test_a_found_line_names_the_metric_and_none_is_missed(
    shared: dict[str, dict[str, str]],
    own: dict[str, dict[str, str]],
    metric: str,
    device: str,
    style: st.DataObject,
) -> None:
    document: dict[str, object] = {"budgets": shared, "models": {"digits": {"budgets": own}}}
    text = written(document, style)
    found = line(text, device, metric)
    scopes = {"default", device, *(name for name, who in MEMBERS.items() if device in who)}
    there = any(metric in table.get(scope, {}) for table in (shared, own) for scope in scopes)
    assert (found is not None) is there
    if found is not None:
        assert metric in text.split("\n")[found - 1]
