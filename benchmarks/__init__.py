"""Commands that print figures and ratios; nothing here asserts."""
