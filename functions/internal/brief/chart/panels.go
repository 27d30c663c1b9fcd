package chart

import (
	"fmt"

	"github.com/retentionops/retentionops/functions/internal/brief"
)

// The measures of the picture, in pixels.
const (
	width       = 600
	border      = 16.0
	shareHeight = 150
	titleLine   = 26.0 // what the first title stands on
	bandTop     = 72.0
	bandBottom  = 94.0
	tierTop     = 40.0 // of the first tier, below the top of its panel
	tierLine    = 28.0
	tierBar     = 18.0
	nameColumn  = 130.0
	barLeft     = border + nameColumn
	barMost     = 250.0
)

var (
	title = lettering{ink, 15, true}
	plain = lettering{ink, 13, false}
	small = lettering{faint, 12, false}
)

// share draws the line on which the share stands between its baseline and the thresholds.
func (s *sheet) share(data brief.Data) {
	m := scaleOf(data.Metrics)
	s.text(title, border, titleLine, "AT_RISK share of customers, "+data.Date)
	place := func(share float64) float64 { return border + m.at(share)*(float64(s.width)-2*border) }
	right := float64(s.width) - border
	switch {
	case m.hasThresholds:
		warning, critical := place(m.warning), place(m.critical)
		s.box(calm, border, bandTop, warning, bandBottom)
		s.box(amber, warning, bandTop, critical, bandBottom)
		s.box(red, critical, bandTop, right, bandBottom)
		s.thresholds(m, warning, critical)
	case m.hasBaseline:
		s.box(calm, border, bandTop, right, bandBottom)
	default: // missing is drawn as missing: an empty line, and no zone that would say fine or bad
		s.dashedBox(line, border, bandTop, right, bandBottom)
		s.text(small, border, bandTop-8, "No baseline yet: there is nothing to compare the share with.")
	}
	s.marks(data, m, place)
}

// thresholds writes above the band where WARNING and CRITICAL begin.
func (s *sheet) thresholds(m scale, warning, critical float64) {
	words := [...]string{
		fmt.Sprintf("WARNING from %s", brief.Percent(round(m.warning))),
		fmt.Sprintf("CRITICAL from %s", brief.Percent(round(m.critical))),
	}
	left := [...]float64{s.middle(small, warning, words[0]), s.middle(small, critical, words[1])}
	y := [...]float64{bandTop - 10, bandTop - 10}
	if left[0]+s.length(small, words[0])+8 > left[1] { // they would run into each other
		y[1] -= 14
	}
	for i, x := range [...]float64{warning, critical} {
		s.box(line, x-0.5, bandTop-6, x+0.5, bandBottom)
		s.text(small, left[i], y[i], words[i])
	}
}

// marks draws the baseline and the share of the day, and writes them below the band.
func (s *sheet) marks(data brief.Data, m scale, place func(float64) float64) {
	baseline, now := "Baseline "+data.Metrics.Baseline.String(), "This day "+data.Metrics.Current.String()
	if m.hasThresholds {
		now += fmt.Sprintf(" (%s)", data.Metrics.Delta)
	}
	strong := lettering{colorOf(data.Severity), 14, true}
	y := bandBottom + 20
	if m.hasBaseline {
		x := place(m.baseline)
		s.box(ink, x-1.5, bandTop-4, x+1.5, bandBottom+4)
		left := s.middle(plain, x, baseline)
		s.text(plain, left, y, baseline)
		if m.hasNow && s.meet(left, left+s.length(plain, baseline), strong, place(m.now), now) {
			y += 18
		}
	}
	if !m.hasNow {
		s.text(small, border, y+18, "The share of this day is not known.")
		return
	}
	x := place(m.now)
	s.dot(strong.color, x, (bandTop+bandBottom)/2, 8)
	s.text(strong, s.middle(strong, x, now), y, now)
}

// meet reports whether a text with its middle at x would run into what lies between from and to.
func (s *sheet) meet(from, to float64, l lettering, x float64, text string) bool {
	left := s.middle(l, x, text)
	return left < to+8 && from < left+s.length(l, text)+8
}

func tiersHeight(tiers int) int { return int(tierTop + tierLine*float64(max(tiers, 1)) + border/2) }

// tiers draws how many customers are in each tier of the queue.
func (s *sheet) tiers(data brief.Data, top float64) {
	s.box(calm, border, top, float64(s.width)-border, top+1)
	tiers := tiersOf(data)
	if len(tiers) == 0 {
		s.text(title, border, top+titleLine, "Priority queue")
		s.text(small, border, top+tierTop+15, "The customers were not read: the sizes of the tiers are not known.")
		return
	}
	s.text(title, border, top+titleLine, fmt.Sprintf("Priority queue: %s %s", data.Queue, customers(data.Queue)))
	var most brief.Count
	for _, tier := range tiers {
		most = max(most, tier.Customers)
	}
	for i, tier := range tiers {
		s.tier(data, tier, most, top+tierTop+tierLine*float64(i))
	}
}

func (s *sheet) tier(data brief.Data, tier brief.Tier, most brief.Count, top float64) {
	bottom := top + tierBar
	s.text(lettering{ink, 13, true}, border, bottom-4, tier.Name)
	s.text(plain, border+28, bottom-4, tier.Purpose)
	x := barLeft
	if tier.Customers > 0 {
		fill := colorOf(data.Severity)
		if !tier.InPlaybook {
			fill = idle
		}
		x += max(2, barMost*float64(tier.Customers)/float64(most)) // one customer among many is still to be seen
		s.box(fill, barLeft, top, x, bottom)
	}
	number := lettering{ink, 13, true}
	s.text(number, x+8, bottom-4, tier.Customers.String())
	if data.ActionNeeded && !tier.InPlaybook {
		s.text(small, x+16+s.length(number, tier.Customers.String()), bottom-4, "not part of this playbook")
	}
}

func customers(n brief.Count) string {
	if n == 1 {
		return "customer"
	}
	return "customers"
}
