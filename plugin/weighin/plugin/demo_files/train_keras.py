"""Train a small Keras CNN and register it, as always: nothing here knows weighin."""

import keras
import mlflow
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
data, held_out = np.load("data/training-keras.npz"), np.load("data/evaluation-keras.npz")
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(24, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.Conv2D(48, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(48, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10),
    ],
    name="digits",
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.004), loss, metrics=["accuracy"])
model.fit(data["x"], data["y"], epochs=25, batch_size=64, verbose=0)
accuracy = model.evaluate(held_out["x"], held_out["y"], verbose=0)[1]
with mlflow.start_run(run_name="train digits-keras"):
    mlflow.log_metric("accuracy", accuracy)
    signature = mlflow.models.infer_signature(
        held_out["x"], model.predict(held_out["x"], verbose=0)
    )
    mlflow.tensorflow.log_model(
        model, name="model", signature=signature, registered_model_name="digits-keras"
    )
print(f"digits-keras: accuracy {accuracy:.4f} on {len(held_out['y'])}, registered")
