#!/usr/bin/env bash
# deploy.sh puts RetentionOps on Google Cloud and takes it off again. Every step may be repeated: what is there stays.
#
#   ./deploy.sh check           what is missing, and the command that mends it
#   ./deploy.sh plan            what "all" would do; changes nothing
#   ./deploy.sh all             accounts, rights, buckets, tables, functions, schedule
#   ./deploy.sh function NAME   one function again, such as trigger_playbook
#   ./deploy.sh rules           publish rules and templates to their buckets, checked first
#   ./deploy.sh schedule        the daily calls
#   ./deploy.sh disable         stop every side effect; the reading tools stay
#   ./deploy.sh enable          undo disable
#   ./deploy.sh destroy         take functions, accounts and schedule away; asks first; data stays
#   ./deploy.sh stage DIR NAME  only put together what is uploaded for a function
#
# Settings come from the environment or from .env beside this file (.env.example names them all); RETENTIONOPS_ENV_FILE
# names another one.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Each function: what it gets of the machine, and what it may do (rights and settings below follow from these words).
# Memory holds 100,000 customers with room to spare. The timeouts lie above those of the contract, below the scheduler's.
functions_table='
# name                   memory cpu concurrency instances timeout may
get_alert_decision       256Mi  1   20          3         60s     detection
get_operational_context  512Mi  1   5           3         60s     detection exclusions
build_priority_queue     1Gi    1   1           3         60s     detection exclusions queue-write archive
generate_brief           512Mi  1   5           3         60s     detection exclusions queue archive-read links
export_audience          512Mi  1   5           3         60s     detection exclusions queue archive-read exports sheets
trigger_playbook         1Gi    1   4           3         300s    detection exclusions queue-write archive exports sheets webhook mail
read_record              256Mi  1   20          3         90s     detection exclusions queue archive-read
check_health             256Mi  1   1           1         150s    queue archive mail
mcp_gateway              256Mi  1   20          3         310s    gateway
'
acting='build_priority_queue export_audience trigger_playbook'
behind_gateway="get_alert_decision get_operational_context generate_brief read_record $acting" # what acts too: its dry runs, and what was confirmed

apis='artifactregistry bigquery cloudbuild cloudfunctions cloudscheduler iam iamcredentials run secretmanager sheets storage'
runtime=go126
schedule_deadline=320s # longer than trigger_playbook may take

main() {
  load_settings
  case ${1:-} in
  check) check ;;
  plan) planning=yes && all ;;
  all) all ;;
  function) known "${2:-}" >/dev/null && deploy_function "$2" ;;
  rules) publish_rules ;;
  schedule) schedule ;;
  disable) disable ;;
  enable) enable ;;
  destroy) destroy ;;
  stage) known "${3:-}" >/dev/null && stage "${2:?a directory is needed}" "$3" ;;
  *) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 2 ;;
  esac
}

# --- words -----------------------------------------------------------------------------------------------------------

planning=no

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }
die() { printf 'deploy.sh: %s\n' "$*" >&2 && exit 1; }

# run does what changes something; with plan it only shows it.
run() {
  if [ "$planning" = yes ]; then
    printf '%q ' "$@"
    printf '\n'
  else
    "$@" </dev/null
  fi
}

# look asks and changes nothing; what cannot be asked counts as not there.
look() { "$@" </dev/null 2>/dev/null; }

# settle repeats a binding: an account that was made a moment ago is not known everywhere yet.
settle() {
  local attempt
  for attempt in 1 2 3; do
    run "$@" && return 0
    [ "$attempt" -eq 3 ] || { say "again in ${settle_seconds} s" && sleep "$settle_seconds"; }
  done
  return 1
}
settle_seconds=${RETENTIONOPS_SETTLE_SECONDS:-15}

# unless there, make: the first command asks, the rest after -- makes.
ensure() {
  local asking=()
  while [ "$1" != -- ]; do asking+=("$1") && shift; done
  shift
  look "${asking[@]}" >/dev/null || run "$@"
}

# --- settings --------------------------------------------------------------------------------------------------------

