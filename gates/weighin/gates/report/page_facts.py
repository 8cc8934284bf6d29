"""The end of the HTML page: what was not built, what the numbers rest on, how to repeat it."""

import shlex
from collections.abc import Iterator

from weighin.gates.report import summary
from weighin.gates.report.markup import Html, tag
from weighin.gates.report.page_parts import NOTHING, digest, facts, folded, row, section, table
from weighin.gates.report.words import ORIGIN_WORDS, plain
from weighin.gates.weigh_in import WeighIn


def failures(weigh_in: WeighIn) -> Html:
    """Variants that could not be built, and those that were not weighed somewhere."""
    not_built = [
        row(f"{failure.recipe}{failure.format.suffix}", [failure.reason])
        for failure in weigh_in.failures
    ]
    not_weighed = [
        row(skipped.label, [f"{plain(skipped.device)}: {skipped.reason}"])
        for skipped in summary.skipped(weigh_in)
    ]
    tables = [
        table(caption, ["variant", "reason"], rows, "reasons")
        for caption, rows in (("Not built", not_built), ("Not weighed", not_weighed))
        if rows
    ]
    return section("failures", "What is missing", *tables) if tables else NOTHING


def compared(weigh_in: WeighIn) -> Html:
    """What each device's variants were held against, if a budget asks for it."""
    if not weigh_in.compared_with:
        return NOTHING
    said = facts((one.device, one.words) for one in weigh_in.compared_with)
    return section("release", "Against the release", said)


def evidence(weigh_in: WeighIn) -> Html:
    """Origins, the registered model, the data, and the digest and tools of each file."""
    return section(
        "evidence",
        "What the numbers rest on",
        facts((origin.value, ORIGIN_WORDS[origin]) for origin in summary.origins(weigh_in)),
        folded("The registered model", facts(_model_facts(weigh_in))),
        folded("Data", _data_table(weigh_in)),
        folded("Files and the tools that made them", _file_table(weigh_in)),
    )


def reproduce(weigh_in: WeighIn) -> Html:
    """The command that does it again, for the same model version."""
    command = f"weighin run {shlex.quote(plain(f'{weigh_in.model}/{weigh_in.version}'))}"
    return section("reproduce", "Do it again", tag("pre", tag("code", command)))


def _model_facts(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    yield "source", weigh_in.source
    yield "source digest", digest(weigh_in.source_digest)
    yield "plan digest", digest(weigh_in.plan_digest)
    yield "started", f"{weigh_in.started_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "finished", f"{weigh_in.finished_at:%Y-%m-%d %H:%M:%S} UTC"


def _data_table(weigh_in: WeighIn) -> Html:
    rows = (
        row(data.role, [data.path, str(data.rows or "-"), digest(data.sha256)])
        for data in weigh_in.data
    )
    return table("Data sets", ["role", "file", "rows", "sha256"], rows)


def _file_table(weigh_in: WeighIn) -> Html:
    rows = (
        row(
            result.variant.label,
            [
                result.variant.path,
                str(result.variant.size_bytes),
                digest(result.variant.sha256),
                _pairs(result.variant.tools),
                _pairs(result.variant.notes),
            ],
        )
        for result in weigh_in.results
    )
    return table("Files", ["variant", "path", "bytes", "sha256", "tools", "notes"], rows)


def _pairs(pairs: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs) or "none"
