"""The shape of a prediction: what counts as the same, and how it is shown."""

import pytest

from functions.adapters.shape import describe, differs


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"predictions": [1, 1]}, {"predictions": [0.5, -1], "more": "is fine"}),
        ({"predictions": []}, {"predictions": [1, 2, 3]}),
        ({"outputs": [{"data": [], "name": "x"}]}, {"outputs": [{"name": "y", "data": [1]}]}),
        ({"anything": None}, {"anything": [1]}),
        (None, "any"),
        ([True], [False]),
    ],
)
def test_the_same_shape(expected, found):
    assert differs(expected, found) is None


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        ({"predictions": []}, {"error": "no"}, "the answer has no 'predictions'"),
        ({"predictions": [1]}, {"predictions": []}, "predictions has 0 elements, expected 1"),
        ({"predictions": [1]}, {"predictions": ["a"]}, "predictions[0] is a string, expected a number"),
        ({"predictions": []}, {"predictions": None}, "predictions is null, expected a list"),
        ({"a": {"b": 1}}, {"a": {"b": True}}, "a.b is a boolean, expected a number"),
        ({"a": 1}, [], "the answer is a list, expected an object"),
        ([[1, 2]], [[1]], "[0] has 1 elements, expected 2"),
    ],
)
def test_the_first_difference_is_named_with_its_place(expected, found, said):
    assert differs(expected, found) == said


def test_it_is_shown_short():
    assert describe({"predictions": [1, 2], "anomaly_scores": [0.5, 0.1]}) == (
        "{predictions: [2 of number], anomaly_scores: [2 of number]}"
    )
    assert describe({"outputs": [{"deep": {"er": 1}}]}) == "{outputs: [1 of {…}]}"
    assert len(describe({f"key-{n}": n for n in range(100)})) == 70
