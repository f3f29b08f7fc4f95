"""Benchmarks: Huiyao beside a bare reference server, in one run, interleaved."""
