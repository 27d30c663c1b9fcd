package bigquerytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

// loadConfig is what a load job says.
type loadConfig struct {
	DestinationTable  struct{ ProjectID, DatasetID, TableID string }
	CreateDisposition string
	WriteDisposition  string
	SourceFormat      string
	Autodetect        bool
	MaxBadRecords     int
	Schema            struct {
		Fields []struct{ Name, Type, Mode string }
	}
	TimePartitioning *struct{ Type, Field string }
	Clustering       *struct{ Fields []string }
}

// upload is a resumable upload that goes on.
type upload struct {
	described any
	media     bytes.Buffer
}

// received reads the description and the media of a job. An upload in pieces is done with its last one.
func (s *Server) received(w http.ResponseWriter, r *http.Request, call *discoverytest.Call) (described any, media []byte, done bool, err error) {
	switch {
	case !call.Upload:
		return call.Body, nil, true, nil
	case call.Query.Get("upload_id") != "":
		return s.piece(w, r, call.Query.Get("upload_id"))
	case call.Query.Get("uploadType") == "resumable":
		s.mu.Lock()
		id := strconv.Itoa(len(s.uploads) + 1)
		s.uploads[id] = &upload{described: call.Body}
		s.mu.Unlock()
		w.Header().Set("Location", s.http.URL+r.URL.Path+"?uploadType=resumable&upload_id="+id)
		w.WriteHeader(http.StatusOK)
		return nil, nil, false, nil
	default:
		media, err = mediaOf(r)
		return call.Body, media, true, err
	}
}

// mediaOf is the second part of a multipart upload.
func mediaOf(r *http.Request) ([]byte, error) {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	parts := multipart.NewReader(r.Body, parameters["boundary"])
	if _, err := parts.NextRawPart(); err != nil {
		return nil, err
	}
	part, err := parts.NextRawPart()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(part)
}

var contentRange = regexp.MustCompile(`^bytes (\d+-\d+|\*)/(\d+|\*)$`)

// piece takes a piece of an upload. All but the last are answered in the way of Google's uploads: go on.
func (s *Server) piece(w http.ResponseWriter, r *http.Request, id string) (described any, media []byte, done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := s.uploads[id]
	if begun == nil {
		return nil, nil, false, notFound("upload %s", id)
	}
	if _, err := io.Copy(&begun.media, r.Body); err != nil {
		return nil, nil, false, err
	}
	said := contentRange.FindStringSubmatch(r.Header.Get("Content-Range"))
	if said == nil {
		return nil, nil, false, fmt.Errorf("a piece without its place: %q", r.Header.Get("Content-Range"))
	}
	if said[2] == "*" {
		w.Header().Set("X-Http-Status-Code-Override", "308")
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", begun.media.Len()-1))
		w.WriteHeader(http.StatusOK)
		return nil, nil, false, nil
	}
	if total := strconv.Itoa(begun.media.Len()); total != said[2] {
		return nil, nil, false, fmt.Errorf("%s bytes came of %s", total, said[2])
	}
	return begun.described, begun.media.Bytes(), true, nil
}

// load replaces a partition by the rows of a load job, or refuses all of them.
func (s *Server) load(config *loadConfig, media []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	to := config.DestinationTable
	name, day := nameOf(to.ProjectID, to.DatasetID, to.TableID)
	t := s.table(name)
	if t == nil {
		return notFound("Table %s", name)
	}
	date, err := civil.ParseDate(dashed(day))
	if err != nil {
		return fmt.Errorf("a truncating job on %q would replace every day", to.TableID)
	}
	if err := config.check(t); err != nil {
		return refuse(http.StatusBadRequest, "invalid", "%v", err)
	}
	rows, err := config.rows(media)
	if err != nil {
		return refuse(http.StatusBadRequest, "invalid", "%v", err)
	}
	at := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == t.partition })
	for _, row := range rows {
		if row[at] != date {
			return refuse(http.StatusBadRequest, "invalid", "Some rows belong to different partitions rather than destination partition %s", day)
		}
	}
	if s.expired(t, date) {
		rows = nil // and the job succeeds
	}
	changed := *t
	changed.Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(row []Value) bool { return row[at] == date })
	changed.Rows = append(changed.Rows, rows...)
	s.replace(&changed)
	return nil
}

func dashed(day string) string {
	if len(day) != len("20060102") {
		return ""
	}
	return day[:4] + "-" + day[4:6] + "-" + day[6:]
}

// check compares what a job says of the table with what the table is: BigQuery refuses a job that would change it.
func (c *loadConfig) check(t *stored) error {
	switch {
	case c.CreateDisposition != "CREATE_NEVER" || c.WriteDisposition != "WRITE_TRUNCATE" || c.SourceFormat != "NEWLINE_DELIMITED_JSON" || c.Autodetect || c.MaxBadRecords != 0:
		return errors.New("it knows no such load job")
	case c.TimePartitioning == nil || c.TimePartitioning.Type != "DAY" || c.TimePartitioning.Field != t.partition:
		return errors.New("incompatible table partitioning specification")
	case c.Clustering == nil || !slices.Equal(c.Clustering.Fields, t.clustering):
		return errors.New("incompatible table partitioning specification: clustering")
	case len(c.Schema.Fields) != len(t.Columns):
		return errors.New("provided Schema does not match Table")
	}
	for i, field := range c.Schema.Fields {
		sqlType, err := sqlTypeOf(field.Type)
		if err != nil {
			return err
		}
		if got := (Column{field.Name, sqlType, field.Mode == "REQUIRED"}); got != t.Columns[i] {
			return fmt.Errorf("provided Schema does not match Table: field %s has changed", field.Name)
		}
	}
	return nil
}

// rows reads the lines of a load job by its schema.
func (c *loadConfig) rows(media []byte) (rows [][]Value, err error) {
	decoder := json.NewDecoder(bytes.NewReader(media))
	decoder.UseNumber()
	for {
		var line map[string]any
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, err
		}
		row := make([]Value, len(c.Schema.Fields))
		for i, field := range c.Schema.Fields {
			if row[i], err = cell(field.Type, line[field.Name]); err != nil {
				return nil, fmt.Errorf("reading data: field %s: %w", field.Name, err)
			}
			if row[i] == nil && field.Mode == "REQUIRED" {
				return nil, fmt.Errorf("missing required field: %s", field.Name)
			}
			delete(line, field.Name)
		}
		if len(line) > 0 {
			return nil, fmt.Errorf("no such field: %v", line)
		}
		rows = append(rows, row)
	}
}

// cell reads a value of a line. An amount that came as a JSON number has been a float on the way.
func cell(apiType string, value any) (Value, error) {
	sqlType, err := sqlTypeOf(apiType)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		if sqlType == "TIMESTAMP" && !strings.HasSuffix(v, "Z") {
			return nil, fmt.Errorf("%q is not in UTC", v)
		}
		return parse(sqlType, v)
	case bool:
		return parse(sqlType, strconv.FormatBool(v))
	case json.Number:
		if sqlType == "NUMERIC" {
			return nil, fmt.Errorf("%s is no exact NUMERIC", v)
		}
		return parse(sqlType, v.String())
	default:
		return nil, fmt.Errorf("it is a %T", value)
	}
}
