"""What the cluster's answers become for a caller: one answer, over REST, in a bulk request and on a page."""

import json

import pytest

from functions.adapters.cluster import Changed, Missing
from functions.api.problems import of_cluster, of_step


@pytest.mark.parametrize(
    ("error", "status", "code", "after"),
    [
        (Changed("PATCH /x: 409 modified"), 409, "Conflict", 1),
        (Missing("GET /x: 404 not found"), 502, "ClusterRefused", None),
    ],
)
def test_what_the_cluster_lacks_or_changed_is_a_problem_with_a_next_action(error, status, code, after):
    answer = of_step(of_cluster(error))
    problem = json.loads(answer.body)
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"urn:modelswitch:problem:{code}"
    assert str(error) in problem["detail"]
    assert (problem.get("retry_after"), bool(problem["next_action"])) == (after, True)
