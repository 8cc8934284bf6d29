"""Is this variant good enough for this device? Imports nothing else of ours."""
