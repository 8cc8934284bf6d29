"""The passes a recipe is made of: quantize, prune, distill."""
