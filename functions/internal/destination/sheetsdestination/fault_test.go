package sheetsdestination_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud/cloudtest"
	"github.com/retentionops/retentionops/functions/internal/destination/destinationtest"
)

// requests is how many a delivery makes: look, add, write, look, publish.
const requests = 5

func TestAFaultThatPassesDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]cloudtest.Fault{
		"503":                  cloudtest.Refuse(503, "backendError", "The service is currently unavailable."),
		"429":                  cloudtest.Refuse(429, "rateLimitExceeded", "Quota exceeded for quota metric 'Write requests'", "Retry-After", "3"),
		"no answer":            cloudtest.Drop,
		"a lost answer":        cloudtest.Lose,
		"half an answer":       cloudtest.Truncate,
		"an answer that hangs": cloudtest.Hang,
	} {
		for place := range requests {
			for _, again := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s at request %d, there before: %v", name, place+1, again), func(t *testing.T) {
					t.Parallel()
					fake := cloudtest.NewSheets(t, spreadsheet)
					d := open(t, fake, "")
					cloudtest.Time(&d.Caller)
					before := ""
					if again {
						before = deliver(t, d, destinationtest.New("", day, functions.P1, "old", "older", "oldest"))
					}
					if name == "an answer that hangs" {
						d.Caller.Each = 200 * time.Millisecond
					}
					fake.Script.Add("", "", append(slices.Repeat([]cloudtest.Fault{nil}, place), fault)...)
					a := destinationtest.New("", day, functions.P1, "new", "newer")
					link := deliver(t, d, a)
					if again && link != before {
						t.Errorf("the link was %s and is %s", before, link)
					}
					got, err := read(fake)(link)
					if diff := cmp.Diff(destinationtest.Cells(a), got); err != nil || diff != "" {
						t.Errorf("behind the link: %v (-want +got)\n%s", err, diff)
					}
					if diff := cmp.Diff([]string{"Sheet1", "20260112-P1"}, titles(fake)); diff != "" {
						t.Errorf("tabs (-want +got)\n%s", diff)
					}
					if left := fake.Script.Left(); left != 0 {
						t.Errorf("%d faults were not played", left)
					}
				})
			}
		}
	}
}

func TestARefusalLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	const remote = "projects/secret-project said no"
	for _, row := range []struct {
		name   string
		fault  cloudtest.Fault
		want   functions.Code
		detail string
		hint   string
	}{
		{"not shared", cloudtest.Refuse(403, "forbidden", "The caller does not have permission"), functions.FailedPrecondition, "is refused by the spreadsheet", "share the spreadsheet with the service account"},
		{"not there", cloudtest.Refuse(404, "notFound", "Requested entity was not found."), functions.FailedPrecondition, "the spreadsheet is not there", "RETENTIONOPS_SHEETS"},
		{"no spreadsheet", cloudtest.Refuse(400, "failedPrecondition", "This operation is not supported for this document"), functions.FailedPrecondition, "no Google spreadsheet", "open the file in Google Sheets"},
		{"not known", cloudtest.Refuse(401, "authError", remote), functions.FailedPrecondition, "the credentials are not good", "gcloud auth"},
		{"the quota of the minute", cloudtest.Refuse(429, "rateLimitExceeded", remote), functions.Unavailable, "the rate limit", "in a minute"},
		{"out of order", cloudtest.Refuse(503, "backendError", remote), functions.Unavailable, "right now", "try again"},
		{"full", cloudtest.Refuse(400, "badRequest", "This action would increase the number of cells in the workbook above the limit of 10000000 cells."), functions.ResourceExhausted, "the spreadsheet is full", "RETENTIONOPS_SHEETS_DAYS"},
		{"a fault of ours", cloudtest.Refuse(400, "badRequest", remote), functions.Internal, "", ""},
	} {
		const tries, many = 6, 30 // attempts of a call, and looks at the tabs that others may have changed
		last := 1
		if row.want == functions.Unavailable || row.want == functions.Internal {
			last = tries
		}
		for _, place := range []struct {
			name, method string
			faults       []cloudtest.Fault
		}{
			{"looking", http.MethodGet, slices.Repeat([]cloudtest.Fault{row.fault}, many)},
			{"adding", http.MethodPost, slices.Repeat([]cloudtest.Fault{row.fault}, many)},
			{"writing", http.MethodPut, slices.Repeat([]cloudtest.Fault{row.fault}, many)},
			// The spreadsheet is as usual again when the draft is taken away.
			{"publishing", http.MethodPost, append([]cloudtest.Fault{nil}, slices.Repeat([]cloudtest.Fault{row.fault}, last)...)},
		} {
			t.Run(row.name+" when "+place.name, func(t *testing.T) {
				t.Parallel()
				fake := cloudtest.NewSheets(t, spreadsheet)
				d := open(t, fake, "")
				cloudtest.Time(&d.Caller)
				before := destinationtest.New("", day, functions.P1, "before")
				link := deliver(t, d, before)
				fake.Script.Add(place.method, "", place.faults...)
				got, err := d.Deliver(t.Context(), destinationtest.New("", day, functions.P1, "after"))
				problem := functions.ProblemOf(err, "")
				if got != "" || problem.Code != row.want || !strings.Contains(problem.Detail, row.detail) || !strings.Contains(problem.Hint, row.hint) {
					t.Errorf("Deliver = %q, %v; want %s with %q and %q", got, err, row.want, row.detail, row.hint)
				}
				if told := problem.Detail + problem.Hint; strings.Contains(told, "secret") {
					t.Errorf("the caller is told %q", told)
				}
				cells, err := read(fake)(link)
				if diff := cmp.Diff(destinationtest.Cells(before), cells); err != nil || diff != "" {
					t.Errorf("the old sheet: %v (-want +got)\n%s", err, diff)
				}
				if diff := cmp.Diff([]string{"Sheet1", "20260112-P1"}, titles(fake)); diff != "" {
					t.Errorf("tabs (-want +got)\n%s", diff)
				}
			})
		}
	}
}

