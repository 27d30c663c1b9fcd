package cli

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

//go:embed health_page.html.tmpl
var healthPageFile string

//go:embed health_page.css
var healthPageStyle string

// healthPage escapes every value for its place.
var healthPage = template.Must(template.New("health_page.html.tmpl").Parse(healthPageFile))

// healthView is what the page shows.
type healthView struct {
	functions.CheckHealthOutput
	Policy                string
	Style                 template.CSS
	Looked                string
	Verdict, VerdictClass string
	Charts                []dayChart
	Figures               []pageFigure
	Alarms                []pageAlarm
}

type pageFigure struct {
	functions.HealthFigure
	Shown, TargetText, VerdictText, Against string
}

type pageAlarm struct {
	functions.HealthAlarm
	Since, Condition, Told, Runs string
}

// writeHealthPage writes the health as a page of its own.
func writeHealthPage(file string, out functions.CheckHealthOutput) error {
	var written bytes.Buffer
	if err := healthPage.Execute(&written, viewOf(out)); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	if err := os.WriteFile(file, written.Bytes(), 0o600); err != nil {
		return notWritable(file, err)
	}
	return nil
}

func viewOf(out functions.CheckHealthOutput) healthView {
	v := healthView{
		CheckHealthOutput: out, Policy: pagePolicy(healthPageStyle), Style: template.CSS(healthPageStyle), //nolint:gosec // the style is ours
		Looked: out.CheckedAt.UTC().Format(time.RFC1123),
	}
	var standing, missed []string
	for _, figure := range out.Figures {
		text := map[functions.FigureVerdict]string{
			functions.TargetMet: "met", functions.TargetMissed: "missed", functions.TargetUnknown: "not known yet", functions.TargetNone: "",
		}[figure.Verdict]
		if figure.Verdict == functions.TargetMissed {
			missed = append(missed, figure.Name)
		}
		v.Figures = append(v.Figures, pageFigure{figure, figureText(figure), targetText(figure), text, strings.Join(figure.RunIDs, " ")})
	}
	for _, alarm := range out.Alarms {
		if alarm.State == functions.AlarmStanding {
			standing = append(standing, alarm.Name)
		}
		v.Alarms = append(v.Alarms, pageAlarm{alarm, alarmSince(alarm), alarmCondition(alarm), alarmTold(alarm), strings.Join(alarm.RunIDs, " ")})
	}
	switch {
	case len(standing) > 0:
		v.Verdict, v.VerdictClass = "Alarms stand: "+strings.Join(standing, ", ")+".", "standing"
	case len(missed) > 0:
		v.Verdict, v.VerdictClass = "No alarm stands. Targets are missed: "+strings.Join(missed, ", ")+".", "missed"
	default:
		v.Verdict = "No alarm stands, and no target is missed."
	}
	v.Charts = []dayChart{
		runsChart(out.Days), successChart(out.Days, targetOf(out.Figures, "success_rate")), secondsChart(out.Days, targetOf(out.Figures, "mean_seconds")),
	}
	return v
}

// dayChart is a picture with a column a day.
type dayChart struct {
	ID, Title, Text, Caption         string
	Width, Height, Left, Right, Base int
	LabelX, TopY                     int
	Top                              string // the highest value, at the axis
	Bars                             []dayBar
	Marks                            []dayMark
	Target                           *targetLine
	Days                             []dayLabel

	most   float64
	column float64
}

type dayBar struct{ Class, X, Y, Width, Height, Text string }

type dayMark struct{ Path, Text string }

type targetLine struct {
	Left, Right int
	Y, Text     string
}

type dayLabel struct {
	X    string
	Y    int
	Text string
}

// The measures of a chart.
const (
	chartWidth  = 900
	chartHeight = 150
	chartLeft   = 44
	chartRight  = 890
	chartTop    = 22 // room for the marks of alerts
	chartBase   = 126
	chartLabels = 8 // days that are named at most
	columnShare = 0.7
)

// newChart makes an empty chart of the days with values up to most.
func newChart(id, title string, days []functions.HealthDay, most float64) *dayChart {
	chart := &dayChart{
		ID: id, Title: title, Width: chartWidth, Height: chartHeight, Left: chartLeft, Right: chartRight, Base: chartBase,
		LabelX: chartLeft - 6, TopY: chartTop + 8, Top: rounded(most), most: most,
		column: float64(chartRight-chartLeft) / float64(max(1, len(days))),
	}
	every := max(1, int(math.Ceil(float64(len(days))/chartLabels)))
	for i, day := range days {
		if (len(days)-1-i)%every == 0 { // today always
			chart.Days = append(chart.Days, dayLabel{number(chart.middle(i)), chartBase + 16, day.Date.String()[5:]})
		}
	}
	return chart
}

func (c *dayChart) middle(day int) float64 { return chartLeft + c.column*(float64(day)+0.5) }

func (c *dayChart) height(value float64) float64 { return (chartBase - chartTop) * value / c.most }

