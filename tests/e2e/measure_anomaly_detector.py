"""Measures the example anomaly detector with and without modelswitch running, by its own measure.py, on real pods.

    KUBECONFIG=… IMAGE_BUILDER=… python tests/e2e/measure_anomaly_detector.py [--rounds 3] [--seconds 15]

Rounds alternate, so that what else the machine does falls on both. One line of JSON per measurement, then the medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx
from anomaly_detector_manifests import EXAMPLE, NAME, Example
from api_server import KSERVE, ApiServer
from artifact_claim import Claim
from deadlines import eventually
from doorway import Doorway
from kserve_controller import find_kserve
from model_image import provide_model_image
from place import Place
from product_process import Product

LOADS = {"as many as there can be": [], "200 per second": ["--rate", "200"]}
SHOWN = ("requests_per_second", "p50_ms", "p99_ms", "processor_ms")


def trained(api, place, product):
    """The address of its pod, once it answers."""
    example, claim = Example(place.namespace), Claim(place)
    claim.empty(NAME)
    for config_map in (example.code, example.smoke_test):
        api.create(f"/api/v1/namespaces/{place.namespace}/configmaps", config_map)
    api.create(f"{KSERVE}/v1alpha1/namespaces/{place.namespace}/servingruntimes", example.runtime)
    node = api.items("/api/v1/nodes", labelSelector="!type")[0]["status"]["addresses"][0]["address"]
    doorway = Doorway(product.broker, node)
    place.make(example.model)
    place.until(NAME, "error", reason="ModelMissing", seconds=120)
    api.create(f"/apis/batch/v1/namespaces/{place.namespace}/jobs", example.training("train", doorway.url))
    place.until(NAME, "running", seconds=120)
    eventually(lambda: len(place.pods(NAME)) == 1, "one pod is left", 60)
    doorway.close()
    return claim, f"http://{place.pod_address(NAME)}:8080"


def measured(url, seconds, words):
    """`processor_ms`: the server's processor time per request, which does not depend on what else the machine does."""
    command = [sys.executable, EXAMPLE / "measure.py", url, "--seconds", str(seconds), *words]
    before = processor_seconds(url)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    figures = json.loads(done.stdout)
    used = processor_seconds(url) - before
    return {**figures, "processor_ms": round(1000 * used / max(1, figures["answered"]), 2)}


def processor_seconds(url):
    lines = httpx.get(f"{url}/metrics", trust_env=False).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("process_cpu_seconds_total"))


def compare(url, folder, product, args):
    """Answers the measurements; the product runs again at the end."""
    found = []
    for number in range(args.rounds):
        for who in ("with", "without")[:: 1 if number % 2 == 0 else -1]:
            if who == "without":
                product.end()
            for load, words in LOADS.items():
                measured(url, 2, words)
                figures = measured(url, args.seconds, words)
                found.append({"modelswitch": who, "load": load, "machine": os.getloadavg()[0], **figures})
                print(json.dumps(found[-1]), flush=True)
            if who == "without":
                product = Product(os.environ["KUBECONFIG"], folder).start()
    return found, product


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    args = parser.parse_args()
    kubeconfig = os.environ["KUBECONFIG"]
    api, namespace = ApiServer(kubeconfig), f"e2e-{uuid.uuid4().hex[:6]}-00"
    provide_model_image()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kserve = find_kserve(api, kubeconfig, [namespace], folder / "kserve.log")
        product = Product(kubeconfig, folder).start()
        place = Place(api, product, namespace, kserve.hints).prepare()
        claim = None
        try:
            claim, url = trained(api, place, product)
            found, product = compare(url, folder, product, args)
        finally:
            if claim:
                claim.remove()
            place.leave()
            product.end()
            kserve.end()
    for load in LOADS:
        for who in ("with", "without"):
            mine = [one for one in found if one["load"] == load and one["modelswitch"] == who]
            medians = {key: statistics.median(one[key] for one in mine) for key in SHOWN}
            failed = sum(sum(one["failed"].values()) for one in mine)
            print(f"{load:24} {who:8} {json.dumps(medians)} failed: {failed}")


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"in {time.monotonic() - started:.0f} s")
