package setup

// Setting is one variable of the environment that some part of RetentionOps reads.
type Setting struct {
	Name    string
	Meaning string
	Default string // as it would be written; empty when there is none
	Secret  bool   // never shown, and never in a file that is kept
	Deploy  bool   // read by deploy.sh alone
	Group   string
}

// The groups of settings, in the order of .env.example.
const (
	groupPorts    = "Where things are"
	groupCallers  = "Who may call"
	groupGateway  = "The gateway for assistants (MCP)"
	groupTraces   = "OpenTelemetry: what the gateway did, for a collector"
	groupRules    = "Rules and templates"
	groupWebhook  = "The playbook's webhook"
	groupMail     = "Mail"
	groupPeople   = "Who is never contacted"
	groupExports  = "Exports"
	groupDeploy   = "deploy.sh"
	groupPlatform = "Set by the platform and by deploy.sh"
)

// Settings are all settings. A test holds them against what the code reads.
var Settings = []Setting{
	{Name: "RETENTIONOPS_WAREHOUSE", Group: groupPorts, Meaning: "duckdb:file, or bigquery://PROJECT/DATASET[?inputs=PROJECT.DATASET&location=EU&max_bytes_billed=N]"},
	{Name: "RETENTIONOPS_ARCHIVE", Group: groupPorts, Meaning: "file:dir or gs://BUCKET/PREFIX: claims, stored messages, briefs, rule files by version"},
	{Name: "RETENTIONOPS_EXPORTS", Group: groupPorts, Meaning: "file:dir or gs://BUCKET/PREFIX[?signer=ACCOUNT]: where CSV audiences go"},
	{Name: "RETENTIONOPS_SHEETS", Group: groupPorts, Meaning: "sheets://SPREADSHEET_ID, shared with the function's account: where sheets go; empty: no sheets"},
	{Name: "RETENTIONOPS_SHEETS_DAYS", Group: groupPorts, Default: "90", Meaning: "days that a tab of an old audience is kept"},
	{Name: "RETENTIONOPS_TIMEZONE", Group: groupPorts, Default: "UTC", Meaning: "which day \"today\" is, such as Europe/Berlin"},
	{Name: "RETENTIONOPS_QUEUE_DAYS", Group: groupPorts, Default: "90", Meaning: "days of queue that are kept"},

	{Name: "RETENTIONOPS_AUTH", Group: groupCallers, Meaning: "iam (the platform has verified the caller), key (X-API-Key) or local (this machine alone); empty: closed. deploy.sh sets it"},
	{Name: "RETENTIONOPS_API_KEYS", Group: groupCallers, Secret: true, Meaning: "for key: name:scope:sum, several with commas; scope read, act or read+act; sum: printf %s KEY | sha256sum"},
	{Name: "RETENTIONOPS_MAX_BODY", Group: groupCallers, Default: "1048576", Meaning: "bytes of a request's body"},

	{Name: "RETENTIONOPS_MCP_KEYS", Group: groupGateway, Secret: true, Meaning: "for key: bearers of assistants, name:read:sum, several with commas; two of one person while a key is being changed"},
	{Name: "RETENTIONOPS_MCP_ISSUER", Group: groupGateway, Meaning: "for key: the authorization server whose access tokens (JWT) are taken, https://…, beside the bearers or in their place"},
	{Name: "RETENTIONOPS_MCP_PUBLIC_URL", Group: groupGateway, Meaning: "the gateway's address as clients type it, https://HOST/mcp: tokens must be made out to it. deploy.sh asks gcloud when empty"},
	{Name: "RETENTIONOPS_MCP_JWKS", Group: groupGateway, Meaning: "where that server's keys are; empty: its metadata says"},
	{Name: "RETENTIONOPS_MCP_HOSTS", Group: groupGateway, Meaning: "names by which it is reached; .example.com stands for all below. deploy.sh takes .run.app .cloudfunctions.net when empty"},
	{Name: "RETENTIONOPS_MCP_ORIGINS", Group: groupGateway, Meaning: "web pages that may call it, such as https://chat.example.com; empty: none"},
	{Name: "RETENTIONOPS_MCP_RATE", Group: groupGateway, Default: "60", Meaning: "calls a minute of one caller to one tool, in each instance; 0: no limit"},
	{Name: "RETENTIONOPS_MCP_ACTIONS", Group: groupGateway, Default: "false", Meaning: "true: callers with the scope act are offered the tools that act, others their dry runs; needs RETENTIONOPS_MCP_CONFIRM_KEYS"},
	{Name: "RETENTIONOPS_MCP_READ_ONLY", Group: groupGateway, Default: "false", Meaning: "true: no tool that acts is offered, whatever else is set"},
	{Name: "RETENTIONOPS_MCP_REQUIRE_HUMAN", Group: groupGateway, Default: "false", Meaning: "true: nothing acts for a client that cannot ask a person (elicitation)"},
	{Name: "RETENTIONOPS_MCP_CONFIRM_KEYS", Group: groupGateway, Secret: true, Meaning: "seals confirmations: 32 random bytes in hex or base64 (openssl rand -hex 32); two with a comma while it is being changed, the new one first"},

	{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Group: groupTraces, Meaning: "a collector that takes OTLP over HTTP, such as https://otel.example.com:4318; empty: nothing is sent. OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG and OTEL_RESOURCE_ATTRIBUTES hold too"},
	{Name: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Group: groupTraces, Meaning: "for spans, in its place: the whole address with its path"},
	{Name: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", Group: groupTraces, Meaning: "for measurements, in its place: the whole address with its path"},
	{Name: "OTEL_EXPORTER_OTLP_HEADERS", Group: groupTraces, Secret: true, Meaning: "what the collector asks for: NAME=VALUE, several with commas, values as in a URL (authorization=Bearer%20KEY)"},
	{Name: "OTEL_EXPORTER_OTLP_PROTOCOL", Group: groupTraces, Default: "http/protobuf", Meaning: "no other is spoken"},
	{Name: "OTEL_EXPORTER_OTLP_TIMEOUT", Group: groupTraces, Default: "10000", Meaning: "milliseconds for one message to the collector; the end of a call waits for half a second at most"},
	{Name: "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", Group: groupTraces, Default: "cumulative", Meaning: "delta where the collector wants each message to count from the one before"},
	{Name: "OTEL_SERVICE_NAME", Group: groupTraces, Meaning: "as what the gateway is shown; empty: retentionops-mcp"},
	{Name: "OTEL_SDK_DISABLED", Group: groupTraces, Default: "false", Meaning: "true: nothing is sent, whatever else is set"},

	{Name: "RETENTIONOPS_RULES", Group: groupRules, Meaning: "a folder or gs://BUCKET/PREFIX that stands in for the rules built in"},
	{Name: "RETENTIONOPS_TEMPLATES", Group: groupRules, Meaning: "a folder or gs://BUCKET/PREFIX that stands in for the templates built in"},

	{Name: "RETENTIONOPS_WEBHOOK_URL", Group: groupWebhook, Secret: true, Meaning: "https; http only on this machine"},
	{Name: "RETENTIONOPS_WEBHOOK_SECRET", Group: groupWebhook, Secret: true, Meaning: "signs the message: whsec_ and base64 of 24 to 64 random bytes"},
	{Name: "RETENTIONOPS_WEBHOOK_SECRET_PREVIOUS", Group: groupWebhook, Secret: true, Meaning: "the one before, while it is being changed"},
	{Name: "RETENTIONOPS_WEBHOOK_API_KEY", Group: groupWebhook, Secret: true, Meaning: "sent as x-make-apikey"},

	{Name: "RETENTIONOPS_MAIL", Group: groupMail, Meaning: "smtps://USER@HOST:465 or smtp://USER@HOST:587 (STARTTLS); empty: no mail is sent"},
	{Name: "RETENTIONOPS_MAIL_FROM", Group: groupMail, Meaning: "the sender: retention@example.com or RetentionOps <retention@example.com>"},
	{Name: "RETENTIONOPS_MAIL_PASSWORD", Group: groupMail, Secret: true, Meaning: "of that user"},

	{Name: "RETENTIONOPS_EXCLUSIONS", Group: groupPeople, Meaning: "file:///dir/list.csv, gs://BUCKET/dir/list.csv or table:NAME beside the detection's tables; empty: nobody is left out"},
	{Name: "RETENTIONOPS_EXCLUSIONS_KEY", Group: groupPeople, Secret: true, Meaning: "of keyed hashes in the list, at least 16 bytes"},

	{Name: "RETENTIONOPS_CSV_DELIMITER", Group: groupExports, Default: "comma", Meaning: "comma, semicolon (at which Excel in Europe splits) or tab"},
	{Name: "RETENTIONOPS_CSV_BOM", Group: groupExports, Default: "no", Meaning: "begin with a byte order mark: yes or no"},

	{Name: "RETENTIONOPS_PROJECT", Group: groupDeploy, Deploy: true, Meaning: "the Google Cloud project"},
	{Name: "RETENTIONOPS_REGION", Group: groupDeploy, Deploy: true, Default: "europe-west1", Meaning: "where the functions run"},
	{Name: "RETENTIONOPS_OPEN", Group: groupDeploy, Deploy: true, Meaning: "tools that Make.com calls with X-API-Key, such as \"get_alert_decision trigger_playbook\"; mcp_gateway: assistants, with a bearer; empty: none is open"},
	{Name: "RETENTIONOPS_SCHEDULE", Group: groupDeploy, Deploy: true, Default: "0 6 * * *", Meaning: "when trigger_playbook is called, after the detection; in RETENTIONOPS_TIMEZONE"},
	{Name: "RETENTIONOPS_HEALTH_SCHEDULE", Group: groupDeploy, Deploy: true, Default: "0 8 * * *", Meaning: "when check_health is called"},
	{Name: "RETENTIONOPS_ENV_FILE", Group: groupDeploy, Deploy: true, Default: ".env", Meaning: "the file with these settings"},
	{Name: "RETENTIONOPS_SETTLE_SECONDS", Group: groupDeploy, Deploy: true, Default: "15", Meaning: "the wait before a right is given again to an account that is not known everywhere yet"},
	{Name: "RETENTIONOPS_CONFIRM_DESTROY", Group: groupDeploy, Deploy: true, Meaning: "the project id, to let destroy go on without a terminal"},

	{Name: "RETENTIONOPS_VERSION", Group: groupPlatform, Meaning: "the commit, for the health line"},
	{Name: "RETENTIONOPS_MCP_FUNCTIONS", Group: groupPlatform, Meaning: "for the gateway: NAME=URL[|AUDIENCE] of each function, separated by spaces"},
	{Name: "RETENTIONOPS_AUDIENCE", Group: groupPlatform, Meaning: "for key: whom an identity token must be made out to"},
	{Name: "RETENTIONOPS_INVOKERS", Group: groupPlatform, Meaning: "for key: accounts that may show an identity token in place of a key"},
	{Name: "RETENTIONOPS_GATEWAY", Group: groupPlatform, Meaning: "the gateway's account: whose word on who asks a function believes"},
}
