"""One meter per quantity; each returns readings, never a verdict."""
