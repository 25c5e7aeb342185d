"""`python -m sealroom` is the command line."""

from sealroom.cli import main

if __name__ == "__main__":
    main()
