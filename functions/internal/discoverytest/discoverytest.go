// Package discoverytest checks requests to Google's APIs, and the answers of fakes of them, against the discovery
// documents that Google publishes with its client module: method and path, names and values of the query, and the body
// against the document's schemas, where a field that is not known is a fault.
//
// It is no fake: what an API does stands in the handler behind it. The documents know no required fields of a body and
// no rules on its values; those are the business of each fake.
package discoverytest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Document is the discovery document of one API.
type Document struct {
	methods []*method
	schemas map[string]*schema
	queries map[string]*schema // parameters that every method takes
}

// method is a method of the API, with the ways in which its path is written.
type method struct {
	ID           string
	HTTPMethod   string
	Path         string
	FlatPath     string
	Parameters   map[string]*schema
	Request      *schema
	Response     *schema
	MediaUploads struct {
		Protocols map[string]struct{ Path string }
	} `json:"mediaUpload"`

	paths []pattern
}

// pattern is one way to write the path of a method.
type pattern struct {
	expression *regexp.Regexp
	names      []string
	literal    int // characters that are not a parameter: of two that match, the one with more of them is meant
	upload     bool
}

type resource struct {
	Methods   map[string]*method
	Resources map[string]*resource
}

// Call is what a request asks for.
type Call struct {
	Method string            // such as sheets.spreadsheets.values.update
	Params map[string]string // of the path, by name and unescaped
	Query  url.Values
	Upload bool // it goes to the method's place for media
	Body   any  // the JSON body, or the first part of a multipart upload; nil when there is none. Numbers are json.Number
}

// documents are read once a program.
var documents sync.Map // import path to func() (*Document, error)

// Load reads the document of an API of the module google.golang.org/api by the import path of its package there, such
// as sheets/v4.
func Load(tb testing.TB, api string) *Document {
	tb.Helper()
	once, _ := documents.LoadOrStore(api, sync.OnceValues(func() (*Document, error) { return read(api) }))
	load, ok := once.(func() (*Document, error))
	if !ok {
		tb.Fatalf("no loader of %s", api)
	}
	document, err := load()
	if err != nil {
		tb.Fatalf("read the discovery document of %s: %v", api, err)
	}
	return document
}

func read(api string) (*Document, error) {
	// -f of the package, not -m of the module: the latter answers an empty line where the module is not downloaded yet.
	command := exec.CommandContext(context.Background(), "go", "list", "-f", "{{.Dir}}", "google.golang.org/api/"+api) //nolint:gosec // tests name the API
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	name, _, _ := strings.Cut(api, "/")
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(output)), name+"-api.json")) //nolint:gosec // a file of the module
	if err != nil {
		return nil, err
	}
	return parse(data)
}

func parse(data []byte) (*Document, error) {
	var file struct {
		ServicePath string
		Schemas     map[string]*schema
		Parameters  map[string]*schema
		resource
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	d := &Document{schemas: file.Schemas, queries: file.Parameters}
	// The tail of a resumable upload; the document does not name it.
	d.queries["upload_id"] = &schema{Type: "string"}
	var walk func(r *resource)
	walk = func(r *resource) {
		for _, m := range r.Methods {
			m.prepare(file.ServicePath)
			d.methods = append(d.methods, m)
		}
		for _, below := range r.Resources {
			walk(below)
		}
	}
	walk(&file.resource)
	return d, nil
}

// prepare writes down the paths under which the method is called.
func (m *method) prepare(servicePath string) {
	path := m.FlatPath
	if path == "" {
		path = m.Path
	}
	m.paths = append(m.paths, m.pattern("/"+servicePath+path))
	if servicePath != "" { // a client with an endpoint of its own may leave it out
		m.paths = append(m.paths, m.pattern("/"+path))
	}
	for _, protocol := range m.MediaUploads.Protocols {
		upload := m.pattern(protocol.Path)
		upload.upload = true
		m.paths = append(m.paths, upload)
	}
}

var placeholder = regexp.MustCompile(`\{\+?(\w+)\}`)

func (m *method) pattern(template string) pattern {
	p := pattern{literal: len(placeholder.ReplaceAllString(template, ""))}
	for _, found := range placeholder.FindAllStringSubmatch(template, -1) {
		p.names = append(p.names, found[1])
	}
	// The flat path has names of its own; those of the other are the ones of the documentation.
	if known := placeholder.FindAllStringSubmatch(m.Path, -1); len(known) == len(p.names) {
		for i, found := range known {
			p.names[i] = found[1]
		}
	}
	var text strings.Builder
	text.WriteString("^")
	for i, literal := range placeholder.Split(template, -1) {
		if i > 0 {
			text.WriteString("([^/]+?)")
		}
		text.WriteString(regexp.QuoteMeta(literal))
	}
	p.expression = regexp.MustCompile(text.String() + "$")
	return p
}

// find is the method that a request calls.
func (d *Document) find(r *http.Request) (*method, *Call, error) {
	var found *method
	var meant pattern
	var values []string
	path := r.URL.EscapedPath()
	for _, m := range d.methods {
		for _, p := range m.paths {
			carriedOn := p.upload && r.Method == http.MethodPut // an upload that was begun with POST
			if m.HTTPMethod != r.Method && !carriedOn || found != nil && p.literal <= meant.literal {
				continue
			}
			if match := p.expression.FindStringSubmatch(path); match != nil {
				found, meant, values = m, p, match[1:]
			}
		}
	}
	if found == nil {
		return nil, nil, fmt.Errorf("no method is called by %s %s", r.Method, path)
	}
	call := &Call{Method: found.ID, Params: map[string]string{}, Query: r.URL.Query(), Upload: meant.upload}
	for i, name := range meant.names {
		value, err := url.PathUnescape(values[i])
		if err != nil {
			return nil, nil, fmt.Errorf("%s: path: %w", found.ID, err)
		}
		call.Params[name] = value
	}
	return found, call, nil
}

// checkQuery checks the names and values of a query.
func (d *Document) checkQuery(m *method, query url.Values) error {
	for name, values := range query {
		parameter := m.Parameters[name]
		if parameter == nil || parameter.Location != "query" {
			parameter = d.queries[name]
		}
		if parameter == nil {
			return fmt.Errorf("query: %s takes no %q", m.ID, name)
		}
		if len(values) > 1 && !parameter.Repeated {
			return fmt.Errorf("query: %s is given %d times", name, len(values))
		}
		for _, value := range values {
			if err := parameter.checkText(value); err != nil {
				return fmt.Errorf("query: %s: %w", name, err)
			}
		}
	}
	for name, parameter := range m.Parameters {
		if parameter.Required && parameter.Location == "query" && !query.Has(name) {
			return fmt.Errorf("query: %s needs %q", m.ID, name)
		}
	}
	if mask := query.Get("fields"); mask != "" && m.Response != nil && !slices.Contains(query["alt"], "media") {
		if err := d.checkFields(m.Response, mask); err != nil {
			return fmt.Errorf("query: fields %q: %w", mask, err)
		}
	}
	return nil
}
