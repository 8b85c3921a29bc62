"""No sender acts, or is recorded, as another: events at the functions' own ports, and what is left of them."""

# ruff: noqa: F811 - fixtures of another file
import json

import pytest
import redis
from function_process import HTTP, SECRET, START, STOP, function
from sink_stand_in import receiving
from test_functions import (  # noqa: F401 - fixtures
    WRITTEN,
    audit,
    cluster,
    events,
    functions,
    ping,
    record,
    requests_for,
    until,
    written,
)

ALL = ("command", "stop", "start", "reload", "artifact_written", "pod_status", "tick", "dead_letter")
TYPES = {
    "command": STOP,
    "stop": STOP,
    "start": START,
    "reload": "dev.modelswitch.model.reload-requested.v1",
    "artifact_written": WRITTEN,
    "pod_status": "dev.knative.apiserver.resource.update",
    "tick": "dev.knative.sources.ping",
    "dead_letter": STOP,
}


def subject_of(name: str, namespace: str = "fraud") -> str:
    return f"namespaces/{namespace}/inferenceservices/{name}"


def as_event(event_type: str, subject: str = "", **more: str) -> dict[str, str]:
    named = {"specversion": "1.0", "id": "e1", "source": "/forger", "type": event_type, "subject": subject, **more}
    return {f"ce-{name}": value for name, value in named.items() if value}


def counted(function, metric: str, *labels: str) -> float:
    text = HTTP.get(f"{function.url}/metrics").text
    lines = [
        line for line in text.splitlines() if line.startswith(f"{metric}{{") and all(one in line for one in labels)
    ]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.fixture
def keys(redis_url):
    """Everything that is in Redis, but the lease of the one process that sends events."""
    with redis.from_url(redis_url, decode_responses=True) as client:
        yield lambda: sorted(set(client.scan_iter("*")) - {"{modelswitch}:flush"})


