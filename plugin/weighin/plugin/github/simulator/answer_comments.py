"""Answers about the comments of a pull request.

What this module does not do: it knows no review comments on lines, and no issues that are none.
"""

from weighin.plugin.github.simulator import shapes_pull
from weighin.plugin.github.simulator.answer_pulls import pull_of
from weighin.plugin.github.simulator.asked import Asked, text_field
from weighin.plugin.github.simulator.hosted import CommentRow
from weighin.plugin.github.simulator.wire import Answer, paged, refused


def list_comments(asked: Asked) -> Answer:
    """``GET …/issues/{number}/comments``, oldest first."""
    number = pull_of(asked).number
    rows = [row for row in asked.hosted.comments.values() if row.number == number]
    return paged(asked.call, [shapes_pull.comment(asked.hosted, row, asked.base) for row in rows])


def add_comment(asked: Asked) -> Answer:
    """``POST …/issues/{number}/comments``."""
    number, body = pull_of(asked).number, text_field(asked.fields(), "IssueComment", "body")
    row = asked.world.say(asked.hosted, number, body, login=asked.token.login)
    return Answer(status=201, content=shapes_pull.comment(asked.hosted, row, asked.base))


def get_comment(asked: Asked) -> Answer:
    """``GET …/issues/comments/{comment_id}``."""
    return Answer(content=shapes_pull.comment(asked.hosted, _comment_of(asked), asked.base))


def edit_comment(asked: Asked) -> Answer:
    """``PATCH …/issues/comments/{comment_id}``: somebody who may write edits anybody's."""
    row = _comment_of(asked)
    row.body = text_field(asked.fields(), "IssueComment", "body")
    row.updated_at = asked.now
    return Answer(content=shapes_pull.comment(asked.hosted, row, asked.base))


def delete_comment(asked: Asked) -> Answer:
    """``DELETE …/issues/comments/{comment_id}``."""
    del asked.hosted.comments[_comment_of(asked).id]
    return Answer(status=204)


def _comment_of(asked: Asked) -> CommentRow:
    row = asked.hosted.comments.get(asked.number("comment_id"))
    if row is None:
        raise refused(404, "Not Found")
    return row
