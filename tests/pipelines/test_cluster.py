"""`submit` and `schedule` against a stand-in for KFP's API server."""

import socket

import pytest
import yaml

from pipelines.__main__ import main

PURGE = ["purge", "--dataset", "0" * 64]
DATASET = ["dataset", "--source", "s3://bucket/videos", "--profile", "laptop", "--set", "cluster.tag=v1"]
SCHEDULE = ["schedule", *DATASET, "--cron", "30 3 * * mon-fri"]


def test_a_run_gets_its_parameters_and_a_version_that_holds_its_images(kfp, capsys):
    assert main(["submit", *DATASET, "--set", "augment.size=320x240", "--set", "cluster.registry=reg.example/m2m"]) == 0
    (run,) = kfp.runs.values()
    assert capsys.readouterr().out.strip() == f"run {run['run_id']}"
    sent = run["runtime_config"]["parameters"]
    assert sent["source"] == "s3://bucket/videos"
    assert sent["shards"] == 2
    assert sent["augment_params"]["size"] == "320x240"
    assert "cluster_params" not in sent
    version = kfp.versions[run["pipeline_version_reference"]["pipeline_version_id"]]
    executors = next(yaml.safe_load_all(version["text"]))["deploymentSpec"]["executors"]
    images = {e["container"]["image"] for e in executors.values()}
    assert images == {f"reg.example/m2m/{name}:v1" for name in ("base", "detect", "inpaint", "recover")}


def test_equal_pipelines_are_uploaded_once_and_others_are_versions_of_their_own(kfp):
    for more in ([], [], ["--set", "cluster.tag=v2"]):
        assert main(["submit", *DATASET, *more]) == 0
    assert len(kfp.pipelines) == 1 and len(kfp.experiments) == 1 and len(kfp.runs) == 3
    used = [run["pipeline_version_reference"]["pipeline_version_id"] for run in kfp.runs.values()]
    assert used[0] == used[1] != used[2]


def test_a_schedule_is_pinned_runs_once_at_a_time_and_catches_nothing_up(kfp, capsys):
    assert main([*SCHEDULE, "--timezone", "Asia/Kolkata"]) == 0
    (made,) = kfp.schedules.values()
    assert made["trigger"]["cron_schedule"]["cron"] == "0 0 22 * * 0,1,2,3,4"
    assert made["max_concurrency"] == "1" and made["no_catchup"] is True and made["mode"] == "ENABLE"
    assert made["pipeline_version_reference"]["pipeline_version_id"] in kfp.versions
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("m2m-dataset: new")
    assert len(said) == 4 and all("03:30 IST" in line for line in said[1:])


def test_saying_it_again_changes_it_and_leaves_others_alone(kfp, capsys):
    for name in ("a", "b", "c"):
        assert main([*SCHEDULE, "--name", name]) == 0
    before = dict(kfp.schedules)
    assert main([*SCHEDULE, "--name", "c"]) == 0
    assert kfp.schedules == before
    assert "c: unchanged" in capsys.readouterr().out
    kfp.log.clear()
    assert main([*SCHEDULE, "--name", "c", "--set", "curate.classes=3"]) == 0
    assert "c: changed" in capsys.readouterr().out
    assert sorted(s["display_name"] for s in kfp.schedules.values()) == ["a", "b", "c"]
    (changed,) = (s for s in kfp.schedules.values() if s["display_name"] == "c")
    assert changed["runtime_config"]["parameters"]["curate_params"]["classes"] == 3
    writes = [entry.split()[0] for entry in kfp.log if entry.startswith(("POST recurring", "DELETE recurring"))]
    assert writes == ["POST", "DELETE"]  # there is a schedule at every moment


def test_a_token_of_a_user_or_of_a_pod_is_shown(kfp, monkeypatch, tmp_path):
    kfp.token = "secret"
    (tmp_path / "token").write_text("secret")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    assert main(["submit", *PURGE]) == 0
    monkeypatch.delenv("KF_PIPELINES_SA_TOKEN_PATH")
    monkeypatch.setenv("KF_PIPELINES_TOKEN", "secret")
    assert main(["submit", *PURGE]) == 0
    assert len(kfp.runs) == 2


def failing(arguments: list[str], capsys) -> tuple[int, str]:
    code = main(arguments)
    return code, capsys.readouterr().err


def test_a_refused_token_is_the_users_and_says_what_to_set(kfp, capsys, monkeypatch):
    kfp.token = "secret"
    monkeypatch.setenv("KF_PIPELINES_TOKEN", "stale-token")
    code, text = failing(["submit", *PURGE], capsys)
    assert code == 1 and "refuses the token (401)" in text and "KF_PIPELINES_TOKEN" in text
    assert "stale-token" not in text


def test_a_server_that_is_down_or_broken_is_the_machines_fault(kfp, capsys):
    kfp.broken = True
    code, text = failing(["submit", *PURGE], capsys)
    assert code == 5 and "the database is gone" in text
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    code, text = failing(["submit", *PURGE, "--endpoint", address], capsys)
    assert code == 5 and f"{address} does not answer" in text and "Traceback" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit", *PURGE, "--endpoint", "kfp.example"], "is no address"),
        (["submit", *PURGE, "--ca", "/no/such/file"], "there is no file"),
        (["submit", "dataset", "--source", "."], "a cluster does not see"),
        (["submit", *DATASET, "--set", "cluster.tag=a b"], "tag is an image's tag"),
        (["submit", *DATASET, "--set", "cluster.gpu_pool=a100"], "gpu_pool: 'a100' is not KEY=VALUE"),
        (["submit", *DATASET, "--set", "ingest.shards=150"], "above half of 131071"),
        (["schedule", *DATASET, "--cron", "30 3 * *"], "is not five fields"),
        (["schedule", *DATASET, "--cron", "61 3 * * *"], "bad minute"),
        (["schedule", *DATASET, "--cron", "0 3 * * *", "--timezone", "Mars/Base"], "unknown time zone 'Mars/Base'"),
        (["schedule", *DATASET, "--cron", "0 3 * * *", "--timezone", "Europe/Berlin"], "cronScheduleTimezone"),
    ],
)
def test_mistakes_are_named_and_nothing_is_sent(kfp, capsys, arguments, message):
    code, text = failing(arguments, capsys)
    assert code == 1 and message in text
    assert not kfp.runs and not kfp.schedules and not kfp.pipelines


def test_no_endpoint_is_said(kfp, capsys, monkeypatch):
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT")
    code, text = failing(["submit", *PURGE], capsys)
    assert code == 1 and "no KFP endpoint is named" in text


def test_the_stand_in_refuses_what_the_description_does_not_know(kfp):
    import kfp_server_api

    api = kfp_server_api.RecurringRunServiceApi(
        kfp_server_api.ApiClient(kfp_server_api.Configuration(host=kfp.endpoint))
    )
    for wrong in ({"display_nam": "x"}, {"max_concurrency": True}, {"mode": "SOMETIMES"}):
        with pytest.raises(kfp_server_api.ApiException) as caught:
            api.recurring_run_service_create_recurring_run(wrong)
        assert caught.value.status == 400
