// Package chart draws a brief's figures as one small picture for a mail: where the AT_RISK share stands between its
// baseline and the thresholds, and how large the tiers of the queue are.
//
// It is no chart for the other formats: Slack, Teams and Markdown show the figures as text.
package chart

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strings"

	"gonum.org/v1/plot/vg/vgimg"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// Type is the media type of a picture.
const Type = "image/png"

// Picture is a drawn chart.
type Picture struct {
	PNG           []byte
	Width, Height int    // in pixels
	Alt           string // the same in words, for readers that show no pictures; plain text, not escaped
}

// HTML is the picture in the HTML of a mail that carries it inline under that content id.
func (p Picture) HTML(contentID string) string {
	return fmt.Sprintf(`<img src="cid:%s" width="%d" height="%d" alt="%s" style="display:block;max-width:100%%;height:auto;border:0">`,
		html.EscapeString(contentID), p.Width, p.Height, html.EscapeString(p.Alt))
}

// Draw draws the figures of a brief. The same figures give the same bytes.
func Draw(data brief.Data) (Picture, error) {
	height := shareHeight + tiersHeight(len(tiersOf(data)))
	s, err := newSheet(width, height)
	if err != nil {
		return Picture{}, functions.Errorf(functions.Internal, "drawing a chart").WithCause(err)
	}
	s.share(data)
	s.tiers(data, shareHeight)
	var png bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: s.canvas}).WriteTo(&png); err != nil {
		return Picture{}, functions.Errorf(functions.Internal, "drawing a chart").WithCause(err)
	}
	return Picture{PNG: png.Bytes(), Width: width, Height: height, Alt: alt(data)}, nil
}

// alt says in words what the picture shows.
func alt(data brief.Data) string {
	m := scaleOf(data.Metrics)
	words := fmt.Sprintf("AT_RISK share on %s: %s", data.Date, data.Metrics.Current)
	switch {
	case !m.hasBaseline:
		words += ", no baseline yet"
	case !m.hasThresholds:
		words += fmt.Sprintf(", baseline %s", data.Metrics.Baseline)
	default:
		words += fmt.Sprintf(", baseline %s (%s), WARNING from %s, CRITICAL from %s",
			data.Metrics.Baseline, data.Metrics.Delta, brief.Percent(round(m.warning)), brief.Percent(round(m.critical)))
	}
	tiers := tiersOf(data)
	if len(tiers) == 0 {
		return words + ". The customers were not read."
	}
	sizes := make([]string, len(tiers))
	for i, tier := range tiers {
		sizes[i] = fmt.Sprintf("%s %s", tier.Name, tier.Customers)
	}
	return words + ". Customers in the queue: " + strings.Join(sizes, ", ") + "."
}

// maxTiers bounds the height of the picture. The rules know three tiers.
const maxTiers = 6

func tiersOf(data brief.Data) []brief.Tier { return data.Tiers[:min(len(data.Tiers), maxTiers)] }

// scale is where things lie on the line of shares.
type scale struct {
	low, high                  float64 // the ends of the line
	now                        float64
	baseline                   float64
	warning, critical          float64 // shares, made of the baseline and the changes in the rules
	hasNow                     bool
	hasBaseline, hasThresholds bool
}

// margin is how much of the line is left free on each side of what stands on it.
const margin = 0.12

func scaleOf(m brief.Metrics) scale {
	s := scale{
		now: float64(m.Current), baseline: float64(m.Baseline),
		hasNow: finite(float64(m.Current)), hasBaseline: m.HasBaseline && finite(float64(m.Baseline)),
	}
	var marks []float64
	if s.hasNow {
		marks = append(marks, s.now)
	}
	if s.hasBaseline {
		marks = append(marks, s.baseline)
		s.warning = s.baseline * (1 + float64(m.WarningFrom)/100)
		s.critical = s.baseline * (1 + float64(m.CriticalFrom)/100)
		s.hasThresholds = finite(s.critical) && s.baseline < s.warning && s.warning < s.critical
	}
	if s.hasThresholds {
		marks = append(marks, s.warning, s.critical)
	}
	s.low, s.high = ends(marks)
	return s
}

// ends leaves room on both sides of the marks.
func ends(marks []float64) (low, high float64) {
	if len(marks) == 0 {
		return 0, 100
	}
	low, high = marks[0], marks[0]
	for _, mark := range marks {
		low, high = min(low, mark), max(high, mark)
	}
	room := max((high-low)*margin/(1-2*margin), 1)
	low = max(0, low-room)
	return low, max(low, high) + room
}

// at is how far along the line a share lies, from 0 to 1. What lies beyond an end is drawn at the end.
func (s scale) at(share float64) float64 { return max(0, min(1, (share-s.low)/(s.high-s.low))) }

func finite(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }

// round keeps two decimals: thresholds are products, with a tail that says nothing.
func round(value float64) float64 { return math.Round(value*100) / 100 }
