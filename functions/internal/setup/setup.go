// Package setup turns the environment into ports, lazily: a port is opened by the first call that needs it, kept when
// that succeeded and tried again by the next call when it did not.
//
// It imports no driver: what a program can open is what its main or its door links.
package setup

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the runtime's image may hold no time zones

	"cloud.google.com/go/civil"
	"github.com/oklog/ulid/v2"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/alert"
	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/destination"
	"github.com/retentionops/retentionops/functions/internal/mail"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/runlog"
	"github.com/retentionops/retentionops/functions/internal/warehouse"
)

// Config names the ports. Settings that belong to one room alone stand with that room.
type Config struct {
	Warehouse  string `env:"RETENTIONOPS_WAREHOUSE"`               // duckdb:///path/file.duckdb
	Archive    string `env:"RETENTIONOPS_ARCHIVE"`                 // file:///dir or gs://bucket/prefix
	Exports    string `env:"RETENTIONOPS_EXPORTS"`                 // file:///dir or gs://bucket/prefix[?signer=ACCOUNT]: where CSV audiences go
	Sheets     string `env:"RETENTIONOPS_SHEETS"`                  // sheets://SPREADSHEET_ID: where sheets go; empty: nowhere
	SheetsDays int    `env:"RETENTIONOPS_SHEETS_DAYS, default=90"` // days of tabs that are kept in the spreadsheet; 0 keeps all
	Rules      string `env:"RETENTIONOPS_RULES"`                   // a folder or gs://bucket/prefix; empty: the rules built in
	Templates  string `env:"RETENTIONOPS_TEMPLATES"`               // a folder or gs://bucket/prefix; empty: the templates built in
	QueueDays  int    `env:"RETENTIONOPS_QUEUE_DAYS, default=90"`  // days of queue that are kept (§6.1)
	TimeZone   string `env:"RETENTIONOPS_TIMEZONE, default=UTC"`   // decides which day "today" is
}

// Options are what a program gives its environment.
type Options struct {
	Lookuper envconfig.Lookuper // reads settings by name
	Logger   *slog.Logger
	Now      func() time.Time
	NewID    func() string // makes ids of calls and runs; they sort by time
	// CheckWarehouse, when set, is asked before the warehouse at that URL is opened: a command that only reads refuses a
	// file that is not there, which the embedded engine would make.
	CheckWarehouse func(url string) error
	Today          functions.Date  // when set, stands in for today: the demo plays on orders of another year
	Phase          functions.Phase // when set, stands in for the phase in rollout.yaml: the demo plays production
	Mail           *rulebook.Mail  // when set, stands in for who gets mail by playbooks.yaml: the demo writes to nobody real
	Waits          Waits           // the demo shows in seconds what takes minutes
}

// Waits say how long others are waited for; what is zero is as usual.
type Waits struct {
	Webhook         time.Duration   // for an answer
	WebhookPause    time.Duration   // between two attempts
	Warehouse       time.Duration   // for one attempt at a statement
	WarehousePauses []time.Duration // between the attempts
}

// Env is the environment of a program. It is safe for use by several goroutines.
type Env struct {
	options    Options
	config     Lazy[Config]
	warehouse  Lazy[*warehouse.Warehouse]
	archive    Lazy[archive.Archive]
	exclusions Lazy[archive.Archive] // the folder of the exclusion list
	exports    Lazy[destination.Destination]
	sheets     Lazy[destination.Destination]
	mail       Lazy[mail.Sender]
	book       loaded[*rulebook.Book]
	templates  loaded[*brief.Templates]

	publishedRules     published[*rulebook.Book]
	publishedTemplates published[*brief.Templates]
}

// New makes an environment; nothing is read or opened yet.
func New(options Options) *Env { return &Env{options: options} }

// FromProcess is the environment of a deployed function: the process's variables and the system's clock.
func FromProcess(logger *slog.Logger) *Env {
	return New(Options{Lookuper: envconfig.OsLookuper(), Logger: logger, Now: time.Now, NewID: NewID})
}

// NewID makes an id that sorts by time.
func NewID() string { return ulid.Make().String() }

// Lookuper reads settings by name, for rooms that have their own.
func (e *Env) Lookuper() envconfig.Lookuper { return e.options.Lookuper }

// Logger is where the program logs.
func (e *Env) Logger() *slog.Logger { return e.options.Logger }

