"""Train a small PyTorch CNN and register it, as always: nothing here knows weighin."""

import mlflow
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
data = np.load("data/training-torch.npz")
x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
model = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding=1, bias=False),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.Conv2d(32, 64, 3, padding=1, bias=False),
    nn.BatchNorm2d(64),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(64, 64, 3, padding=1, bias=False),
    nn.BatchNorm2d(64),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(64, 10),
)
epochs, batch = 12, 64
optimiser = torch.optim.AdamW(model.parameters(), lr=0.004)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.004, epochs * (len(x) // batch))
for _ in range(epochs):
    for rows in torch.randperm(len(x))[: len(x) // batch * batch].view(-1, batch):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
model.eval()
held_out = np.load("data/evaluation-torch.npz")
with torch.no_grad():
    right = model(torch.from_numpy(held_out["x"])).argmax(1).numpy() == held_out["y"]
with mlflow.start_run(run_name="train digits-torch"):
    mlflow.log_metric("accuracy", right.mean())
    example = held_out["x"][:2]
    mlflow.pytorch.log_model(
        model, name="model", input_example=example, registered_model_name="digits-torch"
    )
print(f"digits-torch: accuracy {right.mean():.4f} on {len(right)}, registered")
