"""A GitHub made of software on this machine, for tests and for trying the flow without an account.

``server`` serves it, and ``python -m weighin.plugin.github.simulator`` does so from a terminal.
``world`` is what it knows, ``hosted`` one repository on it (its branches and files are those of a
real bare git repository), ``faults`` what may go wrong. Its answers have the shape of GitHub's
published OpenAPI description.

What this package does not do: it is no GitHub. It knows the calls of a review (repositories,
branches, files, pull requests, their comments, check runs, commit statuses, App tokens), hosts no
git over HTTP (push to the bare repository's path), renders no Markdown, and runs no workflow.
"""
