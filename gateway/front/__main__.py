"""``python -m gateway.front``: what the supervisor starts."""

from gateway.lifeline import Lifeline


def main() -> None:
    # The tie to the supervisor comes first: imports take a while.
    lifeline = Lifeline()
    from gateway.front.process import run

    run(lifeline)


main()
