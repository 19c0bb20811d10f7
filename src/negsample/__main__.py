"""`python -m negsample`."""

from negsample.cli import main

if __name__ == "__main__":
    main()
