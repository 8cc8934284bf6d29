"""One module per command.

Each has a ``SUMMARY`` for the list of commands, a ``DESCRIPTION``, an ``EXAMPLE`` for its help,
``arguments(parser)`` that declares what it takes, and ``run(args)`` that does it and returns the
exit code. Heavy imports stay inside ``run``: the list of commands must not cost anything.
"""
