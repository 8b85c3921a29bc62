"""End to end: real processes, real HTTP, and the cluster that KUBECONFIG names.

Who acts on KServe's resources there is found out in kserve_controller.py; no test knows.
"""

import os
import tempfile
from pathlib import Path

import pytest
from api_server import ApiServer
from place import Place
from product_process import Product
from stage import Stage
from stop_patches import count_stops

HERE = Path(__file__).parent
TEST_SECONDS = 240
STAGE = pytest.StashKey[Stage]()


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == HERE and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


def pytest_configure_node(node):
    """Several workers: their one stage is set up before the first of them begins."""
    stage = node.config.stash.get(STAGE, None)
    if stage is None:
        stage = node.config.stash[STAGE] = Stage(_kubeconfig(), tempfile.mkdtemp(prefix="e2e-"))
        stage.set_up()
    number = int(node.workerinput["workerid"].removeprefix("gw"))
    node.workerinput["seat"] = stage.seat(number, node.workerinput["workercount"])


def pytest_unconfigure(config):
    stage = config.stash.get(STAGE, None)
    if stage is not None:
        stage.take_down()


def _kubeconfig():
    path = os.environ.get("KUBECONFIG")
    if not path:
        pytest.exit("KUBECONFIG names no cluster; see CONTRIBUTING.md for how to get one", 2)
    return path


@pytest.fixture(scope="session")
def kubeconfig():
    return _kubeconfig()


@pytest.fixture(scope="session")
def api(kubeconfig):
    return ApiServer(kubeconfig)


@pytest.fixture(scope="session")
def seat(request, kubeconfig, tmp_path_factory):
    """Where this worker finds what it asks; alone, it sets that up itself."""
    if hasattr(request.config, "workerinput"):
        yield request.config.workerinput["seat"]
        return
    stage = Stage(kubeconfig, tmp_path_factory.mktemp("stage"))
    try:
        yield stage.set_up().seat()
    finally:
        stage.take_down()


@pytest.fixture(scope="session")
def product(kubeconfig, seat):
    return Product(kubeconfig, Path(seat["folder"]), seat["ports"])


@pytest.fixture(scope="session")
def new_place(api, product, seat):
    """Makes a namespace; what uses it leaves it."""
    unused = iter(seat["names"])
    return lambda: Place(api, product, next(unused), seat["hints"]).prepare()


@pytest.fixture
def place(new_place, product, request):
    """A namespace of the test's own. What the product said is shown where the test fails."""
    made = new_place()
    said_before = product.log.stat().st_size
    yield made
    made.leave()
    report = getattr(request.node, "call_report", None)
    if report is not None and report.failed:
        with product.log.open(errors="replace") as log:
            log.seek(said_before)
            lines = [line for line in log if "method=GET" not in line]
        print("--- modelswitch said ---\n" + "".join(lines[-80:]))


@pytest.fixture
def stop_patches(api, kubeconfig, place):
    return count_stops(api, kubeconfig, place.namespace)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.call_report = outcome.get_result()
