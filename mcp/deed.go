package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// deed is a call that needs a confirmation.
type deed interface {
	// settled is the call with nothing left open: the day that it is about, and what the contract fills in. A day that it
	// names itself stays.
	settled(day functions.Date) deed
	// rehearse finds out what the call would do now, and changes nothing.
	rehearse(ctx context.Context, g *Gateway, report func(functions.Progress)) (rehearsal, error)
	// expecting is the call that refuses when it would do anything else than what was shown.
	expecting(plan string) deed
}

// rehearsal is what a call would do.
type rehearsal struct {
	day   functions.Date
	plan  string // its digest, which the function compares; empty where it has none
	words string // for a person, and not the caller's
}

// errNoPlan is a fault of a function: without a digest nothing would hold what runs to what was shown.
var errNoPlan = errors.New("the dry run holds no plan with a digest")

// readDeed reads the arguments of a call as strictly as the function does.
func readDeed(tool *functions.Tool, input json.RawMessage) (deed, error) {
	switch tool {
	case functions.ExportAudience:
		in, err := door.Decode[functions.ExportAudienceInput](tool, input)
		return export{in}, err
	case functions.TriggerPlaybook:
		in, err := door.Decode[functions.TriggerPlaybookInput](tool, input)
		if in.Replay != "" {
			return replay{in}, err
		}
		return playbook{in}, err
	default:
		return nil, fmt.Errorf("%s cannot be confirmed", tool.Name)
	}
}

// dayOf is the day that a call names, or else the one that it was found to mean.
func dayOf(named functions.DateRef, day functions.Date) functions.DateRef {
	if named == "" || named == functions.Latest {
		return functions.DateRef(day.String())
	}
	return named
}

// export is a call of export_audience.
type export struct{ functions.ExportAudienceInput }

func (e export) settled(day functions.Date) deed {
	e.Date = dayOf(e.Date, day)
	e.Destination = cmp.Or(e.Destination, functions.Targets[0])
	if e.Limit == nil {
		e.Limit = new(functions.DefaultLimit)
	}
	return e
}

func (e export) expecting(plan string) deed { e.ExpectDigest = plan; return e }

func (e export) rehearse(ctx context.Context, g *Gateway, report func(functions.Progress)) (rehearsal, error) {
	in := e.ExportAudienceInput
	in.DryRun = true
	var out functions.ExportAudienceOutput
	if err := g.ask(ctx, functions.ExportAudience, in, &out, report); err != nil {
		return rehearsal{}, err
	}
	if out.Digest == "" {
		return rehearsal{}, errNoPlan
	}
	words := fmt.Sprintf("Export %d of the %s in %s of %s to %s.%s", out.RowsExported, counted(out.RowsAvailable, "customer"), out.Tier, out.Date,
		where(cmp.Or(in.Destination, functions.Targets[0])), leftOutText(out.LeftOut))
	return rehearsal{day: out.Date, plan: out.Digest, words: words + guardText(out.Guardrails) + overrideText(in.Override)}, nil
}

func where(target functions.Target) string {
	switch target {
	case functions.TargetGSheet:
		return "a Google Sheet"
	case functions.TargetBoth:
		return "a CSV file and a Google Sheet"
	default:
		return "a CSV file"
	}
}

// playbook is a call of trigger_playbook for a day.
type playbook struct{ functions.TriggerPlaybookInput }

func (p playbook) settled(day functions.Date) deed {
	p.Date = dayOf(p.Date, day)
	return p
}

func (p playbook) expecting(plan string) deed { p.ExpectDigest = plan; return p }

func (p playbook) rehearse(ctx context.Context, g *Gateway, report func(functions.Progress)) (rehearsal, error) {
	in := p.TriggerPlaybookInput
	in.DryRun = true
	var out functions.TriggerPlaybookOutput
	if err := g.ask(ctx, functions.TriggerPlaybook, in, &out, report); err != nil {
		return rehearsal{}, err
	}
	if out.Plan == nil || out.Plan.Digest == "" {
		return rehearsal{}, errNoPlan
	}
	words := []string{fmt.Sprintf("Run the playbook of %s (%s, phase %s): %s.", out.Date, out.Severity, out.Phase, strings.TrimRight(out.Reason, ". "))}
	words = append(words, planText(out.Plan))
	switch {
	case in.Resend && out.Plan.Sends:
		words = append(words, "RESEND: a day that was sent already is sent again, under a new id, and people are notified again.")
	case in.Resend:
		words = append(words, "RESEND: a day that was worked already is worked again.")
	}
	return rehearsal{
		day: out.Date, plan: out.Plan.Digest, words: strings.Join(words, " ") + guardText(out.Guardrails) + overrideText(in.Override),
	}, nil
}

// replay is a call of trigger_playbook that sends a stored message again. The message is as it was, so there is no digest
// to hold it against.
type replay struct{ functions.TriggerPlaybookInput }

func (r replay) settled(functions.Date) deed { return r }

func (r replay) expecting(string) deed { return r }

func (r replay) rehearse(ctx context.Context, g *Gateway, _ func(functions.Progress)) (rehearsal, error) {
	out, err := g.record(ctx, functions.ReadRecordInput{Record: functions.RecordRun, RunID: r.Replay})
	if err != nil {
		return rehearsal{}, err
	}
	if len(out.Runs) != 1 || out.Runs[0].AlertDate == nil {
		return rehearsal{}, functions.Errorf(functions.FailedPrecondition, "run %s stored no message and sent none", r.Replay).
			WithHint("there is nothing to send again; trigger its day")
	}
	run := out.Runs[0]
	words := fmt.Sprintf("REPLAY: send the stored message of run %s again as it is (%s, %s, phase %s; it ended as %s, delivery %s). "+
		"Who received it may be notified again.", run.RunID, run.AlertDate, cmp.Or(string(run.Severity), "no severity"),
		cmp.Or(string(run.Phase), "none"), run.Status, cmp.Or(string(run.DeliveryState), "none"))
	return rehearsal{day: *run.AlertDate, words: words}, nil
}

// overrideText says of an override what it does, and whose words it holds.
func overrideText(o *functions.Override) string {
	if o == nil {
		return ""
	}
	return fmt.Sprintf(" OVERRIDE: should a guardrail stop this, it is passed all the same. The caller says that %q decides so, because %q; the log keeps both.",
		o.By, o.Why)
}