# load_settings reads .env as KEY=VALUE lines, without running them; what the environment says stands. A setting of ours
# that nobody reads is refused: a mistyped RETENTIONOPS_EXCLUSIONS would leave nobody out.
load_settings() {
  local line key file=${RETENTIONOPS_ENV_FILE:-$root/.env}
  if [ -f "$file" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in '' | '#'*) continue ;; esac
      key=${line%%=*}
      [[ $key =~ ^[A-Z][A-Z0-9_]*$ && $line == *=* ]] || die "$file: a line is no KEY=VALUE"
      [[ $key != RETENTIONOPS_* ]] || grep -Eq "^# ?${key}[=:]" "$root/.env.example" ||
        die "$file: no setting is named $key; .env.example names them all"
      [ -n "${!key+set}" ] || export "$key=${line#*=}"
    done <"$file"
  fi
  project=${RETENTIONOPS_PROJECT:-}
  region=${RETENTIONOPS_REGION:-europe-west1}
  warehouse=${RETENTIONOPS_WAREHOUSE:-}
  queue_dataset=$(dataset_of "${warehouse%%\?*}")
  detection_dataset=$(sed -n 's/.*[?&]inputs=\([^&]*\).*/\1/p' <<<"$warehouse" | tr . :)
  detection_dataset=${detection_dataset:-$queue_dataset}
  location=$(sed -n 's/.*[?&]location=\([^&]*\).*/\1/p' <<<"$warehouse")
}

# dataset_of turns bigquery://project/dataset into project:dataset, as bq writes it.
dataset_of() { sed -n 's#^bigquery://\([^/]*\)/\([^/?]*\)/*$#\1:\2#p' <<<"$1"; }

need_settings() {
  [ -n "$project" ] || die "RETENTIONOPS_PROJECT is not set: the project id"
  [ -n "$queue_dataset" ] || die "RETENTIONOPS_WAREHOUSE must be bigquery://PROJECT/DATASET, with ?inputs=PROJECT.DATASET where the detection lies elsewhere"
  case ${RETENTIONOPS_ARCHIVE:-} in gs://?*) ;; *) die "RETENTIONOPS_ARCHIVE must be gs://BUCKET/PREFIX" ;; esac
  case ${RETENTIONOPS_EXPORTS:-} in gs://?*) ;; *) die "RETENTIONOPS_EXPORTS must be gs://BUCKET/PREFIX" ;; esac
  local open
  for open in ${RETENTIONOPS_OPEN:-}; do known "$open" >/dev/null; done
  [ -z "${RETENTIONOPS_MCP_ISSUER:-}" ] || is_open mcp_gateway ||
    die "RETENTIONOPS_MCP_ISSUER is set: RETENTIONOPS_OPEN must name mcp_gateway, or the platform keeps the tokens from it"
}

bucket_of() { sed -n 's#^\(gs://[^/]*\).*#\1#p' <<<"${1:-}"; }

rows() { grep -v '^#' <<<"$functions_table" | grep .; }
names() { rows | awk '{print $1}'; }
column() { rows | awk -v name="$1" -v n="$2" '$1 == name {print $n}'; }
may() { rows | awk -v name="$1" '$1 == name {for (i = 7; i <= NF; i++) print $i}' | grep -qx "$2"; }
known() {
  names | grep -qx -- "$1" || die "no function is named \"$1\"; there are: $(names | xargs)"
  printf '%s' "$1"
}

is_open() { [[ " ${RETENTIONOPS_OPEN:-} " == *" $1 "* ]]; }

service() { printf '%s' "${1//_/-}"; }
entry_point() { if may "$1" gateway; then printf MCPGateway; else camel "$1"; fi; }
camel() { awk -F_ '{for (i = 1; i <= NF; i++) printf "%s%s", toupper(substr($i, 1, 1)), substr($i, 2)}' <<<"$1"; }

# account is the service account of a function or an invoker; ids have at most 30 characters.
account() { printf '%s@%s.iam.gserviceaccount.com' "$(account_id "$1")" "$project"; }
account_id() { printf 'rop-%s' "$(service "$1")"; }

# --- secrets: by reference only --------------------------------------------------------------------------------------

secrets_of() { # the settings of a function that are secrets
  if is_open "$1"; then keys_of "$1"; fi
  if may "$1" gateway && [ "${RETENTIONOPS_MCP_ACTIONS:-}" = true ]; then printf '%s\n' RETENTIONOPS_MCP_CONFIRM_KEYS; fi
  if may "$1" gateway && traces; then printf '%s\n' OTEL_EXPORTER_OTLP_HEADERS; fi
  if may "$1" exclusions && [ -n "${RETENTIONOPS_EXCLUSIONS:-}" ]; then printf '%s\n' RETENTIONOPS_EXCLUSIONS_KEY; fi
  if may "$1" mail && [ -n "${RETENTIONOPS_MAIL:-}" ]; then printf '%s\n' RETENTIONOPS_MAIL_PASSWORD; fi
  if may "$1" webhook; then
    printf '%s\n' RETENTIONOPS_WEBHOOK_URL RETENTIONOPS_WEBHOOK_SECRET RETENTIONOPS_WEBHOOK_SECRET_PREVIOUS RETENTIONOPS_WEBHOOK_API_KEY
  fi
}
traces() { [ -n "${OTEL_EXPORTER_OTLP_ENDPOINT:-}${OTEL_EXPORTER_OTLP_TRACES_ENDPOINT:-}${OTEL_EXPORTER_OTLP_METRICS_ENDPOINT:-}" ]; }
keys_of() { if may "$1" gateway; then printf 'RETENTIONOPS_MCP_KEYS\n'; else printf 'RETENTIONOPS_API_KEYS\n'; fi; }
all_secrets() { for_each_name secrets_of | sort -u; }
for_each_name() { local name; for name in $(names); do "$@" "$name" || true; done; }

