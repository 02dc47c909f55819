"""A model's card as a page: its Markdown, with the plots of its bundle."""

from __future__ import annotations

import html
import re

import markdown

_TABLES = ["tables"]
# The look of the web app, so that the card needs nothing from elsewhere.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<main class="card-page">
{body}
</main>
</body>
</html>
"""
_PICTURE = re.compile(r"!\[([^\]]{0,300})\]\(([\w.-]{1,300})\)")
# A link of any other scheme loses its address: a card can come from a stranger's bundle.
_LINK = re.compile(r'<a href="(?!https?://|/|#)[^"]*"', re.IGNORECASE)


def card_page(title: str, card: str, pictures_at: str) -> str:
    """HTML of a Markdown card. HTML inside the card is shown as text; its pictures lie below `pictures_at`."""
    escaped = html.escape(card, quote=False).replace("&gt; ", "> ")
    linked = _PICTURE.sub(rf"![\1]({pictures_at}\2)", escaped)
    body = _LINK.sub("<a", markdown.markdown(linked, extensions=_TABLES))
    return _PAGE.format(title=html.escape(title), body=body)
