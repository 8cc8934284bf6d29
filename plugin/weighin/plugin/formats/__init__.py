"""One module per file format that is not simply converted and then quantized as a file."""