secret_id() { tr 'A-Z_' 'a-z-' <<<"$1"; }

# newest is the number of a secret's newest version that is switched on; empty when there is none.
newest() {
  look gcloud secrets versions list "$(secret_id "$1")" --project="$project" --filter=state=enabled --sort-by=~createTime \
    --limit=1 '--format=value(name.basename())' || true
}

# --- check -----------------------------------------------------------------------------------------------------------

missing=0
ok() { printf 'ok       %s\n' "$1"; }
lacks() { printf 'missing  %s\n         mend it: %s\n' "$1" "$2" && missing=$((missing + 1)); }
holds() { # WHAT MEND COMMAND...
  local what=$1 mend=$2
  shift 2
  if look "$@" >/dev/null; then ok "$what"; else lacks "$what" "$mend"; fi
}

check() {
  local tool api name secret bucket table enabled
  for tool in gcloud bq go; do holds "$tool is installed" "see https://cloud.google.com/sdk/docs/install and https://go.dev/dl" command -v "$tool"; done
  need_settings
  holds "project $project is there and yours to see" "gcloud auth login; gcloud projects create $project" \
    gcloud projects describe "$project"
  holds "application default credentials, for the tables" "gcloud auth application-default login" \
    gcloud auth application-default print-access-token
  enabled=$(look gcloud services list --enabled --project="$project" '--format=value(config.name)' || true)
  for api in $apis; do
    if grep -qx "$api.googleapis.com" <<<"$enabled"; then ok "API $api"; else
      lacks "API $api" "gcloud services enable $api.googleapis.com --project=$project"
    fi
  done
  holds "dataset $queue_dataset" "bq mk --dataset${location:+ --location=$location} $queue_dataset" bq show --dataset "$queue_dataset"
  for table in alert_logic retention_snapshot churn_detection base_customers; do
    holds "input table $detection_dataset.$table" "let the detection write it; retentionops check names its columns" \
      bq show "$detection_dataset.$table"
  done
  for table in customer_priority ops_runs_log; do
    holds "table $queue_dataset.$table" "./deploy.sh all, or go run ./functions/cmd/retentionops schema apply" bq show "$queue_dataset.$table"
  done
  for bucket in $(buckets); do
    holds "bucket $bucket" "./deploy.sh all makes it" gcloud storage buckets describe "$bucket" --project="$project"
  done
  for secret in $(all_secrets); do
    if [ -n "$(newest "$secret")" ]; then ok "secret $(secret_id "$secret")"; else
      lacks "secret $(secret_id "$secret") ($(secret_use "$secret"))" "$(secret_command "$secret")"
    fi
  done
  [ "$missing" -eq 0 ] || { printf '%s missing\n' "$missing" && exit 1; }
}

secret_command() { printf 'gcloud secrets create %s --project=%s --data-file=FILE  (a new version: gcloud secrets versions add)' "$(secret_id "$1")" "$project"; }
secret_use() {
  case $1 in
  OTEL_*) printf 'when the collector asks for a key' ;;
  *_CONFIRM_KEYS) printf 'without it the gateway hides the tools that act' ;;
  *_PREVIOUS) printf 'only while the webhook secret is being changed' ;;
  *_WEBHOOK_API_KEY) printf 'when the hook at Make.com asks for a key' ;;
  *_WEBHOOK_*) printf 'needed from the pilot on' ;;
  *_EXCLUSIONS_KEY) printf 'when the exclusion list holds hashes' ;;
  *_MAIL_PASSWORD) printf 'when the mail server asks for one' ;;
  *) printf 'needed by the functions that RETENTIONOPS_OPEN names' ;;
  esac
}

buckets() {
  { bucket_of "$RETENTIONOPS_ARCHIVE"; bucket_of "$RETENTIONOPS_EXPORTS"; bucket_of "${RETENTIONOPS_RULES:-}"; bucket_of "${RETENTIONOPS_TEMPLATES:-}"; } |
    grep . | sort -u
}

# --- all -------------------------------------------------------------------------------------------------------------

