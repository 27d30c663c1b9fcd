package discoverytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// Check reads what a request asks for, and says what is wrong with it. The request's body can be read again afterwards;
// of an upload only what stands before the media is held in memory.
func (d *Document) Check(r *http.Request) (*Call, error) {
	m, call, err := d.find(r)
	if err != nil {
		return nil, err
	}
	if err := d.checkQuery(m, call.Query); err != nil {
		return nil, fmt.Errorf("%s: %w", m.ID, err)
	}
	text, err := described(r, call)
	if err != nil {
		return nil, fmt.Errorf("%s: body: %w", m.ID, err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return call, nil
	}
	if m.Request == nil {
		return nil, fmt.Errorf("%s takes no body", m.ID)
	}
	if call.Body, err = decode(text); err != nil {
		return nil, fmt.Errorf("%s: body: %w", m.ID, err)
	}
	if err := d.check(m.Request, call.Body, "body"); err != nil {
		return nil, fmt.Errorf("%s: %w", m.ID, err)
	}
	return call, nil
}

// described is the part of a body that is JSON.
func described(r *http.Request, call *Call) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	kind, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	begun := r.Method == http.MethodPut || call.Query.Get("upload_id") != "" || call.Query.Get("uploadType") == "media"
	switch {
	case call.Upload && begun:
		return nil, nil // media and nothing else
	case call.Upload && strings.HasPrefix(kind, "multipart/"):
		var read bytes.Buffer
		part, err := multipart.NewReader(io.TeeReader(r.Body, &read), parameters["boundary"]).NextRawPart()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(part)
		r.Body = again(io.MultiReader(&read, r.Body), r.Body)
		return text, err
	}
	text, err := io.ReadAll(r.Body)
	r.Body = again(bytes.NewReader(text), r.Body)
	if len(text) > 0 && kind != "application/json" {
		err = errors.Join(err, fmt.Errorf("its content type is %q", kind))
	}
	return text, err
}

// again is a body of which a part was read.
func again(r io.Reader, body io.Closer) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{r, body}
}

// CheckAnswer checks the JSON body of a successful answer of a method, so that a fake says nothing that the API cannot.
func (d *Document) CheckAnswer(methodID string, body []byte) error {
	for _, m := range d.methods {
		if m.ID != methodID {
			continue
		}
		if m.Response == nil {
			return fmt.Errorf("%s has no answer", methodID)
		}
		value, err := decode(body)
		if err != nil {
			return fmt.Errorf("%s: answer: %w", methodID, err)
		}
		return d.check(m.Response, value, "answer of "+methodID)
	}
	return fmt.Errorf("there is no method %s", methodID)
}

// Handler checks each request before next sees it. A request at fault fails the test and is answered 400 as Google does.
func (d *Document) Handler(tb testing.TB, next func(w http.ResponseWriter, r *http.Request, call *Call)) http.Handler {
	tb.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call, err := d.Check(r)
		if err != nil {
			tb.Errorf("a request that the discovery document does not know: %v", err)
			Fault(w, http.StatusBadRequest, "INVALID_ARGUMENT", "invalid", err.Error())
			return
		}
		next(w, r, call)
	})
}

// Fault answers an error in the form of Google's JSON APIs.
func Fault(w http.ResponseWriter, status int, word, reason, message string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": status, "message": message, "status": word,
		"errors": []any{map[string]any{"message": message, "domain": "global", "reason": reason}},
	}}) // the client may have gone
}
