"""Readers of the source kinds that are not PyTorch's own: ONNX, SavedModel, Keras 2 HDF5."""
