"""One weigh-in shown to people and machines: terminal, Markdown, JSON, HTML."""
