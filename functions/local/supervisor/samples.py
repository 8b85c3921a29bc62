"""`python -m functions.local.supervisor.samples`: a dozen models for the simulated cluster, each made once."""

import asyncio

from functions.local.samples import apply_samples

if __name__ == "__main__":
    made = asyncio.run(apply_samples())
    print(f"{made} sample objects made", flush=True)