all() {
  need_settings
  local name
  step "APIs"
  # shellcheck disable=SC2046,SC2086 # one argument each
  run gcloud services enable $(printf '%s.googleapis.com ' $apis) --project="$project"
  step "accounts"
  for name in build scheduler make $(names); do ensure_account "$name"; done
  step "buckets"
  for name in $(buckets); do make_bucket "$name"; done
  step "tables"
  ensure bq show --dataset "$queue_dataset" -- bq mk --dataset ${location:+"--location=$location"} "$queue_dataset"
  run go -C "$root" run ./functions/cmd/retentionops schema apply --warehouse "$warehouse"
  step "rights"
  project_role build roles/cloudbuild.builds.builder
  project_role build roles/logging.logWriter
  for name in $(names); do grant_data "$name"; done
  for name in $(names); do deploy_function "$name"; done
  step "who may call"
  enable_invokers
  schedule
  step "done"
  say "next: publish no rules yet, look at a first run: gcloud functions call trigger-playbook --gen2 --region=$region --project=$project --data='{}'"
}

ensure_account() {
  ensure gcloud iam service-accounts describe "$(account "$1")" --project="$project" -- \
    gcloud iam service-accounts create "$(account_id "$1")" --project="$project" "--display-name=RetentionOps ${1//_/ }"
}

# make_bucket makes a bucket that nobody can open to the public. What was exported goes after the days of the queue;
# the archive stays. Deleted audiences are gone at once, not kept for a week.
make_bucket() {
  local lifecycle=()
  ensure gcloud storage buckets describe "$1" --project="$project" -- \
    gcloud storage buckets create "$1" --project="$project" --location="${location:-$region}" \
    --uniform-bucket-level-access --public-access-prevention
  if [ "$1" = "$(bucket_of "$RETENTIONOPS_EXPORTS")" ] && [ "$1" != "$(bucket_of "$RETENTIONOPS_ARCHIVE")" ]; then
    printf '{"rule": [{"action": {"type": "Delete"}, "condition": {"age": %s}}]}\n' "${RETENTIONOPS_QUEUE_DAYS:-90}" >"$(scratch)/lifecycle.json"
    lifecycle=(--lifecycle-file="$(scratch)/lifecycle.json" --soft-delete-duration=0)
    run gcloud storage buckets update "$1" --project="$project" "${lifecycle[@]}"
  fi
}

project_role() {
  settle gcloud projects add-iam-policy-binding "$project" "--member=serviceAccount:$(account "$1")" "--role=$2" \
    --condition=None --format=none
}

# grant_dataset lets an account into one dataset. GRANT is the one way that bq and the console share.
grant_dataset() { # NAME ROLE DATASET
  # shellcheck disable=SC2016 # the backquotes are SQL's
  settle bq query "--project_id=$project" ${location:+"--location=$location"} --use_legacy_sql=false --format=none \
    "$(printf 'GRANT `%s` ON SCHEMA `%s` TO "serviceAccount:%s"' "$2" "$(tr : . <<<"$3")" "$(account "$1")")"
}

grant_bucket() { # NAME ROLE URL
  local bucket
  bucket=$(bucket_of "$3")
  [ -n "$bucket" ] || return 0
  settle gcloud storage buckets add-iam-policy-binding "$bucket" "--member=serviceAccount:$(account "$1")" "--role=$2" --format=none
}

# grant_data gives a function the rights that its words stand for, and no others.
grant_data() {
  local name=$1 secret
  if ! may "$name" gateway; then project_role "$name" roles/bigquery.jobUser; fi
  if may "$name" detection; then grant_dataset "$name" roles/bigquery.dataViewer "$detection_dataset"; fi
  if may "$name" queue; then grant_dataset "$name" roles/bigquery.dataViewer "$queue_dataset"; fi
  if may "$name" queue-write; then grant_dataset "$name" roles/bigquery.dataEditor "$queue_dataset"; fi
  if may "$name" archive; then grant_bucket "$name" roles/storage.objectUser "$RETENTIONOPS_ARCHIVE"; fi
  if may "$name" archive-read; then grant_bucket "$name" roles/storage.objectViewer "$RETENTIONOPS_ARCHIVE"; fi
  if may "$name" exports; then grant_bucket "$name" roles/storage.objectUser "$RETENTIONOPS_EXPORTS"; fi
  if may "$name" links; then grant_bucket "$name" roles/storage.objectViewer "$RETENTIONOPS_EXPORTS"; fi
  if may "$name" exclusions; then grant_bucket "$name" roles/storage.objectViewer "${RETENTIONOPS_EXCLUSIONS:-}"; fi
  if ! may "$name" gateway; then
    grant_bucket "$name" roles/storage.objectViewer "${RETENTIONOPS_RULES:-}"
    grant_bucket "$name" roles/storage.objectViewer "${RETENTIONOPS_TEMPLATES:-}"
  fi
  for secret in $(secrets_of "$name"); do
    if [ -z "$(newest "$secret")" ]; then
      say "note: the secret $(secret_id "$secret") is not there ($(secret_use "$secret")); $name goes without"
      continue
    fi
    settle gcloud secrets add-iam-policy-binding "$(secret_id "$secret")" --project="$project" \
      "--member=serviceAccount:$(account "$name")" --role=roles/secretmanager.secretAccessor --format=none
  done
}

