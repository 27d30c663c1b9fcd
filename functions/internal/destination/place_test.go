package destination_test

import (
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

func TestCSVName(t *testing.T) {
	t.Parallel()
	day := functions.Date{Year: 2026, Month: 1, Day: 12}
	for _, row := range []struct {
		folder string
		date   functions.Date
		tier   functions.Tier
		want   string // empty: invalid_argument
	}{
		{folder: "", date: day, tier: functions.P1, want: "2026-01-12_P1.csv"},
		{folder: "shadow", date: day, tier: functions.P3, want: "shadow/2026-01-12_P3.csv"},
		{folder: "Pilot-2_b", date: day, tier: functions.P2, want: "Pilot-2_b/2026-01-12_P2.csv"},
		{folder: strings.Repeat("a", 63), date: day, tier: functions.P2, want: strings.Repeat("a", 63) + "/2026-01-12_P2.csv"},
		{folder: strings.Repeat("a", 64), date: day, tier: functions.P2},
		{folder: "..", date: day, tier: functions.P1},
		{folder: "a/b", date: day, tier: functions.P1},
		{folder: "-a", date: day, tier: functions.P1},
		{folder: "two words", date: day, tier: functions.P1},
		{folder: "é", date: day, tier: functions.P1},
		{folder: "a\n", date: day, tier: functions.P1},
		{date: civil.Date{}, tier: functions.P1},
		{date: civil.Date{Year: 2026, Month: 2, Day: 30}, tier: functions.P1},
		{date: day, tier: ""},
		{date: day, tier: "P4"},
		{date: day, tier: "../P1"},
	} {
		got, err := destination.CSVName(row.folder, row.date, row.tier)
		if got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("CSVName(%q, %s, %q) = %q, %v; want %q", row.folder, row.date, row.tier, got, err, row.want)
		}
		if err != nil && functions.CodeOf(err) != functions.InvalidArgument {
			t.Errorf("CSVName(%q, %s, %q) = %v, want invalid_argument", row.folder, row.date, row.tier, err)
		}
	}
}