// Now is the program's clock.
func (e *Env) Now() time.Time { return e.options.Now() }

// Waits say how long others are waited for.
func (e *Env) Waits() Waits { return e.options.Waits }

// NewID makes an id of a call or a run.
func (e *Env) NewID() string { return e.options.NewID() }

// Config reads the settings that name the ports.
func (e *Env) Config(ctx context.Context) (Config, error) {
	return e.config.Get(func() (Config, error) { return ReadSettings[Config](ctx, e) })
}

// ReadSettings fills a room's settings from the environment. A value that cannot be read is failed_precondition.
func ReadSettings[S any](ctx context.Context, e *Env) (S, error) {
	var settings S
	err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: &settings, Lookuper: e.options.Lookuper})
	if err == nil {
		return settings, nil
	}
	if told, ok := errors.AsType[*functions.Error](err); ok {
		return settings, told // the room has said what is wrong with its value
	}
	return settings, functions.Errorf(functions.FailedPrecondition, "%s cannot be read", variableOf[S](err)).
		WithHint("retentionops config shows what is set, and from where").WithCause(err)
}

// variableOf is the variable whose value the error is about. The library begins its errors with the name of the field.
func variableOf[S any](err error) string {
	name, _, _ := strings.Cut(err.Error(), ":")
	field, _ := reflect.TypeFor[S]().FieldByName(name)
	variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	return cmp.Or(variable, "a setting")
}

// Today is the present day in the configured time zone, unless the program has another day stand in for it.
func (e *Env) Today(ctx context.Context) (functions.Date, error) {
	if day := e.options.Today; !day.IsZero() {
		return day, nil
	}
	zone, err := e.Zone(ctx)
	if err != nil {
		return functions.Date{}, err
	}
	return civil.DateOf(e.Now().In(zone)), nil
}

// Zone is the configured time zone.
func (e *Env) Zone(ctx context.Context) (*time.Location, error) {
	config, err := e.Config(ctx)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(config.TimeZone)
	if err != nil {
		return nil, functions.Errorf(functions.FailedPrecondition, "RETENTIONOPS_TIMEZONE is not a time zone").
			WithHint("write a name such as UTC or Europe/Berlin").WithCause(err)
	}
	return zone, nil
}

// Warehouse is the warehouse that RETENTIONOPS_WAREHOUSE names.
func (e *Env) Warehouse(ctx context.Context) (*warehouse.Warehouse, error) {
	open := func(ctx context.Context, url string) (*warehouse.Warehouse, error) {
		if check := e.options.CheckWarehouse; check != nil {
			if err := check(url); err != nil {
				return nil, err
			}
		}
		opened, err := warehouse.Open(ctx, url)
		if err != nil {
			return nil, err
		}
		opened.AttemptTimeout = cmp.Or(e.options.Waits.Warehouse, opened.AttemptTimeout)
		if pauses := e.options.Waits.WarehousePauses; pauses != nil {
			opened.Pauses = pauses
		}
		return opened, nil
	}
	return openPort(ctx, e, &e.warehouse, "RETENTIONOPS_WAREHOUSE", func(c Config) string { return c.Warehouse }, open)
}

// Archive is the archive that RETENTIONOPS_ARCHIVE names.
func (e *Env) Archive(ctx context.Context) (archive.Archive, error) {
	return openPort(ctx, e, &e.archive, "RETENTIONOPS_ARCHIVE", func(c Config) string { return c.Archive }, archive.Open)
}

// Exports is the destination of CSV audiences that RETENTIONOPS_EXPORTS names.
func (e *Env) Exports(ctx context.Context) (destination.Destination, error) {
	return openPort(ctx, e, &e.exports, "RETENTIONOPS_EXPORTS", func(c Config) string { return c.Exports }, destination.Open)
}

// Sheets is the destination of sheets that RETENTIONOPS_SHEETS names; failed_precondition when it names none.
func (e *Env) Sheets(ctx context.Context) (destination.Destination, error) {
	if config, err := e.Config(ctx); err == nil && config.Sheets == "" {
		return nil, functions.Errorf(functions.FailedPrecondition, "no spreadsheet is configured: RETENTIONOPS_SHEETS is not set").
			WithHint("use destination csv")
	}
	return openPort(ctx, e, &e.sheets, "RETENTIONOPS_SHEETS", Config.sheets, destination.Open)
}

