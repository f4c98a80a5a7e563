"""`python -m annotator_worker` is the command `annotator`."""

from annotator_worker.cli import main

if __name__ == "__main__":
    main()
