"""From a registered model to variants, and the conductor of the whole flow."""
