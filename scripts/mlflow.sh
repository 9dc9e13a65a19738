#!/bin/sh
# Opens MLflow's page on the runs of the demo, or of another folder of runs: scripts/mlflow.sh [FOLDER].
# MLFLOW_TRACKING_URI names another database, PORT another port than 5000.
set -eu
root=${1:-demo}
work=$root/work
port=${PORT:-5000}
uri=${MLFLOW_TRACKING_URI:-sqlite:///$(pwd)/$root/mlflow.db}
if test -z "${MLFLOW_TRACKING_URI:-}" && ! test -f "$root/mlflow.db"; then
  echo "there is no $root/mlflow.db: run make demo first" >&2
  exit 1
fi
log=$(mktemp)
export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
.venv/bin/mlflow server --backend-store-uri "$uri" --host 127.0.0.1 --port "$port" --workers 1 >"$log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 130' INT TERM
echo 'starting MLflow, which takes half a minute ...'
if ! .venv/bin/python -m m2m.comparison "$uri" "http://127.0.0.1:$port" "${work}/tracking"; then
  tail -n 3 "$log" >&2
  exit 1
fi
echo 'Stop with Ctrl-C.'
wait $server
