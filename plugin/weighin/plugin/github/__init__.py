"""GitHub behind one narrow seam: what a review reads and writes there."""
