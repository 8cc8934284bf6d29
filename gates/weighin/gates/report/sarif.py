"""What is in the way as SARIF 2.1.0, for code scanning and other viewers.

A rule per metric, a result per budget that keeps a device from getting a file. ``FAIL`` is an
``error``, ``UNDECIDED`` a ``warning``; a waived one is suppressed, with the person's reason.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

What this module does not do: it says nothing of what passed. An empty list of results means that
every device gets a file.
"""

import hashlib
from urllib.parse import quote

from weighin.gates.metric import Metric
from weighin.gates.report.annotations import FILE, Lines, line_of
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.misses import Miss, misses
from weighin.gates.report.verdict_words import Standing
from weighin.gates.report.words import METRIC_WORDS, plain
from weighin.gates.weigh_in import WeighIn

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
Json = dict[str, object]

_LEVELS = {Standing.FAIL: "error", Standing.UNDECIDED: "warning", Standing.WAIVED: "note"}
_NOT_JUDGED = "not_judged"
_USERS = "users_served"
_NO_LINES: Lines = {}


def to_sarif(
    weigh_in: WeighIn,
    *,
    lines: Lines = _NO_LINES,
    context: Context = PLAIN,
    file: str = FILE,
    version: str = "",
) -> Json:
    """The log as values of JSON.

    Args:
        weigh_in: What is told of.
        lines: Where the budgets stand, as far as that is known.
        context: For its waivers, and for whether the numbers may be believed.
        file: The budgets' file, as the repository has it.
        version: Of this tool; left out if empty.
    """
    found = misses(weigh_in, context)
    rules = list(dict.fromkeys(_rule_id(miss) for miss in found))
    driver: Json = {
        "name": "weighin",
        **({"semanticVersion": version} if version else {}),
        "rules": [_rule(rule) for rule in rules],
    }
    run: Json = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"weighin/{plain(weigh_in.model)}/"},
        "columnKind": "utf16CodeUnits",
        "results": [_result(weigh_in, miss, rules, lines, file) for miss in found],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule_id(miss: Miss) -> str:
    if miss.device is None:
        return _USERS
    return _NOT_JUDGED if miss.metric is None else miss.metric.value


def _rule(rule: str) -> Json:
    if rule in {_NOT_JUDGED, _USERS}:
        short = "A device was not judged" if rule == _NOT_JUDGED else "Too few users are served"
        full = "Nothing may ship where nothing was shown to fit."
        if rule == _USERS:
            full = "Devices that get a file must reach the share of users that the fleet asks for."
    else:
        words = METRIC_WORDS[Metric(rule)]
        short = f"{words.name[0].upper()}{words.name[1:]} is not shown to be within its budget"
        full = f"At least one variant must have its whole {words.name} interval within the budget."
    return {
        "id": rule,
        "name": "".join(part.capitalize() for part in rule.split("_")),
        "shortDescription": {"text": f"{short}."},
        "fullDescription": {"text": full},
        "defaultConfiguration": {"level": "error"},
    }


def _result(weigh_in: WeighIn, miss: Miss, rules: list[str], lines: Lines, file: str) -> Json:
    rule = _rule_id(miss)
    text = f"{plain(weigh_in.model)} v{plain(weigh_in.version)} on {miss.where}: {miss.words}."
    place: Json = {"artifactLocation": {"uri": quote(file), "uriBaseId": "%SRCROOT%"}}
    line = line_of(miss, lines)
    if line is not None:
        place["region"] = {"startLine": line}
    result: Json = {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": _LEVELS[miss.standing],
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"budget/v1": _fingerprint(weigh_in, miss)},
    }
    if miss.waiver is not None:
        reason = f"{plain(miss.waiver.by)}: {plain(miss.waiver.reason)}"
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": reason}
        ]
    return result


def _fingerprint(weigh_in: WeighIn, miss: Miss) -> str:
    """The same for the same budget of the next version, so that viewers follow it."""
    parts = (weigh_in.model, miss.device or "", miss.metric or "", _rule_id(miss))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