// Mail is the sender that RETENTIONOPS_MAIL names; nil, with no error, when it is not set: then nobody gets mail.
func (e *Env) Mail(ctx context.Context) (mail.Sender, error) {
	return e.mail.Get(func() (mail.Sender, error) {
		settings, err := ReadSettings[mail.Settings](ctx, e)
		if err != nil || settings.URL == "" {
			return nil, err
		}
		return mail.Open(ctx, settings, e.Now, e.NewID)
	})
}

// sheets is the URL of the spreadsheet, with how long its tabs are kept.
func (c Config) sheets() string {
	if !strings.HasPrefix(c.Sheets, "sheets:") || strings.Contains(c.Sheets, "?") {
		return c.Sheets
	}
	return c.Sheets + "?days=" + strconv.Itoa(c.SheetsDays)
}

// openTimeout bounds the opening of a port.
const openTimeout = 20 * time.Second

// openPort opens a port once. The driver gets a context of its own: it outlives the request that happened to be first.
func openPort[P any](
	ctx context.Context, e *Env, port *Lazy[P], variable string, url func(Config) string,
	open func(context.Context, string) (P, error),
) (P, error) {
	return port.Get(func() (P, error) {
		var none P
		config, err := e.Config(ctx)
		if err != nil {
			return none, err
		}
		if url(config) == "" {
			return none, functions.Errorf(functions.FailedPrecondition, "%s is not set", variable).
				WithHint("set it to the URL of what this function shall use")
		}
		// It waits with the lock held, so it must not wait for ever.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
		defer cancel()
		return open(ctx, url(config))
	})
}

// Day is what every tool begins with: the day asked for, and what answers for it.
type Day struct {
	Date      functions.Date
	Decider   *alert.Decider
	Book      *rulebook.Book
	Warehouse *warehouse.Warehouse
	KeepDays  int // days of queue that are kept
}

// KeepDays is for how many days a queue is kept.
func (e *Env) KeepDays(ctx context.Context) (int, error) {
	config, err := e.Config(ctx)
	if err != nil {
		return 0, err
	}
	if config.QueueDays < 1 {
		return 0, functions.Errorf(functions.FailedPrecondition, "RETENTIONOPS_QUEUE_DAYS is below 1").WithHint("90 is the default")
	}
	return config.QueueDays, nil
}

// Day resolves the caller's name for a day and opens what answers for it.
func (e *Env) Day(ctx context.Context, ref functions.DateRef) (Day, error) {
	var day Day
	var err error
	if day.KeepDays, err = e.KeepDays(ctx); err != nil {
		return day, err
	}
	if day.Book, err = e.Rules(ctx); err != nil {
		return day, err
	}
	today, err := e.Today(ctx)
	if err != nil {
		return day, err
	}
	if day.Warehouse, err = e.Warehouse(ctx); err != nil {
		return day, err
	}
	day.Decider = &alert.Decider{
		Alerts: day.Warehouse, Detection: day.Book.Detection(), Today: func() functions.Date { return today },
	}
	day.Date, err = day.Decider.Resolve(ctx, ref)
	return day, err
}

// MayAct is failed_precondition in the phase disabled, which stops every side effect and leaves the reading tools on.
func (d Day) MayAct() error {
	if d.Book.Rollout().Phase != functions.PhaseDisabled {
		return nil
	}
	return functions.Errorf(functions.FailedPrecondition, "the phase is disabled: nothing is written or sent").
		WithHint("rules/rollout.yaml holds the phase; dry_run still shows what would happen")
}

// Log is the audit log of runs. A run that has been running for longer than its tool may take is abandoned.
func (e *Env) Log(ctx context.Context) (*runlog.Log, error) {
	rows, err := e.Warehouse(ctx)
	if err != nil {
		return nil, err
	}
	papers, err := e.Archive(ctx)
	if err != nil {
		return nil, err
	}
	return &runlog.Log{
		Warehouse: rows, Archive: papers, Logger: e.Logger(), Now: e.Now, Longest: functions.TriggerPlaybook.Timeout,
	}, nil
}

// Close lets go of what was opened.
func (e *Env) Close() error {
	if opened, ready := e.warehouse.Peek(); ready {
		return opened.Close()
	}
	return nil
}
