"""Where a number for a device comes from: measured here, or predicted with a band."""
