package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
)

// incoming is what the entrance reads of a request's body before anybody else does.
type incoming struct {
	Method string `json:"method"`
	Params struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"params"`
}

// isDryRun tells whether a call asks for a dry run, as the tool will read it.
func (i incoming) isDryRun() bool {
	var given map[string]json.RawMessage
	_ = json.Unmarshal(i.Params.Arguments, &given) // what is no object asks for nothing
	return string(given["dry_run"]) == "true"
}

// unfit is why a body is no message: an error of JSON-RPC.
type unfit struct {
	code int
	says string
}

const (
	deepest    = 64      // levels of a body; the deepest honest one has six
	highestID  = 1 << 53 // mcp-go keeps ids as floats, which hold whole numbers up to here
	envelopeAt = 3       // the message, its params and their _meta: what is decided by stands there
)

// readMessage reads a body strictly. mcp-go takes keys in any case and the last of several, reads the same body more than
// once, and answers to a rounded id: what could mean one thing here and another there is refused.
func readMessage(body []byte) (read incoming, fault *unfit) {
	if fault := look(body); fault != nil {
		return read, fault
	}
	if err := json.Unmarshal(body, &read); err != nil || read.Method == "" {
		return read, &unfit{mcpgo.INVALID_REQUEST, "a message has a method, and its params are an object"}
	}
	return read, nil
}

// look goes through the tokens of a body.
func look(body []byte) *unfit {
	if !utf8.Valid(body) {
		return &unfit{mcpgo.PARSE_ERROR, "the body is not UTF-8"}
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber()
	w := &walk{}
	for {
		token, err := tokens.Token()
		switch {
		case errors.Is(err, io.EOF) && w.begun && len(w.open) == 0:
			return nil
		case err != nil, w.begun && len(w.open) == 0:
			return &unfit{mcpgo.PARSE_ERROR, "the body is not one JSON message"}
		}
		if fault := w.step(token); fault != nil {
			return fault
		}
	}
}

// walk is where a look has come to.
type walk struct {
	begun bool
	open  []level
}

// level is an object or a list that is open.
type level struct {
	list     bool
	envelope bool
	key      string // whose value comes; empty while a key is due
	due      bool
	seen     map[string]bool // of an envelope: the keys so far, in one case
}

// step takes one token.
func (w *walk) step(token json.Token) *unfit {
	delim, isDelim := token.(json.Delim)
	switch {
	case !w.begun && (!isDelim || delim == '['):
		if isDelim {
			return &unfit{mcpgo.INVALID_REQUEST, "batches are not served: send one message a request"}
		}
		return &unfit{mcpgo.INVALID_REQUEST, "a message is an object"}
	case isDelim && (delim == '}' || delim == ']'):
		w.open = w.open[:len(w.open)-1]
		w.valueDone()
		return nil
	case w.begun && w.keyIsDue():
		key, _ := token.(string) // the decoder takes nothing else here
		return w.key(key)
	}
	w.begun = true
	if fault := w.value(token, isDelim); fault != nil {
		return fault
	}
	if isDelim {
		return w.enter(delim)
	}
	w.valueDone()
	return nil
}

func (w *walk) top() *level { return &w.open[len(w.open)-1] }

func (w *walk) keyIsDue() bool { return len(w.open) > 0 && !w.top().list && !w.top().due }

// valueDone is after a value: in an object a key comes next.
func (w *walk) valueDone() {
	if len(w.open) > 0 {
		w.top().due = false
	}
}

func (w *walk) key(key string) *unfit {
	at := w.top()
	at.key, at.due = key, true
	if !at.envelope {
		return nil
	}
	folded := fold(key)
	if at.seen[folded] {
		return &unfit{mcpgo.INVALID_REQUEST, fmt.Sprintf("the key %.40q is there twice", key)}
	}
	at.seen[folded] = true
	return nil
}

// value looks at what stands alone: ids that cannot be answered to, numbers that nothing can hold.
func (w *walk) value(token json.Token, isDelim bool) *unfit {
	number, isNumber := token.(json.Number)
	if len(w.open) == 1 && strings.EqualFold(w.top().key, "id") {
		_, isText := token.(string)
		whole, err := strconv.ParseInt(string(number), 10, 64)
		if isDelim || !isText && (!isNumber || err != nil || whole < -highestID || whole > highestID) {
			return &unfit{mcpgo.INVALID_REQUEST, "an id is a text or a whole number of at most 53 bits"}
		}
	}
	if isNumber {
		if _, err := number.Float64(); err != nil {
			return &unfit{mcpgo.INVALID_REQUEST, "a number is out of range"}
		}
	}
	return nil
}

func (w *walk) enter(delim json.Delim) *unfit {
	if len(w.open) == deepest {
		return &unfit{mcpgo.INVALID_REQUEST, fmt.Sprintf("the body is nested deeper than %d levels", deepest)}
	}
	inside := level{list: delim == '['}
	inside.envelope = !inside.list && len(w.open) < envelopeAt && (len(w.open) == 0 || w.top().envelope && w.top().key != "arguments")
	if inside.envelope {
		inside.seen = map[string]bool{}
	}
	w.open = append(w.open, inside)
	return nil
}

// fold puts a key into the one case that encoding/json compares in.
func fold(key string) string {
	return strings.Map(func(r rune) rune {
		smallest := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			smallest = min(smallest, other)
		}
		return smallest
	}, key)
}
