// Package triggerplaybook is the door of trigger_playbook: it registers the entry point, links the drivers that this
// function needs and no other, and puts the runner of playbooks together. It decides nothing itself.
package triggerplaybook

import (
	"context"
	"net/http"
	"os"

	framework "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/gcsarchive"
	"github.com/retentionops/retentionops/functions/internal/audience"
	_ "github.com/retentionops/retentionops/functions/internal/destination/filedestination"
	_ "github.com/retentionops/retentionops/functions/internal/destination/gcsdestination"
	_ "github.com/retentionops/retentionops/functions/internal/destination/sheetsdestination"
	_ "github.com/retentionops/retentionops/functions/internal/mail/smtpmail"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/setup"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
)

func init() {
	env := setup.FromProcess(door.NewLogger(os.Stderr))
	framework.HTTP(functions.TriggerPlaybook.EntryPoint, door.Drained(Handler(env)).ServeHTTP)
}

// Handler serves trigger_playbook in the given environment.
func Handler(env *setup.Env) http.Handler {
	desk := &desk{env: env, client: &http.Client{}}
	return door.Handle(door.For(env), functions.TriggerPlaybook,
		func(ctx context.Context, in functions.TriggerPlaybookInput) (out functions.TriggerPlaybookOutput, err error) {
			runner, err := desk.runner(ctx)
			if err != nil {
				if !in.DryRun {
					desk.writeDown(ctx, err)
				}
				return out, err
			}
			return runner.Run(ctx, in)
		})
}

// desk puts runners together.
type desk struct {
	env    *setup.Env
	client *http.Client // kept: every run uses its connections again
}

// writeDown writes down a run that could not even begin. Where the warehouse cannot be opened its row waits in the
// archive; without that the request's own log line is all there is.
func (d *desk) writeDown(ctx context.Context, cause error) {
	papers, err := d.env.Archive(ctx)
	if err != nil {
		return
	}
	log, err := d.env.Log(ctx)
	if err != nil {
		log = &runlog.Log{Warehouse: runlog.Absent{Cause: err}, Archive: papers, Logger: d.env.Logger(), Now: d.env.Now}
	}
	post := &playbook.Post{Archive: papers, Open: d.env.Mail, Logger: d.env.Logger(), Now: d.env.Now}
	post.Unbegun(ctx, log, cause)
}

// runner is the runner of one call. It resolves the day itself.
func (d *desk) runner(ctx context.Context) (*playbook.Runner, error) {
	day, err := d.env.Day(ctx, "")
	if err != nil {
		return nil, err
	}
	papers, err := d.env.Archive(ctx)
	if err != nil {
		return nil, err
	}
	templates, err := d.env.Templates(ctx)
	if err != nil {
		return nil, err
	}
	log, err := d.env.Log(ctx)
	if err != nil {
		return nil, err
	}
	webhook, err := setup.ReadSettings[playbook.Config](ctx, d.env)
	if err != nil {
		return nil, err
	}
	csv, err := setup.ReadSettings[audience.Settings](ctx, d.env)
	if err != nil {
		return nil, err
	}
	config, err := d.env.Config(ctx)
	if err != nil {
		return nil, err
	}
	target := functions.TargetCSV
	if config.Sheets != "" {
		target = functions.TargetBoth // the file stands in when the sheet fails (§14)
	}
	return &playbook.Runner{
		Alert: day.Decider, Customers: day.Warehouse,
		Exclusions: func(ctx context.Context) (priority.Exclusions, error) { return d.env.Exclusions(ctx) },
		Book:       day.Book, Templates: templates,
		Builder: &priority.Builder{Queues: day.Warehouse, Archive: papers, Now: d.env.Now, KeepDays: day.KeepDays},
		Exporter: &audience.Exporter{
			Warehouse: day.Warehouse, CSV: d.env.Exports, Sheets: d.env.Sheets, CSVAt: config.Exports, SheetsAt: config.Sheets,
			Settings: csv, Logger: d.env.Logger(),
		},
		Target: target, RulesStale: d.env.RulesStale(), Answer: d.env.Waits().Webhook, Between: d.env.Waits().WebhookPause,
		Log: log, Archive: papers, Client: d.client, Config: webhook, Mail: d.env.Mail, Logger: d.env.Logger(), Now: d.env.Now, NewID: d.env.NewID,
	}, nil
}
