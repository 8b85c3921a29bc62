"""Random schedules against real processes: drawn from a seed, played, judged."""

from schedules import paths

paths.add()
