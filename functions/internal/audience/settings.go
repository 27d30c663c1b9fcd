package audience

import "github.com/retentionops/retentionops/functions"

// Settings are the form of CSV files. The zero value is the default: commas, no byte order mark.
type Settings struct {
	Delimiter Delimiter `env:"RETENTIONOPS_CSV_DELIMITER, default=comma"` // comma, semicolon or tab; Excel in Europe wants semicolon
	BOM       Switch    `env:"RETENTIONOPS_CSV_BOM, default=no"`          // begin with a byte order mark: Excel wants one, importers mostly not
}

// Switch is a yes or a no.
type Switch bool

// UnmarshalText reads yes, no, true, false, 1 or 0.
func (s *Switch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "yes", "true", "1":
		*s = true
	case "", "no", "false", "0":
		*s = false
	default:
		return functions.Errorf(functions.FailedPrecondition, "RETENTIONOPS_CSV_BOM %q is not known", string(text)).WithHint("valid: yes, no")
	}
	return nil
}

// Delimiter is what separates the cells of a line.
type Delimiter rune

// The delimiters. The zero Delimiter is Comma.
const (
	Comma     Delimiter = ','
	Semicolon Delimiter = ';'
	Tab       Delimiter = '\t'
)

// UnmarshalText reads a delimiter by its name or as the character itself.
func (d *Delimiter) UnmarshalText(text []byte) error {
	switch string(text) {
	case "", "comma", ",":
		*d = Comma
	case "semicolon", ";":
		*d = Semicolon
	case "tab", "\t", `\t`:
		*d = Tab
	default:
		return functions.Errorf(functions.FailedPrecondition, "RETENTIONOPS_CSV_DELIMITER %q is not known", string(text)).
			WithHint("valid: comma, semicolon, tab, or the character itself")
	}
	return nil
}

// String is the delimiter's name.
func (d Delimiter) String() string {
	switch d {
	case Semicolon:
		return "semicolon"
	case Tab:
		return "tab"
	default:
		return "comma"
	}
}

// char is the character in a file.
func (d Delimiter) char() byte {
	if d == Semicolon || d == Tab {
		return byte(d)
	}
	return byte(Comma)
}
