package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

// demoSettings are the settings of a demonstration in a folder, with the stand-in for Make.com at that address. What the
// environment names for the same counts for nothing, and nothing else that could leave the machine is on.
func demoSettings(out, receiver, secret string) map[string]string {
	return map[string]string{
		"RETENTIONOPS_AUTH":                    "local",
		"RETENTIONOPS_WAREHOUSE":               outputs(out)["warehouse"],
		"RETENTIONOPS_ARCHIVE":                 fileURL(out, "archive"),
		"RETENTIONOPS_EXPORTS":                 fileURL(out, "exports"),
		"RETENTIONOPS_SHEETS":                  "",
		"RETENTIONOPS_MAIL":                    "",
		"RETENTIONOPS_WEBHOOK_URL":             receiver + "/hook",
		"RETENTIONOPS_WEBHOOK_SECRET":          secret,
		"RETENTIONOPS_WEBHOOK_SECRET_PREVIOUS": "",
		"RETENTIONOPS_WEBHOOK_API_KEY":         "",
	}
}

// stock fills the input tables, which the company's own SQL fills elsewhere.
func (c *command) stock(ctx context.Context, env *setup.Env, from source) (stocked loaded, err error) {
	defer func() {
		if closing := env.Close(); err == nil {
			err = closing
		}
	}()
	db, err := embedded(ctx, env)
	if err != nil {
		return stocked, err
	}
	return c.load(functions.WithReporter(ctx, c.showProgress), db, from)
}

// showStock tells a person what the shop is like.
func (c *command) showStock(stocked loaded) {
	if c.json {
		return
	}
	c.showImport(stocked.Import)
	if stocked.Generated != nil {
		for _, incident := range stocked.Generated.Incidents {
			c.printf("%s\n", c.paint(faint, incident))
		}
	}
	detection := stocked.Detection
	c.printf("%s\n\n", c.paint(faint, fmt.Sprintf("%s of %s; SQL1 to SQL5 as of %s in %.1f s, import included.",
		retention.Counted(detection.Orders, "order"), retention.Counted(detection.Customers, "customer"), detection.AsOf, float64(stocked.TookMS)/1000)))
}

// longestRun is how long a run may take on average (§15).
const longestRun = time.Minute

// stageTime is how long a run was in a stage.
type stageTime struct {
	Stage  string  `json:"stage"`
	TookMS float64 `json:"took_ms"`
}

// stopwatch times the stages of a call by its progress.
type stopwatch struct {
	now    func() time.Time
	began  time.Time
	stage  string
	since  time.Time
	stages []stageTime
}

// see notes a step of the call. Several of one stage are one.
func (w *stopwatch) see(p functions.Progress) {
	if p.Stage == w.stage {
		return
	}
	w.leave()
	w.stage = p.Stage
}

// leave ends the present stage.
func (w *stopwatch) leave() {
	now := w.now()
	if w.stage != "" {
		w.stages = append(w.stages, stageTime{w.stage, milliseconds(now.Sub(w.since))})
	}
	w.since = now
}

// stop tells how long the call and its stages took.
func (w *stopwatch) stop() (time.Duration, []stageTime) {
	w.leave()
	return w.since.Sub(w.began), w.stages
}

func milliseconds(took time.Duration) float64 { return float64(took.Microseconds()) / 1000 }

// showStages tells a person how long a run was in which stage, beside what §15 allows.
func (c *command) showStages(took time.Duration, stages []stageTime) {
	if len(stages) == 0 {
		return
	}
	parts := make([]string, len(stages))
	for i, stage := range stages {
		parts[i] = fmt.Sprintf("%s %.0f ms", stage.Stage, stage.TookMS)
	}
	c.printf("    %s\n", c.paint(faint, fmt.Sprintf("%s: %.1f s of the %.0f s that §15 allows",
		strings.Join(parts, ", "), took.Seconds(), longestRun.Seconds())))
}
