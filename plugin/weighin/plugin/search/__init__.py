"""Recipe ``auto``: finds the variants that fit the budgets, within a time budget.

    space.py      what can be asked
    brackets.py   bisection of one axis
    questions.py  the next question, from the answers so far
    finalists.py  what goes to the gate
    estimate.py   from readings on tuning data to a trial
    tuning.py     the data that a search may see
    journal.py    the answers, kept on disk
    run.py        the loop: ask, build, estimate, keep

All but the last three are pure. What this package does not do: it sees no row of the gate's
data, and passes nothing.
"""
