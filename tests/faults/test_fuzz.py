"""A sample of the fuzzing: the parser and model servers here, every function and the API as real processes."""

import pytest
from fuzz.judge import Findings
from fuzz.reading import fuzz_objects
from fuzz.rounds import fuzz_rounds
from fuzz.run import Plan, run
from fuzz.servers import fuzz_servers


@pytest.mark.timeout(300)
def test_nothing_that_can_be_sent_gets_an_answer_outside_the_contract_or_leaks_a_secret(tmp_path):
    outcome = run(Plan(parser=200, functions=100, api=50, seed=1), tmp_path)
    outcome.findings.report()
    print(outcome.line)
    assert not outcome.findings.found
    assert outcome.functions >= 100
    assert outcome.api >= 50


@pytest.mark.timeout(300)
def test_whatever_is_written_into_an_object_its_model_is_observed_and_judged():
    found = Findings()
    fuzz_objects(120, 1, found)
    found.report()
    assert not found.found
    assert found.calls >= 120


@pytest.mark.timeout(240)
def test_whatever_one_tenant_writes_every_other_model_is_right_and_the_pages_answer(redis_url, tmp_path):
    found = Findings()
    fuzz_rounds(20, 1, found, redis_url, tmp_path)
    found.report()
    assert not found.found
    assert found.calls >= 20


@pytest.mark.timeout(120)
def test_whatever_a_model_server_answers_nothing_is_raised_and_other_pods_are_judged_by_their_own():
    found = Findings()
    fuzz_servers(100, 1, found)
    found.report()
    assert not found.found
    assert found.calls >= 100
