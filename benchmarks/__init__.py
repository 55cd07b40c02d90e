"""Commands that print figures and ratios; none of them asserts anything."""