// bar draws a value of a day above what stands there already.
func (c *dayChart) bar(day int, class string, above, value float64, text string) {
	if value <= 0 {
		return
	}
	width := c.column * columnShare
	c.Bars = append(c.Bars, dayBar{
		Class: class, X: number(c.middle(day) - width/2), Y: number(chartBase - c.height(above+value)),
		Width: number(width), Height: number(c.height(value)), Text: text,
	})
}

// drawnTarget is a target that is one limit, such as success_rate > 95.
type drawnTarget struct {
	limit float64
	text  string // empty: the rules name none, or none that can be drawn
}

var simpleTarget = regexp.MustCompile(`^[a-z_]+ ([<>]=?) ([0-9]+(?:\.[0-9]+)?)$`)

func targetOf(figures []functions.HealthFigure, name string) drawnTarget {
	for _, figure := range figures {
		parts := simpleTarget.FindStringSubmatch(figure.Target)
		if figure.Name != name || parts == nil {
			continue
		}
		if limit, err := strconv.ParseFloat(parts[2], 64); err == nil {
			return drawnTarget{limit, figure.Target}
		}
	}
	return drawnTarget{}
}

// target draws a target as a line, and says in the caption that it is one.
func (c *dayChart) target(target drawnTarget) {
	if target.text == "" || target.limit > c.most {
		return
	}
	c.Target = &targetLine{chartLeft, chartRight, number(chartBase - c.height(target.limit)), target.text}
	c.Caption += " Dashed: the target, " + target.text + "."
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

// runsChart is how many runs each day had, those that failed on top, and which days brought an alert.
func runsChart(days []functions.HealthDay) dayChart {
	most, runs, failed, alerts := 1.0, int64(0), int64(0), int64(0)
	for _, day := range days {
		most = max(most, float64(day.Runs))
		runs, failed, alerts = runs+day.Runs, failed+day.FailedRuns, alerts+day.Alerts
	}
	chart := newChart("runs-chart", "Runs a day", days, most)
	for i, day := range days {
		good := day.Runs - day.FailedRuns
		text := fmt.Sprintf("%s: %s, %d failed", day.Date, retention.Counted(day.Runs, "run"), day.FailedRuns)
		chart.bar(i, "well", 0, float64(good), text)
		chart.bar(i, "fail", float64(good), float64(day.FailedRuns), text)
		if day.Alerts > 0 {
			x := chart.middle(i)
			chart.Marks = append(chart.Marks, dayMark{
				Path: fmt.Sprintf("M %s 4 l 6 11 l -12 0 z", number(x)), Text: fmt.Sprintf("%s: %s", day.Date, retention.Counted(day.Alerts, "alert")),
			})
		}
	}
	chart.Text = fmt.Sprintf("%s, %d failed, %s", retention.Counted(runs, "run"), failed, retention.Counted(alerts, "alert"))
	chart.Caption = "Runs a day: those that went well below, those that failed on top; a triangle is a day with an alert."
	return *chart
}

// successChart is the success rate of each day.
func successChart(days []functions.HealthDay, target drawnTarget) dayChart {
	chart := newChart("success-chart", "Success rate a day, in percent", days, 100)
	worst := ""
	lowest := math.Inf(1)
	for i, day := range days {
		if day.SuccessRate == nil {
			continue
		}
		if *day.SuccessRate < lowest {
			lowest, worst = *day.SuccessRate, fmt.Sprintf("lowest %s %% on %s", rounded(*day.SuccessRate), day.Date)
		}
		text := fmt.Sprintf("%s: %s %%", day.Date, rounded(*day.SuccessRate))
		chart.bar(i, "well", 0, *day.SuccessRate, text)
		chart.bar(i, "fail", *day.SuccessRate, 100-*day.SuccessRate, text)
	}
	chart.Text = cmp.Or(worst, "no run")
	chart.Caption = "Success rate a day, in percent; a day without a run is empty."
	chart.target(target)
	return *chart
}

// secondsChart is the mean time of the runs of each day that went beyond the decision.
func secondsChart(days []functions.HealthDay, target drawnTarget) dayChart {
	most, longest := max(1, target.limit), ""
	for _, day := range days {
		if day.MeanSeconds != nil && *day.MeanSeconds > most {
			most = *day.MeanSeconds
		}
	}
	chart := newChart("seconds-chart", "Mean time of a run, in seconds", days, math.Ceil(most))
	top := -1.0
	for i, day := range days {
		if day.MeanSeconds == nil {
			continue
		}
		if *day.MeanSeconds > top {
			top, longest = *day.MeanSeconds, fmt.Sprintf("longest %s s on %s", rounded(*day.MeanSeconds), day.Date)
		}
		class := "well"
		if target.text != "" && *day.MeanSeconds > target.limit {
			class = "fail"
		}
		chart.bar(i, class, 0, *day.MeanSeconds, fmt.Sprintf("%s: %s s", day.Date, rounded(*day.MeanSeconds)))
	}
	chart.Text = cmp.Or(longest, "no run worked")
	chart.Caption = "Mean time of the runs that went beyond the decision, in seconds."
	chart.target(target)
	return *chart
}
