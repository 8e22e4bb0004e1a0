"""``python -m tests.supervisor.ends_at_once``: a process that cannot live."""

if __name__ == "__main__":
    raise SystemExit(9)
