"""What needs somebody's attention: what deviates from plan, and what is due."""
