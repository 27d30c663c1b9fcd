package archive

import (
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// Bounds of a name that every driver can hold, whatever stands before it.
const (
	maxName = 512 // bytes; a bucket allows 1024 for its own prefix and the name together
	maxPart = 200 // bytes; file systems allow 255, and a driver may need a few for a temporary name
)

const nameHint = "names are relative paths of letters, digits, - _ . and /, with no empty, . or .. part"

// CheckName reports invalid_argument when the text cannot be the name of a document. Drivers call it before anything
// else, so that a name means the same on all of them.
func CheckName(name string) error {
	if len(name) > maxName {
		return invalid("archive name of %d bytes is too long", len(name))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || len(part) > maxPart || strings.ContainsFunc(part, notInName) {
			return invalid("archive name %q is not valid", name)
		}
	}
	return nil
}

// CheckPrefix reports invalid_argument when no name can begin with the text.
func CheckPrefix(prefix string) error {
	folder, begin := "", prefix
	if cut := strings.LastIndexByte(prefix, '/'); cut >= 0 {
		folder, begin = prefix[:cut], prefix[cut+1:]
		if CheckName(folder) != nil {
			return invalid("archive prefix %q is not valid", prefix)
		}
	}
	if len(prefix) > maxName || strings.ContainsFunc(begin, notInName) {
		return invalid("archive prefix %q is not valid", prefix)
	}
	return nil
}

func notInName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		return false
	default:
		return true
	}
}

func invalid(format string, args ...any) error {
	return functions.Errorf(functions.InvalidArgument, format, args...).WithHint(nameHint)
}
