"""A stand-in for KFP's API server: keeps what it is given, and refuses what KFP's OpenAPI description does not know.

The description is read from `kfp_server_api`, which is generated from it: names, types and enumerations of every field,
and the query parameters of every call.
"""

import http.server
import inspect
import json
import re
import threading
import urllib.parse
import uuid
from email.parser import BytesParser
from typing import Any

import jsonschema
import kfp_server_api

SCALARS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "datetime": "string"}


def schema(kind: str) -> dict[str, Any]:
    """The JSON schema of a type as the generated models write it; unknown fields are refused."""
    if kind in SCALARS:
        return {"type": SCALARS[kind]}
    if kind == "object":
        return {}
    if found := re.fullmatch(r"list\[(.+)\]", kind):
        return {"type": "array", "items": schema(found[1])}
    if found := re.fullmatch(r"dict\(str, (.+)\)", kind):
        return {"type": "object", "additionalProperties": schema(found[1])}
    model = getattr(kfp_server_api, kind)
    if hasattr(model, "allowable_values"):
        return {"enum": model.allowable_values}
    if kind == "GooglerpcStatus":
        return {"type": "object"}
    fields = {model.attribute_map[name]: schema(of) for name, of in model.openapi_types.items()}
    return {"type": "object", "properties": fields, "additionalProperties": False}


