"""`python -m huiyao` is the `huiyao` command."""

from huiyao.cli import main

if __name__ == "__main__":
    main()
