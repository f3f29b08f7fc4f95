"""What Huiyao promises under faults, load and growth, shown by programs that anyone can run again: `make prove`."""
