package exclusion

import (
	"log/slog"
	"net/url"
	"strings"
)

// The names of the variables, as errors and hints tell them.
const (
	varList = "RETENTIONOPS_EXCLUSIONS"
	varKey  = "RETENTIONOPS_EXCLUSIONS_KEY"
)

// minKey is how long a key must be, in bytes: ids are few and easily guessed, so the key is all that keeps a hash from
// being turned back.
const minKey = 16

// Settings say where the list lies and under which key its hashes were made. The zero value is no list. The key is
// secret: printing Settings does not show it.
type Settings struct {
	List string `env:"RETENTIONOPS_EXCLUSIONS"`     // file:///dir/list.csv, gs://bucket/dir/list.csv or table:NAME
	Key  string `env:"RETENTIONOPS_EXCLUSIONS_KEY"` // of keyed hashes, at least 16 bytes
}

// String tells that there are settings and nothing of what they are.
func (s Settings) String() string {
	if s == (Settings{}) {
		return "no exclusion list"
	}
	return "exclusion list configured"
}

// GoString is String: %#v must not show more.
func (s Settings) GoString() string { return s.String() }

// LogValue is String: a log must not show more.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String: JSON must not show more.
func (s Settings) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// key is the key, without the line break that many secret stores and files end with.
func (s Settings) key() string { return strings.TrimRight(s.Key, "\r\n") }

// CheckKey reports as failed_precondition a key that is too short; none at all is fine.
func (s Settings) CheckKey() error {
	if key := s.key(); key != "" && len(key) < minKey {
		return fault(varKey+" is too short", "use at least 16 bytes, such as those of: openssl rand -hex 32")
	}
	return nil
}

// place is where a list lies: a table, or a file in a folder that the archive port opens.
type place struct{ table, folder, file string }

const placeHint = "write file:///dir/list.csv, gs://bucket/dir/list.csv or table:NAME"

func (s Settings) place() (place, error) {
	refuse := func(what string) (place, error) { return place{}, fault(varList+" "+what, placeHint) }
	if table, is := strings.CutPrefix(s.List, "table:"); is {
		return place{table: table}, nil
	}
	u, err := url.Parse(s.List)
	switch {
	case err != nil: // its text would show the URL
		return refuse("cannot be read as a URL")
	case u.Scheme == "":
		return refuse("names no kind of place")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return refuse("carries more than a path")
	}
	folder, file := s.List, ""
	if cut := strings.LastIndexByte(s.List, '/'); cut >= 0 && u.Path+u.Opaque != "" {
		folder, file = s.List[:cut], s.List[cut+1:]
	} else if u.Opaque != "" {
		folder, file = u.Scheme+":.", u.Opaque
	}
	if file, err = url.PathUnescape(file); err != nil || file == "" {
		return refuse("names no file")
	}
	if strings.HasSuffix(folder, ":") || strings.HasSuffix(folder, "://") { // a file at the root
		folder += "/"
	}
	return place{folder: folder, file: file}, nil
}
