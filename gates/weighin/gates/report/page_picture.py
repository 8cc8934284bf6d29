"""How a drawn picture stands on the HTML page: named for those who do not see it, and captioned."""

from weighin.gates.report.markup import Html, tag


def figure_of(svg: str, title: str, words: str) -> Html:
    """A drawn picture with its description.

    To a screen reader it is one image. The script opens it up: then each mark can be reached.
    """
    hidden = Html(svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1))
    image = tag("div", hidden, class_="picture", role="img", aria_label=f"{title}. {words}")
    return tag("figure", image, tag("figcaption", words))
