package setup_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

// opened stands for a spreadsheet: its link is the URL that it was opened by.
type opened struct {
	destination.Destination
	url string
}

// Find implements destination.Destination.
func (o opened) Find(context.Context, string, functions.Date, functions.Tier) (link string, found bool, err error) {
	return o.url, true, nil
}

func init() {
	destination.Register("sheets", func(_ context.Context, u *url.URL) (destination.Destination, error) {
		return opened{url: u.String()}, nil
	})
}

func TestTheSpreadsheetIsToldHowLongTabsAreKept(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		settings map[string]string
		want     string
		code     functions.Code
	}{
		{map[string]string{"RETENTIONOPS_SHEETS": "sheets://abc"}, "sheets://abc?days=90", ""},
		{map[string]string{"RETENTIONOPS_SHEETS": "sheets://abc", "RETENTIONOPS_SHEETS_DAYS": "0"}, "sheets://abc?days=0", ""},
		{map[string]string{"RETENTIONOPS_SHEETS": "sheets://abc?days=7", "RETENTIONOPS_SHEETS_DAYS": "30"}, "sheets://abc?days=7", ""},
		{map[string]string{"RETENTIONOPS_SHEETS": "sheets://abc", "RETENTIONOPS_SHEETS_DAYS": "many"}, "", functions.FailedPrecondition},
		{nil, "", functions.FailedPrecondition},
	} {
		got := ""
		sheets, err := env(row.settings).Sheets(t.Context())
		if err == nil {
			got, _, err = sheets.Find(t.Context(), "", functions.Date{}, "")
		}
		if got != row.want || functions.CodeOf(err) != row.code {
			t.Errorf("%v: %q, %v; want %q", row.settings, got, err, row.want)
		}
	}
}
