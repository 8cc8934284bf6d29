"""What a reader must know before any number, on the HTML page: distrust, waivers, new budgets."""

from weighin.gates.report.context import Context, PlanChange
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import NOTHING, first_upper, folded, row, section, table
from weighin.gates.report.verdict_words import MARKS, Standing
from weighin.gates.report.waiver_words import WaiverLine, loosened, plan_lines, waiver_lines
from weighin.gates.report.words import count, plain
from weighin.gates.weigh_in import WeighIn


def notices(weigh_in: WeighIn, context: Context) -> Html:
    """Each only where there is something to say."""
    return join(_untrusted(context), _waivers(weigh_in, context), _plan_changes(context))


def _untrusted(context: Context) -> Html:
    if not context.untrusted:
        return NOTHING
    why = tag("p", f"{first_upper(plain(context.untrusted))}.")
    rest = tag("p", "Nothing on this page was shown to be true, so nothing is passed.")
    return section("untrusted", "Not to be trusted", tag("div", why, rest, class_="notice alarm"))


def _waivers(weigh_in: WeighIn, context: Context) -> Html:
    lines = waiver_lines(weigh_in, context)
    if not lines:
        return NOTHING
    holding = sum(line.holds for line in lines)
    title = f"{count(holding, 'budget')} waived by a person"
    items = tag("ul", *(_waiver(line) for line in lines), class_="waivers")
    return section("waivers", title if holding else "Waivers, none of which holds", items)


def _waiver(line: WaiverLine) -> Html:
    one = line.waiver
    state = Standing.WAIVED.value if line.holds else "void"
    sign = tag("span", f"{MARKS[Standing.WAIVED]} {state}", class_="badge waived")
    what = tag("p", sign, " ", tag("strong", line.budget), f" on {plain(line.where)}")
    reason = tag("p", tag("q", one.reason), class_="quoted")
    who = f"By {plain(one.by)}, {one.issued_at:%Y-%m-%d}, {line.until}. It {_effect(line)}."
    said = tag("p", who, " ", _comment(one.url), class_="note")
    return tag("li", what, reason, said, class_="notice" if line.holds else "notice void")


def _effect(line: WaiverLine) -> str:
    return line.effect if line.effect.startswith("opens") else f"opens {line.effect}"


def _comment(url: str) -> Html:
    """A link to where they said so; anything that is no web address is only shown."""
    if not url.startswith("https://"):
        return tag("span", url) if url else NOTHING
    return tag("a", "Their comment", href=url, rel="noreferrer noopener")


def _plan_changes(context: Context) -> Html:
    if not context.changes:
        return NOTHING
    loose = len(loosened(context))
    rows = [_change(change, words) for change, words in plan_lines(context)]
    head = ["key", "change", "base branch", "this pull request"]
    shown = table("What the pull request changes in the plan", head, rows, "reasons plan")
    note = tag("p", "Judged by the base branch\u2019s values, not by these.", class_="note")
    if not loose:
        title = f"{count(len(rows), 'key')} of the plan changed, none made looser"
        return section("plan", title, note, folded("Show them", shown))
    words = f"This pull request loosens {count(loose, 'limit')}"
    return section("plan", words, note, shown)


def _change(change: PlanChange, words: str) -> Html:
    state = tag("td", tag("strong", words) if change.looser else words)
    if change.looser:
        state = tag("td", tag("strong", words), class_="fail")
    return row(change.where, [state, change.before or "(new)", change.after or "(removed)"])