# --- functions -------------------------------------------------------------------------------------------------------

scratch_dir=
scratch() {
  if [ -z "$scratch_dir" ]; then die "no scratch folder"; fi
  printf '%s' "$scratch_dir"
}
make_scratch() { scratch_dir=$(mktemp -d) && trap 'rm -rf "$scratch_dir"' EXIT; }

# settings_of are the plain settings of a function, as NAME=VALUE lines; those that are empty are left out.
settings_of() {
  local name=$1 setting settings='WAREHOUSE RULES TEMPLATES TIMEZONE QUEUE_DAYS MAX_BODY ARCHIVE'
  if may "$name" exclusions; then settings+=' EXCLUSIONS'; fi
  if may "$name" exports; then settings+=' EXPORTS CSV_DELIMITER CSV_BOM'; fi
  if may "$name" links; then settings+=' EXPORTS'; fi
  if may "$name" sheets; then settings+=' SHEETS SHEETS_DAYS'; fi
  if may "$name" mail; then settings+=' MAIL MAIL_FROM'; fi
  if may "$name" gateway; then
    settings='MCP_ORIGINS MCP_RATE MCP_ACTIONS MCP_READ_ONLY MCP_REQUIRE_HUMAN'
    printf 'RETENTIONOPS_MCP_HOSTS=%s\nRETENTIONOPS_MCP_FUNCTIONS=%s\n' "${RETENTIONOPS_MCP_HOSTS:-.run.app .cloudfunctions.net}" "$(gateway_functions)"
    if traces; then telemetry_settings; fi
  fi
  if is_open "$name" && may "$name" gateway; then
    printf 'RETENTIONOPS_AUTH=key\n'
    if [ -n "${RETENTIONOPS_MCP_ISSUER:-}" ]; then
      settings+=' MCP_ISSUER MCP_JWKS'
      printf 'RETENTIONOPS_MCP_PUBLIC_URL=%s\n' "$public_url"
    fi
  elif is_open "$name"; then
    printf 'RETENTIONOPS_AUTH=key\nRETENTIONOPS_AUDIENCE=%s\nRETENTIONOPS_INVOKERS=%s,%s\n' \
      "$(audience "$name")" "$(account scheduler)" "$(account mcp_gateway)"
  else
    printf 'RETENTIONOPS_AUTH=iam\n'
  fi
  if [[ " $behind_gateway " == *" $name "* ]]; then printf 'RETENTIONOPS_GATEWAY=%s\n' "$(account mcp_gateway)"; fi
  for setting in $settings; do
    setting=RETENTIONOPS_$setting
    [ -z "${!setting:-}" ] || printf '%s=%s\n' "$setting" "${!setting}"
  done
  printf 'GOOGLE_CLOUD_PROJECT=%s\n' "$project" # by it a line of the log finds its trace
  printf 'RETENTIONOPS_VERSION=%s\n' "$(git -C "$root" rev-parse --short=12 HEAD 2>/dev/null || printf unknown)"
}

# telemetry_settings are OpenTelemetry's variables that are no secret. The names are OpenTelemetry's own.
telemetry_settings() {
  local setting
  for setting in EXPORTER_OTLP_ENDPOINT EXPORTER_OTLP_TRACES_ENDPOINT EXPORTER_OTLP_METRICS_ENDPOINT EXPORTER_OTLP_PROTOCOL \
    EXPORTER_OTLP_TIMEOUT EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE SERVICE_NAME SDK_DISABLED RESOURCE_ATTRIBUTES TRACES_SAMPLER TRACES_SAMPLER_ARG; do
    setting=OTEL_$setting
    [ -z "${!setting:-}" ] || printf '%s=%s\n' "$setting" "${!setting}"
  done
}

# gateway_functions names, for the gateway, where each function is and whom its token is made out to.
gateway_functions() {
  local name url all=''
  for name in $behind_gateway; do
    url=$(url_of "$name")
    all+="${all:+ }$name=$url"
    if is_open "$name"; then all+="|$(audience "$name")"; fi
  done
  printf '%s' "$all"
}

