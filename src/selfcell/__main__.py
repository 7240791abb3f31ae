"""`python -m selfcell` is the command `selfcell`."""

from selfcell.cli import main

if __name__ == "__main__":
    main()
