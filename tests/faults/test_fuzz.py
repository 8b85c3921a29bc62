"""A sample of the fuzzing: the parser and model servers here, every function and the API as real processes."""

import pytest
from fuzz.run import Plan, run


@pytest.mark.timeout(120)
def test_nothing_that_can_be_sent_gets_an_answer_outside_the_contract_or_leaks_a_secret(tmp_path):
    outcome = run(Plan(parser=900, functions=400, api=200, seed=1, servers=300), tmp_path)
    outcome.findings.report()
    print(outcome.line)
    assert not outcome.findings.found
    assert outcome.functions >= 400
    assert outcome.api >= 200
    assert outcome.servers >= 300
