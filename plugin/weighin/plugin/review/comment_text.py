"""The text of the one comment: the weigh-in, and which waivers were asked for in vain. Pure."""

from weighin.gates.report.context import Context
from weighin.gates.report.markdown import COMMENT_LENGTH, to_markdown
from weighin.gates.report.markdown_parts import code
from weighin.gates.weigh_in import WeighIn

_MOST = 10


def comment_text(weigh_in: WeighIn, context: Context, refused: tuple[str, ...]) -> str:
    """The whole comment, no longer than GitHub takes.

    Args:
        weigh_in: What is shown.
        context: What else is known of it.
        refused: Words on waivers that were asked for in vain.
    """
    lines = [f"- {code(words)}" for words in refused[:_MOST]]
    if len(refused) > _MOST:
        lines.append(f"- and {len(refused) - _MOST} more")
    told = "\n".join(["\n#### Not waived\n", *lines, ""]) if lines else ""
    return to_markdown(weigh_in, context=context, longest=COMMENT_LENGTH - len(told)) + told
