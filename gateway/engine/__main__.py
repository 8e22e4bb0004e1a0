"""``python -m gateway.engine``: what the supervisor starts."""

from gateway.lifeline import Lifeline


def main() -> None:
    # The tie to the supervisor comes first: imports take a while.
    lifeline = Lifeline()
    from gateway.engine.process import run

    run(lifeline)


if __name__ == "__main__":
    main()
