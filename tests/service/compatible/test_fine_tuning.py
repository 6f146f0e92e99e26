"""The stock `openai` client, against the running service."""

import openai
import pytest

from tests.conftest import wait_until


@pytest.fixture(scope="module")
def sdk(server):
    with openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0) as sdk:
        yield sdk


def created(sdk, penguins, **more):
    fields = {"metadata": {"target": "species", "team": "birds"}, "seed": 7, "suffix": "tuned"}
    return sdk.fine_tuning.jobs.create(model="sigmoid", training_file=penguins, **(fields | more))


def test_the_client_creates_watches_and_lists(sdk, client, penguins):
    job = created(sdk, penguins, method={
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 12, "learning_rate_multiplier": 2.0}},
    })  # fmt: skip
    assert job.hyperparameters.n_epochs == 12
    wait_until(lambda: sdk.fine_tuning.jobs.retrieve(job.id).status == "succeeded", 60)
    done = sdk.fine_tuning.jobs.retrieve(job.id)
    name, version = done.fine_tuned_model.split(":")
    spec = client.get(f"/v1/models/{name}/versions/{version}").json()["lineage"]["spec"]
    assert spec["training"]["optimizer"]["learning_rate"] == pytest.approx(0.006)
    assert (done.seed, done.training_file, done.model) == (7, penguins, "sigmoid")
    assert done.metadata == {"target": "species", "team": "birds"}

    events = list(sdk.fine_tuning.jobs.list_events(job.id, limit=1))  # pages by itself
    assert [event.created_at for event in events] == sorted(
        (event.created_at for event in events), reverse=True
    )
    assert len(events) == 3
    second = created(sdk, penguins, hyperparameters={"n_epochs": 2})
    listed = [one.id for one in sdk.fine_tuning.jobs.list(metadata={"team": "birds"}, limit=1)]
    assert listed[:2] == [second.id, job.id]


def test_the_client_pauses_resumes_and_cancels(sdk, penguins):
    job = created(sdk, penguins, hyperparameters={"n_epochs": 100_000, "batch_size": 1})
    jobs = sdk.fine_tuning.jobs
    wait_until(lambda: jobs.retrieve(job.id).status == "running", 60)
    jobs.pause(job.id)
    wait_until(lambda: jobs.retrieve(job.id).status == "paused", 60)
    assert len(jobs.checkpoints.list(job.id).data) >= 1
    assert jobs.resume(job.id).status in ("queued", "running")
    jobs.cancel(job.id)
    wait_until(lambda: jobs.retrieve(job.id).status == "cancelled", 60)
    with pytest.raises(openai.ConflictError):
        jobs.pause(job.id)


def test_errors_are_those_the_client_knows(sdk, penguins):
    with pytest.raises(openai.NotFoundError) as missing:
        sdk.fine_tuning.jobs.retrieve("job_nobody")
    assert missing.value.code == "not-found"
    with pytest.raises(openai.NotFoundError):
        created(sdk, "ds_nobody")
    with pytest.raises(openai.UnprocessableEntityError) as invalid:
        created(sdk, penguins, metadata={})
    assert invalid.value.param == "/metadata/target"
    with pytest.raises(openai.UnprocessableEntityError):
        created(sdk, penguins, metadata={"target": "nothing"})
