package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/playbook"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/functions/internal/shop"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// fault is a row of §14 that the demonstration plays twice: out of order, and mended.
type fault struct {
	name    string
	row     string            // of §14
	broken  string            // what is out of order
	mended  string            // what is different the second time
	trouble shop.Trouble      // of the receiver
	ports   map[string]string // settings that name a port which is out of order
	waits   setup.Waits       // while it is out of order
	early   bool              // the day is too early for a baseline
	want    promise
	next    []string // what a person can do then, with {run} and {date}
}

// promise is how the run of a fault must end, by §14 and the closed table of outcomes.
type promise struct {
	status   functions.RunStatus
	delivery functions.DeliveryState
	exit     int
	attempts int    // at the webhook
	mailTo   string // the role; empty: nobody
	waiting  int    // rows that the warehouse did not take
	again    string // how the second run ends, in words
}

// everyFault stands for all of them.
const everyFault = "all"

// The deadlines of the demonstration, openly shorter than those of a real run.
const (
	demoAnswer       = time.Second
	demoBetween      = 200 * time.Millisecond
	demoStatement    = 250 * time.Millisecond
	demoFirstPause   = 50 * time.Millisecond
	demoPauseGrowing = 2
)

const sentOnce = "success, delivery confirmed"

var faults = []fault{
	{
		name: "webhook-500", row: "Make.com webhook failure", trouble: shop.ScenarioFails,
		broken: "the scenario fails before it posts, and Make.com answers 500", mended: "the scenario is repaired",
		waits: setup.Waits{WebhookPause: demoBetween},
		want: promise{
			status: functions.RunFailed, delivery: functions.DeliveryUnconfirmed, exit: exitFailed, attempts: 3,
			mailTo: functions.RetentionTeam, again: sentOnce,
		},
		next: []string{"runs show {run}", "runs list", "health"},
	},
	{
		name: "webhook-timeout", row: "Make.com webhook failure", trouble: shop.AnswerLost,
		broken: "the scenario posts, and its answer never comes", mended: "answers come again",
		waits: setup.Waits{Webhook: demoAnswer, WebhookPause: demoBetween},
		want: promise{
			status: functions.RunFailed, delivery: functions.DeliveryUnknown, exit: exitFailed, attempts: 3,
			mailTo: functions.RetentionTeam, again: sentOnce,
		},
		next: []string{"runs show {run}", "runs list", "health"},
	},
	{
		name: "webhook-accepted", row: "Make.com webhook failure", trouble: shop.SwitchedOff,
		broken: "the scenario is switched off: Make.com queues the message and answers 200, a bare Accepted",
		mended: "somebody switches it on again, and it works its queue",
		want: promise{
			status: functions.RunFailed, delivery: functions.DeliveryUnconfirmed, exit: exitFailed, attempts: 1,
			mailTo: functions.RetentionTeam, again: sentOnce,
		},
		next: []string{"runs show {run}", "runs list", "health"},
	},
	{
		name: "sheets-down", row: "Google Sheets upload failure", ports: map[string]string{"RETENTIONOPS_SHEETS": shop.SheetsDown},
		broken: "Google Sheets takes nothing", mended: "the day is triggered again: it was sent, and nothing is sent twice",
		want: promise{status: functions.RunSuccess, delivery: functions.DeliveryConfirmed, attempts: 1, again: "the first result"},
		next: []string{"runs show {run}", "runs list"},
	},
	{
		name: "warehouse-timeout", row: "BigQuery timeout", ports: map[string]string{"RETENTIONOPS_WAREHOUSE": shop.WarehouseTimeout},
		broken: "no statement of the warehouse ends in time", mended: "the warehouse answers again",
		waits: setup.Waits{
			Warehouse: demoStatement, WarehousePauses: []time.Duration{
				demoFirstPause, demoPauseGrowing * demoFirstPause, demoPauseGrowing * demoPauseGrowing * demoFirstPause,
			},
		},
		want: promise{
			status: functions.RunFailed, delivery: functions.DeliveryNone, exit: exitFailed,
			mailTo: functions.DataTeam, waiting: 2, again: sentOnce,
		},
		next: []string{"runs reconcile", "runs show {run}", "runs list"},
	},
	{
		name: "no-baseline", row: "No baseline available (day 1-7)", early: true,
		broken: "it is the fourth day with orders, and a baseline needs seven before it", mended: "it is day 8",
		want: promise{status: functions.RunSkipped, delivery: functions.DeliveryNone, exit: exitSkipped, again: "a baseline is there"},
		next: []string{"runs show {run}", "call get_alert_decision --date latest"},
	},
}

