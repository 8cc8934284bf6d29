"""What an app does with the pulled model: load the file, classify one digit."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

model, data = sys.argv[1:]
digits = np.load(data)
x, y = digits["x"][7:8], int(digits["y"][7])
interpreter = Interpreter(model_path=model)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
interpreter.invoke()
scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
for line in x.reshape(8, 8):
    print("   ", "".join(" .:-=+*#@"[int(v * 8)] * 2 for v in line))
print(f"    the model says {scores.argmax()}, the label says {y}")