def query_names(api: type, call: str) -> set[str]:
    """The query parameters of a call."""
    return set(
        re.findall(r"query_params\.append\(\('([^']+)'", inspect.getsource(getattr(api, f"{call}_with_http_info")))
    )


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KFP:
    """A server on loopback.

    Attributes:
        token: What it wants as a bearer; empty for nothing.
        broken: Answers 500 to everything.
        runs, schedules, pipelines, versions, experiments: What it holds, by id.
        deleted: Ids of schedules in the order in which they went.
    """

    def __init__(self, token: str = "") -> None:
        self.token, self.broken = token, False
        self.runs: dict[str, dict] = {}
        self.schedules: dict[str, dict] = {}
        self.pipelines: dict[str, dict] = {}
        self.versions: dict[str, dict] = {}
        self.experiments: dict[str, dict] = {}
        self.log: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            do_POST = do_DELETE = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        try:
            if self.broken:
                raise Refused(500, "the database is gone")
            if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
                raise Refused(401, "who are you?")
            status, reply = 200, self.route(request, body)
        except Refused as refused:
            status, reply = refused.status, {"error": str(refused), "code": refused.status}
        except jsonschema.ValidationError as error:
            status, reply = 400, {"error": f"not as described: {error.message} at {error.json_path}"}
        text = json.dumps(reply).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def route(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> dict:
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        path = url.path.removeprefix("/apis/v2beta1/")
        self.log.append(f"{request.command} {path}")
        for method, pattern, api, call, model, do in self.calls():
            if method == request.command and (found := re.fullmatch(pattern, path)):
                unknown = set(query) - query_names(api, call)
                if unknown:
                    raise Refused(400, f"unknown query parameters {sorted(unknown)}")
                if model:
                    sent = json.loads(body)
                    jsonschema.validate(sent, schema(model))
                    return do(sent, *found.groups())
                if path.startswith("pipelines/upload"):
                    return do(query, self.uploaded(request, body))
                return do(query, *found.groups())
        raise Refused(404, f"no such call: {request.command} {path}")

    def calls(self) -> list[tuple]:
        pipelines, uploads = kfp_server_api.PipelineServiceApi, kfp_server_api.PipelineUploadServiceApi
        schedules, runs = kfp_server_api.RecurringRunServiceApi, kfp_server_api.RunServiceApi
        experiments, p, r = kfp_server_api.ExperimentServiceApi, "pipeline_service_", "recurring_run_service_"
        e = "experiment_service_"
        return [
            ("GET", "experiments", experiments, e + "list_experiments", "", self.list("experiments")),
            ("POST", "experiments", experiments, e + "create_experiment", "V2beta1Experiment", self.experiment),
            ("GET", "pipelines", pipelines, p + "list_pipelines", "", self.list("pipelines")),
            ("POST", "pipelines/upload", uploads, "upload_pipeline", "", self.upload),
            ("POST", "pipelines/upload_version", uploads, "upload_pipeline_version", "", self.upload_version),
            ("GET", "pipelines/([^/]+)/versions", pipelines, p + "list_pipeline_versions", "", self.list_versions),
            ("POST", "runs", runs, "run_service_create_run", "V2beta1Run", self.run),
            ("GET", "runs", runs, "run_service_list_runs", "", self.list_runs),
            ("GET", "recurringruns", schedules, r + "list_recurring_runs", "", self.list_schedules),
            ("POST", "recurringruns", schedules, r + "create_recurring_run", "V2beta1RecurringRun", self.schedule),
            ("DELETE", "recurringruns/([^/]+)", schedules, r + "delete_recurring_run", "", self.delete_schedule),
        ]

    @staticmethod
    def uploaded(request: http.server.BaseHTTPRequestHandler, body: bytes) -> str:
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
        (part,) = BytesParser().parsebytes(head + body).get_payload()
        return part.get_payload(decode=True).decode()

    def list(self, name: str):
        def do(query: dict) -> dict:
            found = list(getattr(self, name).values())
            for wanted in json.loads(query.get("filter", "{}")).get("predicates", []):
                key = {"name": "display_name"}.get(wanted["key"], wanted["key"])
                value = wanted.get("string_value", wanted.get("stringValue"))
                found = [one for one in found if one.get(key) == value]
            return {name: found}

        return do

    def list_versions(self, query: dict, pipeline: str) -> dict:
        return self.page(
            "pipeline_versions", [v for v in self.versions.values() if v["pipeline_id"] == pipeline], query
        )

    def list_schedules(self, query: dict) -> dict:
        found = [s for s in self.schedules.values() if s["experiment_id"] == query.get("experiment_id")]
        return self.page("recurringRuns", found, query)

    def list_runs(self, query: dict) -> dict:
        return self.page("runs", [r for r in self.runs.values() if r["experiment_id"] == query["experiment_id"]], query)

    @staticmethod
    def page(name: str, found: list, query: dict) -> dict:
        """Two at a time, so that whoever forgets to ask on is found out."""
        begin = int(query.get("page_token") or 0)
        more = {"next_page_token": str(begin + 2)} if begin + 2 < len(found) else {}
        return {name: found[begin : begin + 2], **more}

    def experiment(self, sent: dict) -> dict:
        return self.keep(self.experiments, "experiment_id", sent)

    def upload(self, query: dict, text: str) -> dict:
        made = self.keep(self.pipelines, "pipeline_id", {"display_name": query["name"]})
        self.upload_version({"name": query["name"], "pipelineid": made["pipeline_id"]}, text)
        return made

    def upload_version(self, query: dict, text: str) -> dict:
        if query["pipelineid"] not in self.pipelines:
            raise Refused(404, "no such pipeline")
        made = {"display_name": query["name"], "pipeline_id": query["pipelineid"]}
        kept = self.keep(self.versions, "pipeline_version_id", made)
        self.versions[kept["pipeline_version_id"]]["text"] = text
        return made

    def run(self, sent: dict) -> dict:
        self.version(sent)
        return self.keep(self.runs, "run_id", sent)

    def schedule(self, sent: dict) -> dict:
        self.version(sent)
        fields = sent["trigger"]["cron_schedule"]["cron"].split()
        if len(fields) != 6 or not 1 <= int(sent["max_concurrency"]) <= 10:
            raise Refused(400, "cron has six fields, and at most ten runs run at a time")
        return self.keep(self.schedules, "recurring_run_id", sent)

    def delete_schedule(self, _: dict, run: str) -> dict:
        if self.schedules.pop(run, None) is None:
            raise Refused(404, "no such schedule")
        return {}

    def version(self, sent: dict) -> None:
        said = sent["pipeline_version_reference"]
        held = self.versions.get(said["pipeline_version_id"])
        if held is None or held["pipeline_id"] != said["pipeline_id"] or sent["experiment_id"] not in self.experiments:
            raise Refused(404, "no such version or experiment")

    @staticmethod
    def keep(where: dict, key: str, sent: dict) -> dict:
        sent[key] = str(uuid.uuid4())
        where[sent[key]] = sent
        return dict(sent)
