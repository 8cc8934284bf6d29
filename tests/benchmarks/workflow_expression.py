"""GitHub's expressions, as far as the workflows use them: names, texts, operators, three functions.

Anything else is refused, so that a workflow that starts to use more is noticed.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Contexts = Mapping[str, Any]

_TOKEN = re.compile(r"\s*(\|\||&&|==|!=|!|\(|\)|,|'(?:[^']|'')*'|\d+|[A-Za-z_][\w.-]*)")
_FIELD = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": lambda text, part: str(part).lower() in _text(text).lower(),
    "always": lambda: True,
    "success": lambda: True,
}


def filled(template: object, contexts: Contexts) -> str:
    """A value of a workflow with every `${{ }}` in it replaced."""
    return _FIELD.sub(lambda found: _text(value(found[1], contexts)), _text(template))


def holds(condition: object, contexts: Contexts) -> bool:
    """Whether an `if:` lets a job or a step run."""
    if condition is None:
        return True
    text = str(condition)
    whole = _FIELD.fullmatch(text.strip())
    return bool(value(whole[1] if whole else text, contexts))


def value(expression: str, contexts: Contexts) -> Any:
    """What an expression is; a name that nobody set is null, as on GitHub."""
    tokens = _tokens(expression)
    found = _or(tokens, contexts)
    if tokens:
        raise ValueError(f"not understood: {expression!r} from {tokens[0]!r} on")
    return found


def names(template: object) -> list[str]:
    """Every name that the expressions in a text look up."""
    inside = " ".join(_FIELD.findall(str(template)))
    return [token for token in _tokens(inside, loose=True) if re.match(r"[A-Za-z_]", token)]


def _tokens(expression: str, *, loose: bool = False) -> list[str]:
    tokens: list[str] = []
    at = 0
    while expression[at:].strip():
        found = _TOKEN.match(expression, at)
        if found is None:
            if loose:
                at += 1
                continue
            raise ValueError(f"not understood: {expression[at:]!r}")
        tokens.append(found[1])
        at = found.end()
    return tokens


def _or(tokens: list[str], contexts: Contexts) -> Any:
    left = _and(tokens, contexts)
    while tokens[:1] == ["||"]:
        tokens.pop(0)
        right = _and(tokens, contexts)
        left = left or right
    return left


def _and(tokens: list[str], contexts: Contexts) -> Any:
    left = _equal(tokens, contexts)
    while tokens[:1] == ["&&"]:
        tokens.pop(0)
        right = _equal(tokens, contexts)
        left = left and right
    return left


def _equal(tokens: list[str], contexts: Contexts) -> Any:
    left = _one(tokens, contexts)
    while tokens and tokens[0] in {"==", "!="}:
        same = tokens.pop(0) == "=="
        right = _one(tokens, contexts)
        left = (_text(left).lower() == _text(right).lower()) is same
    return left


def _one(tokens: list[str], contexts: Contexts) -> Any:
    word = tokens.pop(0)
    if word == "!":
        return not _one(tokens, contexts)
    if word == "(":
        inner = _or(tokens, contexts)
        _expect(tokens, ")")
        return inner
    if word.startswith("'"):
        return word[1:-1].replace("''", "'")
    if word.isdigit():
        return int(word)
    if tokens[:1] == ["("]:
        tokens.pop(0)
        return _FUNCTIONS[word](*_arguments(tokens, contexts))
    return _looked_up(word, contexts)


def _arguments(tokens: list[str], contexts: Contexts) -> list[Any]:
    found: list[Any] = []
    while tokens[:1] != [")"]:
        found.append(_or(tokens, contexts))
        if tokens[:1] == [","]:
            tokens.pop(0)
    _expect(tokens, ")")
    return found


def _expect(tokens: list[str], token: str) -> None:
    if tokens[:1] != [token]:
        raise ValueError(f"{token!r} is missing before {tokens!r}")
    tokens.pop(0)


def _looked_up(name: str, contexts: Contexts) -> Any:
    here: Any = contexts
    for part in name.split("."):
        here = here.get(part) if isinstance(here, Mapping) else None
    return here


def _text(found: object) -> str:
    if found is None:
        return ""
    if isinstance(found, bool):
        return str(found).lower()
    return str(found)
