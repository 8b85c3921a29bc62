"""End to end: real processes, real HTTP, and the cluster that KUBECONFIG names.

Who acts on KServe's resources there is found out in kserve_controller.py; no test knows.
"""

import os
import uuid
from pathlib import Path

import pytest
from api_server import ApiServer
from kserve_controller import find_kserve
from model_image import provide_model_image
from place import Place
from product_process import Product
from stop_patches import count_stops

HERE = Path(__file__).parent
NAMESPACES = 80
TEST_SECONDS = 240


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == HERE and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.fixture(scope="session")
def kubeconfig():
    path = os.environ.get("KUBECONFIG")
    if not path:
        pytest.fail("KUBECONFIG names no cluster; see CONTRIBUTING.md for how to get one", pytrace=False)
    return path


@pytest.fixture(scope="session")
def api(kubeconfig):
    return ApiServer(kubeconfig)


@pytest.fixture(scope="session")
def names():
    """All namespaces of this run, known before the first is made."""
    run = uuid.uuid4().hex[:6]
    return [f"e2e-{run}-{number:02d}" for number in range(NAMESPACES)]


@pytest.fixture(scope="session")
def model_image():
    provide_model_image()


@pytest.fixture(scope="session")
def kserve(api, kubeconfig, names, tmp_path_factory):
    found = find_kserve(api, kubeconfig, names, tmp_path_factory.mktemp("kserve") / "log")
    yield found
    found.end()


@pytest.fixture(scope="session")
def product(kubeconfig, kserve, model_image, tmp_path_factory):
    started = Product(kubeconfig, tmp_path_factory.mktemp("product")).start()
    yield started
    started.end()


@pytest.fixture(scope="session")
def _unused_names(names):
    return iter(names)


@pytest.fixture(scope="session")
def new_place(api, product, kserve, _unused_names):
    """Makes a namespace; what uses it leaves it."""
    return lambda: Place(api, product, next(_unused_names), kserve.hints).prepare()


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