// faultNames lists the faults for a person.
func faultNames() string {
	names := make([]string, len(faults))
	for i, fault := range faults {
		names[i] = fault.name
	}
	return strings.Join(names, ", ")
}

// playFaults plays one fault, or counts what comes of all of them.
func (c *command) playFaults(ctx context.Context, name string, times int, from source, out string) error {
	at := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
	switch {
	case at < 0 && name != everyFault:
		return functions.Errorf(functions.InvalidArgument, "there is no fault %q", name).WithHint("faults: " + faultNames() + ", or " + everyFault)
	case name == everyFault && (from.orders != "" || from.date != ""):
		return functions.Errorf(functions.InvalidArgument, "--fault all makes up shops of its own").WithHint("leave --orders and --date out, or name one fault")
	case times < 1 || times > mostTrials:
		return functions.Errorf(functions.InvalidArgument, "--times must be from 1 to %d", mostTrials)
	case name == everyFault:
		return c.playTrials(ctx, times, from.customers, out)
	case times != 1:
		return functions.Errorf(functions.InvalidArgument, "--times goes with --fault all").WithHint("one fault is played once")
	case faults[at].early && from.date != "":
		return functions.Errorf(functions.InvalidArgument, "%s finds its own day", name).WithHint("leave --date out")
	}
	return c.playFault(ctx, faults[at], from, out)
}

// demoMail are the stand-in's addresses: nobody real is written to, whoever the rules name.
var demoMail = rulebook.Mail{RetentionTeam: []string{"retention-team@example.com"}, DataTeam: []string{"data-team@example.com"}}

// addressee is who has a role in the demonstration.
func addressee(role string) string {
	if role == functions.DataTeam {
		return demoMail.DataTeam[0]
	}
	return demoMail.RetentionTeam[0]
}

// shortened tells openly which deadlines and pauses are shorter than those of a real run.
func (f fault) shortened() []string {
	var told []string
	tell := func(what string, usual, here any) {
		told = append(told, fmt.Sprintf("%s: %v -> %v", what, usual, here))
	}
	if f.waits.Webhook > 0 {
		tell("an answer of the webhook", playbook.DefaultAnswer, f.waits.Webhook)
	}
	if f.waits.WebhookPause > 0 {
		tell("the pause between two attempts at the webhook", playbook.DefaultBetween, f.waits.WebhookPause)
	}
	if f.waits.Warehouse > 0 {
		tell("an attempt at a statement", warehouse.AttemptTimeout, f.waits.Warehouse)
		tell("the pauses between attempts at a statement", warehouse.Pauses(), f.waits.WarehousePauses)
		// The deadlines around them stay: four attempts of a whole minute do not fit into a run.
		told = append(told, "a run of which each attempt lasts its whole minute is over in the third; here all four are seen")
	}
	return told
}

// env makes the environment of an act: with the ports of the fault, or in order.
func (s *scene) env(date functions.Date, broken bool) *setup.Env {
	settings := demoSettings(s.out, s.hook.URL, s.secret)
	settings["RETENTIONOPS_MAIL"] = s.mailbox.URL()
	settings["RETENTIONOPS_MAIL_PASSWORD"] = ""
	settings["RETENTIONOPS_MAIL_FROM"] = "RetentionOps <retentionops@example.com>"
	if broken {
		maps.Copy(settings, s.fault.ports)
	}
	options := s.options(settings, functions.PhaseProduction)
	options.Today, options.Mail = date, &demoMail
	if broken {
		options.Waits = s.fault.waits
	}
	return setup.New(options)
}
