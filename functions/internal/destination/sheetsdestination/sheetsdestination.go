// Package sheetsdestination puts audiences into a Google spreadsheet: one tab a folder, day and tier, such as
// shadow-20260112-P1. Its URL is sheets://SPREADSHEET_ID, with ?days=N for how long tabs are kept.
//
// It makes no spreadsheet: service accounts have no storage and own no files. A person makes one, or it lies in a shared
// drive, and shares it with the service account as an editor. A tab is replaced whole by a later delivery: notes that
// people write beside the list are not kept.
package sheetsdestination

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/api/sheets/v4"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/cloud"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

const (
	defaultDays = 90 // as the queue is kept (§6.1)
	// oneAttempt is what a large write may take; the API itself gives up after 180 s
	// (https://developers.google.com/workspace/sheets/api/limits).
	oneAttempt = 30 * time.Second
)

// Destination is a spreadsheet. It is safe for use by several goroutines and processes.
type Destination struct {
	id     string
	days   int // tabs older than that are removed; 0: none is
	client *sheets.SpreadsheetsService

	// Caller tries each call several times.
	Caller cloud.Caller
	Now    func() time.Time
	// NewTabID makes the id of a new tab.
	NewTabID func() int64
}

var _ destination.Destination = (*Destination)(nil)

func init() {
	destination.Register("sheets", func(ctx context.Context, u *url.URL) (destination.Destination, error) { return Open(ctx, u) })
}

var spreadsheetID = regexp.MustCompile(`^[A-Za-z0-9_-]{20,100}$`)

// Open makes the destination of the spreadsheet that the URL names, with the credentials of the environment unless the
// options say otherwise. The spreadsheet is asked by the first call.
func Open(ctx context.Context, u *url.URL, options ...option.ClientOption) (*Destination, error) {
	days, err := daysOf(u)
	if err != nil {
		return nil, err
	}
	options = append([]option.ClientOption{option.WithScopes(sheets.SpreadsheetsScope)}, options...)
	// The client outlives the call that happens to open it.
	client, err := sheets.NewService(context.WithoutCancel(ctx), options...)
	if err != nil {
		return nil, cloud.NoCredentials("the spreadsheet", err)
	}
	return &Destination{
		id: u.Host, days: days, client: client.Spreadsheets,
		Caller: cloud.Caller{Each: oneAttempt}, Now: time.Now, NewTabID: newTabID,
	}, nil
}

func daysOf(u *url.URL) (int, error) {
	unusable := func(why string) error {
		return functions.Errorf(functions.FailedPrecondition, "the sheets: URL %s", why).
			WithHint("write sheets://SPREADSHEET_ID: the id stands in the spreadsheet's address between /d/ and /edit")
	}
	query := u.Query()
	text, given := query.Get("days"), query.Has("days")
	switch {
	case !spreadsheetID.MatchString(u.Host):
		return 0, unusable("names no spreadsheet")
	case u.User != nil || u.Path != "" && u.Path != "/" || u.Fragment != "" || u.Opaque != "",
		given && len(query) > 1, !given && len(query) > 0:
		return 0, unusable("has more than the id of a spreadsheet")
	case !given:
		return defaultDays, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 0 {
		return 0, functions.Errorf(functions.FailedPrecondition, "the days that tabs are kept are no number from 0 on").
			WithHint("write ?days=90, or 0 to keep all").WithCause(err)
	}
	return days, nil
}

// newTabID makes an id at random. Two writers must not make the same, and a writer knows a tab as its own by it.
func newTabID() int64 {
	var bits [4]byte
	_, _ = rand.Read(bits[:]) // never fails
	return int64(binary.BigEndian.Uint32(bits[:])>>1) | 1
}

// Deliver implements destination.Destination. The rows are written into a hidden tab, in chunks that the API takes, and
// then that tab is shown under its name, or copied over the one that is there, in one step: a reader never sees half. The
// tab keeps its id, and with it its link, from the first delivery on.
func (d *Destination) Deliver(ctx context.Context, audience destination.Audience) (link string, err error) {
	if err := destination.CheckPlace(audience.Folder, audience.Date, audience.Tier); err != nil {
		return "", err
	}
	id, err := d.deliver(ctx, &audience)
	if err != nil {
		return "", d.fault("writing an audience sheet", err)
	}
	return d.link(id), nil
}

func (d *Destination) deliver(ctx context.Context, audience *destination.Audience) (id int64, err error) {
	if err := check(audience); err != nil {
		return 0, err
	}
	draft := draft{id: d.NewTabID(), rows: rowsOf(audience), cols: int64(len(audience.Columns))}
	draft.title = draftTitle(d.Now(), draft.id)
	if err := d.begin(ctx, draft, audience); err != nil {
		return 0, err
	}
	if err = d.fill(ctx, draft, audience); err == nil {
		id, err = d.publish(ctx, draft, tabName(audience.Folder, audience.Date, audience.Tier))
	}
	if err != nil {
		d.discard(ctx, draft)
	}
	return id, err
}

// Find implements destination.Destination.
func (d *Destination) Find(
	ctx context.Context, folder string, date functions.Date, tier functions.Tier,
) (link string, found bool, err error) {
	if err := destination.CheckPlace(folder, date, tier); err != nil {
		return "", false, err
	}
	tabs, err := d.tabs(ctx)
	if err != nil {
		return "", false, d.fault("looking for an audience sheet", err)
	}
	if there := titled(tabs, tabName(folder, date, tier)); there != nil {
		return d.link(there.SheetId), true, nil
	}
	return "", false, nil
}

// link opens the spreadsheet at a tab; it asks for a login.
func (d *Destination) link(tab int64) string {
	return fmt.Sprintf("https://docs.google.com/spreadsheets/d/%s/edit#gid=%d", d.id, tab)
}

// Sheets tells these refusals apart from others by their text alone.
const (
	noRoom        = "above the limit of"
	noSpreadsheet = "not supported for this document"
)

// fault says what a refusal means.
func (d *Destination) fault(doing string, err error) error {
	switch {
	case cloud.Says(err, noRoom):
		return full().WithCause(err)
	case cloud.Says(err, noSpreadsheet):
		return functions.Errorf(functions.FailedPrecondition, "%s is not possible: the file is no Google spreadsheet", doing).
			WithHint("open the file in Google Sheets and save it as one; then set its new id").WithCause(err)
	}
	return cloud.Fault(cloud.Words{
		Doing: doing, Place: "the spreadsheet",
		Refused: "share the spreadsheet with the service account of this function, as an editor, and see that the Google Sheets API " +
			"is enabled in its project; service accounts own no files, so the spreadsheet must be a person's or a shared drive's",
		Missing: "look at the id in RETENTIONOPS_SHEETS; a spreadsheet is made by a person: service accounts own no files",
	}, err)
}

func full() *functions.Error {
	return functions.Errorf(functions.ResourceExhausted, "the spreadsheet is full").
		WithHint("remove old tabs, keep them for fewer days (RETENTIONOPS_SHEETS_DAYS), or name a new spreadsheet")
}
