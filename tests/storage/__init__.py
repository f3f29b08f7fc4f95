"""The storage contract on both databases, and what is particular to each."""
