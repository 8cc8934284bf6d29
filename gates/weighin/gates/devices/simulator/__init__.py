"""A phone made of software, behind a real adb server: for trying and testing what talks to phones.

``phone`` says what a simulated phone is, ``faults`` what may be wrong with it, ``server`` puts
phones on a port of this machine, where any adb client finds them.

What this package does not do: it is no evidence about any phone. Its timings, powers and
temperatures are made up by simple models. Every simulated phone says ``ro.weighin.simulated=1``
in its properties, and whatever was measured on one must be labelled so and never count as a
measurement of a ``device`` for a real gate.
"""
