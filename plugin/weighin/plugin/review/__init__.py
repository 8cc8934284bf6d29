"""A review on GitHub: the branch, the pull request, the comment, the checks."""