# --- deliveries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["", "?delivery=", "?delivery=not-deployed", f"?delivery={SECRET}x", f"?other={SECRET}"]
)
@pytest.mark.parametrize("name", ALL)
def test_an_unverified_delivery_is_401_and_nothing_is_left_of_it_but_a_count(cluster, functions, keys, name, query):
    function = functions[name]
    before, logged = counted(function, "modelswitch_deliveries_refused_total"), function.log.read_text()
    headers = as_event(TYPES[name], subject_of("scorer"), source="/forger")
    answer = HTTP.post(f"{function.url}/{query}", headers=headers, json={"reason": "forged"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    problem = answer.json()
    assert (problem["type"], problem["title"]) == ("urn:modelswitch:problem:Unauthenticated", "Unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert (problem["code"], SECRET in answer.text) == ("Unauthenticated", False)
    assert problem["next_action"]
    assert counted(function, "modelswitch_deliveries_refused_total") == before + 1
    assert (keys(), function.log.read_text()) == ([], logged)


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/metrics"])
@pytest.mark.parametrize("name", ALL)
def test_health_and_metrics_ask_for_no_secret_and_show_none(functions, name, path):
    answer = HTTP.get(f"{functions[name].url}{path}")
    assert (answer.status_code, SECRET in answer.text) == (200, False)


def test_no_function_logs_the_secret_that_it_is_called_with(functions, cluster):
    for name in ALL:
        functions[name].send("com.example.unknown", None, id="logged")
        assert SECRET not in functions[name].log.read_text(), name


def test_a_function_that_is_told_no_secret_takes_nothing_and_says_what_to_set(cluster, redis_url, tmp_path, keys):
    env = {"KUBECONFIG": str(cluster.kubeconfig), "REDIS_URL": redis_url, "DELIVERY_SECRETS": "too-short"}
    with function("command", tmp_path / "log", env, path="/livez") as command:
        answer = command.send(STOP, subject_of("scorer"))
        health = HTTP.get(f"{command.url}/healthz")
    assert (answer.status_code, answer.json()["code"]) == (503, "NotConfigured")
    assert "DELIVERY_SECRETS" in answer.json()["next_action"]
    assert health.status_code == 503
    assert keys() == []


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_store_s_notification_that_any_web_page_could_send_is_refused(functions, kind):
    headers = {"content_type": kind} if kind else {}
    answer = functions["artifact_written"].post(b'{"Records": []}', **headers)
    assert (answer.status_code, "application/json" in answer.json()["detail"]) == (400, True)
    assert functions["artifact_written"].post(b'{"Records": []}', content_type="application/json").status_code == 202


# --- who is recorded -------------------------------------------------------------------------------------------------


@pytest.fixture
def running_model(cluster):
    """Makes a model, in a namespace of its own where one is named."""
    made: set[str] = set()

    def make(name: str, namespace: str = "fraud", events_from: str | None = None, **labels: str) -> str:
        if namespace != "fraud" and namespace not in made:
            cluster.namespace(namespace, **(labels or {"modelswitch.dev/events": "allow"}))
            made.add(namespace)
        if events_from is not None:
            allow(cluster, namespace, events_from)
        cluster.model(name, namespace)
        return subject_of(name, namespace)

    return make


def allow(cluster, namespace: str, events_from: str | None, **labels: str | None) -> None:
    """`events_from`: who may send, as the namespace's annotation says it."""
    metadata = {"annotations": {"modelswitch.dev/events-from": events_from}, "labels": labels}
    headers = {"content-type": "application/merge-patch+json"}
    url = f"{cluster.url}/api/v1/namespaces/{namespace}"
    HTTP.patch(url, json={"metadata": metadata}, headers=headers).raise_for_status()


def entries_of(audit, event_id: str) -> list[dict]:
    return [entry for entry in audit() if entry.get("event_id") == event_id]


@pytest.mark.parametrize(
    "source", ["rest:alice@example.com", "Rest:alice", "external:kubectl", "/modelswitch", "event:/ci"]
)
def test_no_event_can_pass_for_somebody_else_by_its_source(cluster, functions, audit, running_model, source):
    name = f"posed-{abs(hash(source))}"
    subject = running_model(name)
    answer = functions["command"].send(STOP, subject, {"actor": "alice@example.com"}, id="i1", source=source)
    assert (answer.status_code, answer.json()["code"]) == (422, "ImpossibleEvent")
    assert "reserved" in answer.json()["detail"]
    assert cluster.stop_annotation(name) is None
    [entry] = entries_of(audit, "i1")
    assert (entry["action"], entry["actor"], entry["claimed_actor"]) == (
        "poison",
        f"event:{source}",
        "alice@example.com",
    )


def test_the_sender_s_word_is_a_claim_in_record_receipt_facts_audit_and_on_the_model(
    cluster, functions, redis_url, audit, events, running_model
):
    subject = running_model("claimed")
    ping(functions)
    functions["command"].send(STOP, subject, {"actor": "alice@example.com"}, id="c1", source="/cron/night")
    until(lambda: ping(functions) or record(redis_url, subject).get("state") == "stopped", "it is stopped")
    found = record(redis_url, subject)
    who = ("event:/cron/night", "alice@example.com")
    assert (found["holds"][0]["actor"], found["holds"][0]["claimed_actor"]) == who
    assert (found["receipt"]["actor"], found["receipt"]["claimed_actor"]) == who
    assert found["message"].startswith("Stopped by event:/cron/night (claims to be alice@example.com)")
    [entry] = entries_of(audit, "c1")
    assert (entry["actor"], entry["claimed_actor"]) == who
    told = [event["data"] for event in events() if event["subject"] == subject and "stop" in event["type"]]
    assert {(event["actor"], event["claimed_actor"]) for event in told} == {who}
    assert "alice@example.com" in cluster.get("claimed")["metadata"]["annotations"]["modelswitch.dev/stop"]


def test_a_dead_letter_names_its_source_as_an_event_s_and_hides_the_secret(functions, audit):
    destination = f"http://command.modelswitch.svc/?delivery={SECRET}"
    functions["dead_letter"].send(
        STOP, subject_of("x"), {"actor": "ceo"}, id="d1", source="rest:ceo", knativeerrordest=destination
    )
    [entry] = entries_of(audit, "d1")
    assert (entry["actor"], entry["claimed_actor"]) == ("event:rest:ceo", "ceo")
    assert "http://command.modelswitch.svc/" in entry["message"]
    assert SECRET not in str(entry)


def test_a_reload_that_comes_of_an_artifact_is_signed_and_recorded_as_its_sender_s(
    cluster, functions, redis_url, events, audit
):
    """The request travels through the broker as ours; what only looks so is refused."""
    cluster.claim("signed", "scorer/model.pkl")
    cluster.model("signed", uri="pvc://signed/scorer")
    ping(functions)
    functions["artifact_written"].send(WRITTEN, None, written("pvc://signed/scorer"), id="w7", source="/train")
    (request,) = requests_for(events)
    assert (request["on_behalf_of"], request["data"]["actor"]) == ("event:/train", "training")
    forged = {"onbehalfof": "root", "signature": "0" * 64}
    answer = functions["reload"].send(
        request["type"], request["subject"], request["data"], id=request["id"], source="/modelswitch", **forged
    )
    assert answer.status_code == 422
    (ours,) = sent_by_the_outbox(cluster, redis_url, functions, request["id"])
    answer = HTTP.post(functions["reload"].address, headers=ours[0], content=ours[1])
    assert answer.status_code == 202
    [entry] = [entry for entry in entries_of(audit, request["id"]) if entry["action"] == "reload"]
    assert (entry["actor"], entry["claimed_actor"], entry["source"]) == ("event:/train", "training", "/modelswitch")


def sent_by_the_outbox(cluster, redis_url, functions, event_id):
    """What a function with a broker sends of it."""
    with receiving() as broker:
        folder = functions["tick"].log.parent
        env = {"KUBECONFIG": str(cluster.kubeconfig), "REDIS_URL": redis_url, "K_SINK": broker.url}
        with function("tick", folder / "sending.log", env) as tick:
            until(
                lambda: ping({"tick": tick}) or any(one[0].get("ce-id") == event_id for one in broker.arrived),
                "the outbox is sent",
            )
        return [(dict(one[0]), one[1]) for one in broker.arrived if one[0].get("ce-id") == event_id][:1]


# --- consent ---------------------------------------------------------------------------------------------------------


RULES = '[{"source": "/ci", "verbs": ["stop"]}, {"source": "/train", "verbs": ["artifact", "reload"]}]'


def test_a_refused_event_costs_a_count_and_one_entry_and_claims_nothing(cluster, functions, audit, keys, running_model):
    subject = running_model("kept-out", "narrow", RULES)
    for source, event_type in (("/cicada", STOP), ("/ci", START), ("/other", STOP), ("/ci/../x", STOP)):
        before = counted(functions["command"], "modelswitch_events_total", 'outcome="EventsNotAllowed"')
        answer = functions["command"].send(event_type, subject, {"reason": "x" * 1000}, id=f"r{source}", source=source)
        assert (answer.status_code, answer.content) == (202, b"")
        assert counted(functions["command"], "modelswitch_events_total", 'outcome="EventsNotAllowed"') == before + 1
        [entry] = entries_of(audit, f"r{source}")
        assert (entry["code"], entry["actor"], entry["ref"]) == ("EventsNotAllowed", f"event:{source}", subject)
    assert cluster.stop_annotation("kept-out", "narrow") is None
    assert [key for key in keys() if "seen" in key or "narrow" in key or "outbox" in key] == []


def test_a_named_sender_may_what_its_rule_says(cluster, functions, running_model):
    subject = running_model("let-in", "rules", RULES)
    assert functions["command"].send(STOP, subject, id="ok", source="/ci/night/7").status_code == 202
    assert cluster.stop_annotation("let-in", "rules") == "true"


def test_the_same_event_is_done_once_its_namespace_agrees(cluster, functions, running_model):
    """A refusal uses up no id."""
    subject = running_model("later", "agrees", "[]")
    functions["command"].send(STOP, subject, id="again", source="/ci")
    assert cluster.stop_annotation("later", "agrees") is None
    allow(cluster, "agrees", RULES)

    def stopped():
        functions["command"].send(STOP, subject, id="again", source="/ci").raise_for_status()
        return cluster.stop_annotation("later", "agrees") == "true"

    until(stopped, "it is stopped")


@pytest.mark.parametrize(
    "broken",
    ["", "/ci", "{}", '[{"source": "/ci"', '[{"source": ""}]', '[{"source": "/"}]', '[{"verbs": ["stop"]}]', '[{"source": "/ci", "verbs": ["delete"]}]',
     '[{"source": "/ci", "user": "x"}]', '[{"source": "/ci", "more": 1}]', '[{"source": 7}]', "[" * 5000, "[" + '{"source": "/ci"},' * 64 + '{"source": "/ci"}]', f'[{{"source": "/ci"}}]{" " * 9000}'],
)  # fmt: skip
def test_an_annotation_that_can_t_be_read_lets_nobody_in_and_says_so(cluster, functions, audit, running_model, broken):
    if not hasattr(cluster, "unread"):
        cluster.unread = running_model("unread", "unread")
    allow(cluster, "unread", broken)
    until(lambda: "unread" in _refused(functions, audit, cluster.unread), "the annotation is said to be unreadable")
    assert cluster.stop_annotation("unread", "unread") is None


def _refused(functions, audit, subject) -> str:
    functions["command"].send(STOP, subject, id="unread", source="/ci").raise_for_status()
    message = entries_of(audit, "unread")[-1]["message"]
    return "unread" if "can't be read" in message and "modelswitch.dev/events-from" in message else message


def test_an_event_for_a_namespace_that_is_not_there_leaves_nothing(functions, keys):
    assert functions["command"].send(STOP, subject_of("x", "nowhere"), id="n1").status_code == 202
    assert keys() == []


def test_an_artifact_reaches_only_the_models_of_namespaces_that_let_its_sender(
    cluster, functions, redis_url, events, audit
):
    """One bucket, loaded in three namespaces; the event names none."""
    for namespace, rules in (("takes", RULES), ("refuses", '[{"source": "/ci"}]')):
        cluster.namespace(namespace, **{"modelswitch.dev/events": "allow"})
        allow(cluster, namespace, rules)
    cluster.namespace("silent")
    for namespace in ("takes", "refuses", "silent"):
        shared(cluster, namespace)
        subject = subject_of("shared", namespace)
        until(lambda subject=subject: ping(functions) or record(redis_url, subject).get("artifacts"), "it is known")
    data = written("gs://zoo/models", namespace=None, strategy="replace")
    answer = functions["artifact_written"].send(WRITTEN, None, data, id="zoo-1", source="/train/7")
    assert answer.status_code == 202
    assert [request["subject"] for request in requests_for(events)] == [subject_of("shared", "takes")]
    refusals = [entry for entry in entries_of(audit, "zoo-1") if entry.get("code")]
    assert {(entry["ref"], entry["code"]) for entry in refusals} == {
        (subject_of("shared", place), "EventsNotAllowed") for place in ("refuses", "silent")
    }
    for namespace in ("refuses", "silent"):
        data = written("gs://zoo/models/shared", namespace=namespace)
        functions["artifact_written"].send(WRITTEN, None, data, id=f"zoo-{namespace}", source="/train/7")
    assert len(requests_for(events)) == 1


def shared(cluster, namespace: str) -> None:
    cluster.model("shared", namespace)
    env = [{"name": "STORAGE_URI", "value": "gs://zoo/models/shared"}]
    container = {"name": "kserve-container", "image": "local/model:1", "env": env}
    url = f"{cluster.url}/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/shared"
    headers = {"content-type": "application/merge-patch+json"}
    HTTP.patch(url, json={"spec": {"predictor": {"containers": [container]}}}, headers=headers).raise_for_status()


# --- the note on a stopped model -------------------------------------------------------------------------------------


def write_note(cluster, name: str, note: dict | None) -> None:
    url = f"{cluster.url}/apis/serving.kserve.io/v1beta1/namespaces/fraud/inferenceservices/{name}"
    annotations = {"serving.kserve.io/stop": "true", "modelswitch.dev/stop": json.dumps(note) if note else None}
    headers = {"content-type": "application/merge-patch+json"}
    HTTP.patch(url, json={"metadata": {"annotations": annotations}}, headers=headers).raise_for_status()


def test_whoever_may_patch_a_model_starts_it_in_nobody_s_name(cluster, functions, redis_url, audit, running_model):
    subject = running_model("forged")
    ping(functions)
    until(lambda: record(redis_url, subject), "it is known")
    queued = {"source": "rest:ceo@bank", "id": "q1", "actor": "ceo@bank"}
    note = {"holds": [{"kind": "user", "actor": "ceo@bank"}], "source": "rest:ceo@bank", "command": "c1"}
    write_note(cluster, "forged", {**note, "since": "2026-01-01T00:00:00Z", "queued": queued})
    until(lambda: ping(functions) or cluster.stop_annotation("forged") is None, "the start that waits is done")
    mine = [entry for entry in audit() if entry["ref"] == subject]
    assert "start" in {entry["action"] for entry in mine}
    assert all("ceo" not in entry["actor"] and entry.get("source") != "rest:ceo@bank" for entry in mine)
    assert {entry.get("claimed_actor") for entry in mine if entry["action"] in {"stop", "start"}} == {"ceo@bank"}


def test_a_start_that_we_queued_ourselves_is_done_in_its_sender_s_name_after_redis_was_lost(
    cluster, functions, redis_url, audit, running_model
):
    """The note is all that is left then, and its signature proves it."""
    subject = running_model("queued")
    ping(functions)
    functions["command"].send(STOP, subject, {"timeout": "3s"}, id="q-stop", source="/cron").raise_for_status()
    functions["command"].send(START, subject, {"actor": "night"}, id="q-start", source="/cron").raise_for_status()
    if cluster.stop_annotation("queued") == "true":
        with redis.from_url(redis_url) as client:
            client.flushall()
    until(lambda: ping(functions) or cluster.stop_annotation("queued") is None, "it is started")
    starts = [entry for entry in audit() if entry["ref"] == subject and entry["action"] == "start"]
    assert {(entry["actor"], entry["claimed_actor"]) for entry in starts} == {("event:/cron", "night")}


def test_a_stop_keeps_its_name_after_redis_was_lost(cluster, functions, redis_url, running_model):
    subject = running_model("remembered")
    functions["command"].send(STOP, subject, {"actor": "night"}, id="r-stop", source="/cron").raise_for_status()
    with redis.from_url(redis_url) as client:
        client.flushall()
    until(lambda: ping(functions) or record(redis_url, subject).get("state") == "stopped", "it is stopped")
    hold = record(redis_url, subject)["holds"][0]
    assert (hold["actor"], hold["claimed_actor"]) == ("event:/cron", "night")