func TestHowLongToWaitIsTheSpreadsheetsToSay(t *testing.T) {
	t.Parallel()
	fake := cloudtest.NewSheets(t, spreadsheet)
	d := open(t, fake, "")
	clock := cloudtest.Time(&d.Caller)
	busy := func(seconds string) cloudtest.Fault {
		return cloudtest.Refuse(429, "rateLimitExceeded", "Quota exceeded", "Retry-After", seconds)
	}
	fake.Script.Add(http.MethodPut, "", busy("7"))
	deliver(t, d, destinationtest.New("", day, functions.P1, "a"))
	if diff := cmp.Diff([]time.Duration{7 * time.Second}, clock.Slept()); diff != "" {
		t.Errorf("slept (-want +got)\n%s", diff)
	}
	// A wait that does not fit into the caller's time is not begun.
	short, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	fake.Script.Add(http.MethodPut, "", busy("60"))
	if _, err := d.Deliver(short, destinationtest.New("", day, functions.P1, "b")); functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("Deliver = %v, want unavailable", err)
	}
	if slept := clock.Slept(); len(slept) != 1 {
		t.Errorf("slept %v", slept)
	}
}

func TestManyAtOnceMakeOneTab(t *testing.T) {
	t.Parallel()
	fake := cloudtest.NewSheets(t, spreadsheet)
	d := open(t, fake, "")
	audiences := map[string]bool{}
	links := make([]string, 4)
	var all sync.WaitGroup
	for i := range links {
		a := destinationtest.New("", day, functions.P1, slices.Repeat([]string{fmt.Sprint("list ", i)}, 100*(i+1))...)
		audiences[fmt.Sprint(destinationtest.Cells(a))] = true
		all.Go(func() {
			var err error
			if links[i], err = d.Deliver(t.Context(), a); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff([]string{"Sheet1", "20260112-P1"}, titles(fake)); diff != "" {
		t.Errorf("tabs (-want +got)\n%s", diff)
	}
	for _, link := range links {
		if cells, err := read(fake)(link); err != nil || !audiences[fmt.Sprint(cells)] {
			t.Errorf("%s holds %d rows that are no list as delivered, %v", link, len(cells), err)
		}
	}
}

// People work in the spreadsheet too.
func TestATabThatGoesWhileItIsWritten(t *testing.T) {
	t.Parallel()
	fake := cloudtest.NewSheets(t, spreadsheet)
	d := open(t, fake, "")
	deliver(t, d, destinationtest.New("", day, functions.P1, "old"))
	named := func(wanted func(cloudtest.Tab) bool) cloudtest.Fault {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			for _, tab := range fake.Tabs() {
				if wanted(tab) {
					fake.RemoveTab(tab.ID)
				}
			}
			next.ServeHTTP(w, r)
		}
	}
	// The published tab is removed between the look and the copy: the draft takes its name.
	a := destinationtest.New("", day, functions.P1, "new")
	fake.Script.Add(http.MethodPost, "", nil, named(func(tab cloudtest.Tab) bool { return tab.Title == "20260112-P1" }))
	cells, err := read(fake)(deliver(t, d, a))
	if diff := cmp.Diff(destinationtest.Cells(a), cells); err != nil || diff != "" {
		t.Errorf("behind the link: %v (-want +got)\n%s", err, diff)
	}
	// The draft is removed: nothing was delivered, and it is said.
	fake.Script.Add(http.MethodPost, "", nil, named(func(tab cloudtest.Tab) bool { return tab.Hidden }))
	if link, err := d.Deliver(t.Context(), destinationtest.New("", day, functions.P1, "newest")); functions.CodeOf(err) != functions.Unavailable {
		t.Errorf("Deliver = %q, %v; want unavailable", link, err)
	}
	if diff := cmp.Diff([]string{"Sheet1", "20260112-P1"}, titles(fake)); diff != "" {
		t.Errorf("tabs (-want +got)\n%s", diff)
	}
}
