"""Uploads an artifact: `upload.py FOLDER s3://BUCKET/PREFIX`, with the JSON of KServe's Secret `storage-config` in STORAGE_CONFIG.

`_SUCCESS` is deleted first and uploaded last, as it is written on a claim. What else is under the prefix stays.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

DONE = "_SUCCESS"


def client(config: dict[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=config.get("endpoint_url"),
        region_name=config.get("region"),
        aws_access_key_id=config["access_key_id"],
        aws_secret_access_key=config["secret_access_key"],
    )


def upload(s3: Any, folder: Path, bucket: str, prefix: str) -> int:
    """The number of files. Hidden ones stay behind."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    wanted = [name for name in names if name != DONE and not any(part.startswith(".") for part in Path(name).parts)]
    if not wanted or DONE not in names:
        sys.exit(
            f"{folder} has {len(wanted)} files and {'a' if DONE in names else 'no'} {DONE}: let the training end first"
        )
    s3.delete_object(Bucket=bucket, Key=f"{prefix}/{DONE}")
    for name in [*wanted, DONE]:
        s3.upload_file(str(folder / name), bucket, f"{prefix}/{name}")
    return len(wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target")
    args = parser.parse_args()
    place = urlsplit(args.target)
    prefix = place.path.strip("/")
    if place.scheme != "s3" or not place.netloc or not prefix:
        parser.error(f"{args.target} is no place for it; expected s3://BUCKET/PREFIX")
    if "STORAGE_CONFIG" not in os.environ:
        parser.error("STORAGE_CONFIG is not set; expected the JSON of the Secret storage-config")
    count = upload(client(json.loads(os.environ["STORAGE_CONFIG"])), args.folder, place.netloc, prefix)
    print(json.dumps({"target": args.target, "files": count}))  # noqa: T201 (the Job's log)


if __name__ == "__main__":
    main()
