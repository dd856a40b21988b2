"""`python -m model_orchestrator` is the console script."""

from model_orchestrator.cli.main import main

if __name__ == "__main__":
    main()