# find_public_url sets the address that tokens for the gateway are made out to: the one that is given, else the one that
# the platform has given it.
public_url=
find_public_url() {
  public_url=${RETENTIONOPS_MCP_PUBLIC_URL:-}
  if [ -z "$public_url" ]; then
    public_url=$(address_of mcp_gateway) && [ -n "$public_url" ] || [ "$planning" = yes ] ||
      die "RETENTIONOPS_MCP_PUBLIC_URL is not set, and the gateway has no address yet: set it to https://HOST/mcp, or deploy the gateway once without RETENTIONOPS_MCP_ISSUER"
    public_url=${public_url:-https://URL-OF-$(service mcp_gateway)}/mcp
  fi
}

# audience is whom an identity token for an open function is made out to. The platform does not check it there, the
# door does; a private function takes its address, as the platform demands.
audience() { printf 'retentionops:%s:%s' "$project" "$(service "$1")"; }

deploy_function() {
  need_settings
  local name=$1 stage secret version secrets='' door=--no-allow-unauthenticated flags=()
  stage=$(scratch)/$name
  step "function $name"
  if may "$name" gateway && [ -n "${RETENTIONOPS_MCP_ISSUER:-}" ]; then find_public_url; fi
  if [ "$planning" = no ]; then stage "$stage" "$name"; fi
  settings_of "$name" | sed 's/\\/\\\\/g; s/"/\\"/g; s/^\([^=]*\)=\(.*\)$/\1: "\2"/' >"$stage.env.yaml"
  for secret in $(secrets_of "$name"); do
    version=$(newest "$secret")
    [ -z "$version" ] || secrets+="${secrets:+,}$secret=$(secret_id "$secret"):$version"
  done
  if [ -n "$secrets" ]; then flags+=("--set-secrets=$secrets"); else flags+=(--clear-secrets); fi
  if is_open "$name"; then
    secret=$(keys_of "$name")
    # A gateway that takes tokens needs no bearer beside them.
    [ -n "$(newest "$secret")" ] || [ "$planning" = yes ] || { may "$name" gateway && [ -n "${RETENTIONOPS_MCP_ISSUER:-}" ]; } ||
      die "$name is to be open, and the secret $(secret_id "$secret") is not there: $(secret_command "$secret")"
    door=--allow-unauthenticated
  else
    close_door "$name"
  fi
  run gcloud functions deploy "$(service "$name")" --gen2 --project="$project" --region="$region" --runtime="$runtime" \
    --source="$stage" --entry-point="$(entry_point "$name")" --trigger-http "$door" --ingress-settings=all \
    --service-account="$(account "$name")" --build-service-account="projects/$project/serviceAccounts/$(account build)" \
    --memory="$(column "$name" 2)" --cpu="$(column "$name" 3)" --concurrency="$(column "$name" 4)" \
    --min-instances=0 --max-instances="$(column "$name" 5)" --timeout="$(column "$name" 6)" \
    --env-vars-file="$stage.env.yaml" "${flags[@]}" "--set-build-env-vars=GOOGLE_GOLDFLAGS=-s -w" \
    --update-labels="app=retentionops,function=$(service "$name")" --serve-all-traffic-latest-revision \
    --runtime-update-policy=automatic --quiet '--format=value(serviceConfig.uri)'
}

# close_door takes the public's right away from a function that was open, before a revision runs that asks for no key.
close_door() {
  local members
  members=$(members_of "$1") || [ "$planning" = yes ] || die "who may call $1 cannot be looked at: it is not deployed"
  if grep -qx allUsers <<<"$members"; then invoker remove "$1" allUsers; fi
}

# stage puts what one function is built from into DIR: its own files and those that it links, go.mod, go.sum, and one
# generated file on top that registers it. Tests, tools and the embedded warehouse stay behind.
stage() {
  local dir=$1 package=functions/$2 module files file count=0
  if may "$2" gateway; then package=mcp; fi
  module=$(cd "$root" && go list -m)
  # As deployed: a Mac would list its own files. The dollars are of a Go template.
  # shellcheck disable=SC2016
  files=$(cd "$root" && GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go list -deps -f '{{if and .Module .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}{{end}}' "./$package")
  mkdir -p "$dir"
  while IFS= read -r file; do
    [ -n "$file" ] || continue
    mkdir -p "$dir/$(dirname "${file#"$root"/}")"
    cp "$file" "$dir/${file#"$root"/}"
    count=$((count + 1))
  done <<<"$files"
  [ "$count" -gt 0 ] || die "$package is built from no file"
  cp "$root/go.mod" "$root/go.sum" "$dir/"
  cat >"$dir/function.go" <<GO
// Code generated by deploy.sh. DO NOT EDIT.

// Package function is what the platform builds: the framework, and the door of one function.
package function

import (
	_ "github.com/GoogleCloudPlatform/functions-framework-go/functions"
	_ "$module/$package"
)
GO
}

# --- who may call, and when ------------------------------------------------------------------------------------------

invoker() { # add|remove NAME MEMBER
  run gcloud functions "$1-invoker-policy-binding" "$(service "$2")" --project="$project" --region="$region" "--member=$3"
}

# members_of names who may call a function, one a line; nobody when it is not there. It fails when that cannot be told.
members_of() {
  local services
  look gcloud run services get-iam-policy "$(service "$1")" --project="$project" --region="$region" \
    '--flatten=bindings[].members' '--format=value(bindings.members)' && return 0
  services=$(services) || return 1
  ! grep -qx -- "$(service "$1")" <<<"$services"
}

services() { look gcloud run services list --project="$project" --region="$region" '--format=value(metadata.name)'; }

# jobs names the scheduler's jobs, each with its state behind it.
jobs_there() { look gcloud scheduler jobs list --project="$project" --location="$region" '--format=value(name.basename(),state)'; }

# The scheduler calls two functions; Make.com's account (the keyless way) calls the six tools; the gateway those behind it.
enable_invokers() {
  local name
  invoker add trigger_playbook "serviceAccount:$(account scheduler)"
  invoker add check_health "serviceAccount:$(account scheduler)"
  for name in $(names); do
    if is_open "$name"; then invoker add "$name" allUsers; fi
    case $name in read_record | check_health | mcp_gateway) continue ;; esac
    invoker add "$name" "serviceAccount:$(account make)"
  done
  for name in $behind_gateway; do invoker add "$name" "serviceAccount:$(account mcp_gateway)"; done
}

# address_of is the address that the platform has given a function; empty when it is not deployed.
address_of() {
  look gcloud functions describe "$(service "$1")" --gen2 --project="$project" --region="$region" '--format=value(serviceConfig.uri)' || true
}

url_of() {
  local url
  url=$(address_of "$1")
  if [ -z "$url" ] && [ "$planning" = yes ]; then url="https://URL-OF-$(service "$1")"; fi
  [ -n "$url" ] || die "$1 is not deployed: ./deploy.sh function $1"
  printf '%s' "$url"
}

schedule() {
  need_settings
  step "schedule"
  job retentionops-daily trigger_playbook "${RETENTIONOPS_SCHEDULE:-0 6 * * *}"
  job retentionops-health check_health "${RETENTIONOPS_HEALTH_SCHEDULE:-0 8 * * *}"
}

job() { # JOB FUNCTION WHEN
  local url aud verb=create headers=--headers
  url=$(url_of "$2")
  aud=$url
  if is_open "$2"; then aud=$(audience "$2"); fi
  if look gcloud scheduler jobs describe "$1" --project="$project" --location="$region" >/dev/null; then
    verb=update headers=--update-headers
  fi
  run gcloud scheduler jobs "$verb" http "$1" --project="$project" --location="$region" "--schedule=$3" \
    --time-zone="${RETENTIONOPS_TIMEZONE:-Etc/UTC}" "--uri=$url/" --http-method=POST "$headers=Content-Type=application/json" \
    '--message-body={}' --oidc-service-account-email="$(account scheduler)" "--oidc-token-audience=$aud" \
    --attempt-deadline="$schedule_deadline" --max-retry-attempts=3 --min-backoff=30s
}

disable() {
  need_settings
  local name job member members jobs
  for job in retentionops-daily retentionops-health; do
    try run gcloud scheduler jobs pause "$job" --project="$project" --location="$region"
  done
  for name in $acting; do
    for member in $(callers); do
      try invoker remove "$name" "$member"
    done
  done
  # What found nothing to change and what failed look the same: only what is there now counts.
  still=0
  if ! jobs=$(jobs_there); then acts "whether the schedule is paused cannot be told"; fi
  for job in retentionops-daily retentionops-health; do
    if grep -Eq "^${job}[[:space:]]+ENABLED" <<<"$jobs"; then acts "$job is not paused"; fi
  done
  for name in $acting; do
    if ! members=$(members_of "$name"); then acts "who may call $name cannot be told"; fi
    for member in $(callers); do
      if grep -qxF -- "$member" <<<"$members"; then acts "$member may still call $name"; fi
    done
  done
  [ "$still" -eq 0 ] || die 'not disabled. Mend what is named above and repeat, or set "phase: disabled" in rules/rollout.yaml and put it in force'
  say "nothing acts any more: the schedule is paused and nobody may call $acting. The reading tools stay on."
  say "also set \"phase: disabled\" in rules/rollout.yaml when people with rights of their own call the functions. Undo: ./deploy.sh enable"
}

# callers are all whom we ever let call a function.
callers() { printf 'allUsers %s' "$(printf 'serviceAccount:%s ' "$(account make)" "$(account scheduler)" "$(account mcp_gateway)")"; }

still=0
acts() { say "STILL ON: $1" && still=$((still + 1)); }

# try goes on after a command that found nothing to change.
try() { "$@" || say "note: nothing to change there, or it did not work"; }

enable() {
  need_settings
  enable_invokers
  local job
  for job in retentionops-daily retentionops-health; do
    run gcloud scheduler jobs resume "$job" --project="$project" --location="$region"
  done
}

destroy() {
  need_settings
  local name job jobs services answer=${RETENTIONOPS_CONFIRM_DESTROY:-}
  if [ -z "$answer" ] && [ -t 0 ]; then
    printf 'This deletes the functions, accounts and schedule of RetentionOps in %s. Type the project id to go on: ' "$project"
    read -r answer
  fi
  [ "$answer" = "$project" ] || die "nothing was deleted (without a terminal: RETENTIONOPS_CONFIRM_DESTROY=$project)"
  for job in retentionops-daily retentionops-health; do
    try run gcloud scheduler jobs delete "$job" --project="$project" --location="$region" --quiet
  done
  for name in $(names); do
    try run gcloud functions delete "$(service "$name")" --gen2 --project="$project" --region="$region" --quiet
  done
  still=0
  if ! jobs=$(jobs_there) || ! services=$(services); then acts "what is left cannot be told"; fi
  for job in retentionops-daily retentionops-health; do
    if grep -Eq "^$job([[:space:]]|\$)" <<<"${jobs:-}"; then acts "$job is there"; fi
  done
  for name in $(names); do
    if grep -qx -- "$(service "$name")" <<<"${services:-}"; then acts "$name is there"; fi
  done
  [ "$still" -eq 0 ] || die "not all was deleted, and no account was; mend what is named above and repeat"
  for name in build scheduler make $(names); do
    try run gcloud iam service-accounts delete "$(account "$name")" --project="$project" --quiet
  done
  say "left: the tables in $queue_dataset, the buckets $(buckets | xargs) and the secrets. To delete them too:"
  say "  bq rm -r --dataset $queue_dataset"
  for name in $(buckets); do say "  gcloud storage rm --recursive $name"; done
  for name in $(all_secrets); do say "  gcloud secrets delete $(secret_id "$name") --project=$project"; done
}

# --- rules -----------------------------------------------------------------------------------------------------------

# publish_rules checks what stands here and puts it where the functions look. They take it up within minutes, or keep
# the last that was sound.
publish_rules() {
  need_settings
  local command=(go -C "$root" run ./functions/cmd/retentionops)
  case ${RETENTIONOPS_RULES:-}${RETENTIONOPS_TEMPLATES:-} in
  *gs://*) ;;
  *) die "neither RETENTIONOPS_RULES nor RETENTIONOPS_TEMPLATES names a bucket (gs://BUCKET/rules): the functions have the files built in, deploy them" ;;
  esac
  local published published_at other same
  for published in RULES TEMPLATES; do
    for other in RULES TEMPLATES ARCHIVE EXPORTS; do
      same=RETENTIONOPS_$other
      same=${!same:-} published_at=RETENTIONOPS_$published
      same=${same%%\?*} published_at=${!published_at:-}
      [ "$published" = "$other" ] || [ -z "$published_at" ] || [ "${published_at%/}" != "${same%/}" ] ||
        die "RETENTIONOPS_$published and RETENTIONOPS_$other name the same folder: publishing would delete what else is there"
    done
  done
  "${command[@]}" rules check rules
  "${command[@]}" rules test --rules rules
  "${command[@]}" brief check brief_templates
  publish "$root/rules" '*.yaml' "${RETENTIONOPS_RULES:-}"
  publish "$root/brief_templates" '*.tmpl' "${RETENTIONOPS_TEMPLATES:-}"
}

publish() { # FOLDER PATTERN URL
  local copy
  case $3 in gs://*) ;; *) return 0 ;; esac
  copy=$(scratch)/$(basename "$1")
  mkdir -p "$copy"
  find "$1" -maxdepth 1 -name "$2" -exec cp {} "$copy/" \;
  run gcloud storage rsync "$copy" "${3%/}" --delete-unmatched-destination-objects --cache-control=no-store
}

make_scratch
main "$@"
