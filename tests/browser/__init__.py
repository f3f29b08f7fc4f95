"""The pages in a real browser, against real processes: every flow, on a phone and at a desk, in both languages."""
