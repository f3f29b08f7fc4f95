"""One function per use case: load, let `rules` decide, commit; again from the start where another was faster."""
