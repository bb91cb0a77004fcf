"""The soak: servers and clients of both front ends at work for long, and whether what they hold stays the same.

`make soak` runs it; docs/robustness.md says what it does and what its bounds are.
"""
