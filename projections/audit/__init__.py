"""What was decided, what it changed, and what that did to the scores."""
