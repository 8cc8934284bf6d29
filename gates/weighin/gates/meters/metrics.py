"""By which number a model's quality is judged: names, and what each of them needs. Pure."""

ACCURACY = "accuracy"
