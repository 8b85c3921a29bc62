"""An installation's accounts, roles and policies on a real API server, beside a namespace of a tenant."""

import secrets

import pytest
from real_cluster import Caller, Rights, connect, wait_until


@pytest.fixture(scope="module")
def http():
    with connect() as client:
        yield client


@pytest.fixture(scope="module")
def admin(http):
    return Caller(http)


@pytest.fixture(scope="module")
def installation(admin):
    """Its own name, so that it meets no other installation of the cluster; in force before the first test."""
    made = Rights(admin, f"modelswitch-rights-{secrets.token_hex(3)}")
    try:
        yield made.put()
    finally:
        made.remove()


@pytest.fixture(scope="module")
def tenant(admin):
    name = f"rights-tenant-{secrets.token_hex(3)}"
    assert admin.create("/api/v1/namespaces", {"metadata": {"name": name}}).status_code == 201
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    wait_until(lambda: admin.request("GET", account).status_code == 200)
    yield name
    admin.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="module")
def alice(http, admin, tenant):
    """A tenant's administrator: everything in its namespace, nothing elsewhere."""
    name = f"alice-{tenant}"
    body = {
        "metadata": {"name": "alice"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{tenant}/rolebindings"
    assert admin.create(path, body).status_code == 201
    caller = Caller(http, name)
    wait_until(lambda: caller.request("GET", f"/api/v1/namespaces/{tenant}/pods").status_code == 200)
    return caller
