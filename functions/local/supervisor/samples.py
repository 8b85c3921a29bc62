"""`python -m functions.local.supervisor.samples`: a dozen models for the simulated cluster, each made once."""

import asyncio
import sys

import aiohttp

from functions.local.kserve.cluster import ApiError
from functions.local.samples import apply_samples


def main() -> int:
    """1 when the API is away or refuses one; what is missing is made the next time."""
    try:
        made = asyncio.run(apply_samples())
    except (aiohttp.ClientError, OSError, ApiError) as error:
        print(f"not all samples could be made: {error}", flush=True)
        return 1
    print(f"{made} sample objects made", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
