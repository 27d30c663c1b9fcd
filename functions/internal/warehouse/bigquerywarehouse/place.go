package bigquerywarehouse

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/retentionops/retentionops/functions"
)

// Place says where the tables lie and how statements on them are run.
type Place struct {
	Project, Dataset             string // of our two tables; the project is the one that is billed
	InputsProject, InputsDataset string // of the four that the detection fills
	Location                     string // of the jobs; empty leaves it to BigQuery
	MaxBytesBilled               int64  // of one statement; 0 is no limit
}

// The names become part of every statement, so each is checked as strictly as BigQuery itself would.
var (
	projectName  = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	datasetName  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	locationName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{1,63}$`)
)

// parameters are what may stand behind the question mark of a URL.
var parameters = []string{"inputs", "location", "max_bytes_billed"}

// PlaceOf reads a place from a URL. What cannot be one is failed_precondition and names the part.
func PlaceOf(u *url.URL) (Place, error) {
	if u.User != nil || u.Fragment != "" || u.Opaque != "" || !projectName.MatchString(u.Host) {
		return Place{}, wrongPlace("the project of this bigquery URL is no project id")
	}
	p := Place{Project: u.Host, Dataset: strings.TrimPrefix(u.Path, "/")}
	if !isDataset(p.Dataset) {
		return Place{}, wrongPlace("the dataset of this bigquery URL is no name of a dataset")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Place{}, wrongPlace("the part of this bigquery URL behind the question mark cannot be read").WithCause(err)
	}
	for name, values := range query {
		switch {
		case !slices.Contains(parameters, name):
			return Place{}, wrongPlace("a bigquery URL has parameters of other names")
		case len(values) > 1:
			return Place{}, wrongPlace("%s stands twice in this bigquery URL", name)
		}
	}
	p.InputsProject, p.InputsDataset = p.Project, p.Dataset
	if query.Has("inputs") {
		project, dataset, dotted := strings.Cut(query.Get("inputs"), ".")
		if !dotted {
			project, dataset = p.Project, project
		}
		if !projectName.MatchString(project) || !isDataset(dataset) {
			return Place{}, wrongPlace("inputs of this bigquery URL does not name a dataset")
		}
		p.InputsProject, p.InputsDataset = project, dataset
	}
	if query.Has("location") {
		if p.Location = query.Get("location"); !locationName.MatchString(p.Location) {
			return Place{}, wrongPlace("location of this bigquery URL is no location")
		}
	}
	if query.Has("max_bytes_billed") {
		if p.MaxBytesBilled, err = strconv.ParseInt(query.Get("max_bytes_billed"), 10, 64); err != nil || p.MaxBytesBilled < 1 {
			return Place{}, wrongPlace("max_bytes_billed of this bigquery URL is no number of bytes")
		}
	}
	return p, nil
}

// maxDataset is how long the name of a dataset may be.
const maxDataset = 1024

func isDataset(name string) bool { return datasetName.MatchString(name) && len(name) <= maxDataset }

func wrongPlace(format string, args ...any) *functions.Error {
	return functions.Errorf(functions.FailedPrecondition, format, args...).
		WithHint("write bigquery://project/dataset?inputs=project.dataset&location=EU&max_bytes_billed=10000000000; all behind the ? may be left out")
}

// cached is a value that is asked for once. Only success is kept. The zero value is ready.
type cached[T any] struct {
	mu    sync.Mutex
	value T
	known bool
}

// get answers the value, asked for by this call when no earlier one succeeded.
func (c *cached[T]) get(ask func() (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known {
		return c.value, nil
	}
	value, err := ask()
	if err == nil {
		c.value, c.known = value, true
	}
	return value, err
}
