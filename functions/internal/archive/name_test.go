package archive_test

import (
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
)

func TestNames(t *testing.T) {
	t.Parallel()
	part := strings.Repeat("a", 200)
	for _, row := range []struct {
		name   string
		valid  bool
		prefix bool // whether a name can begin so
	}{
		{name: "runs/01J9/stage", valid: true, prefix: true},
		{name: "claims/rop_2026-01-12_WARNING_production", valid: true, prefix: true},
		{name: ".hidden/...", valid: true, prefix: true},
		{name: part + "/" + part, valid: true, prefix: true},
		{name: part + "b", prefix: true}, // a prefix is not a part yet; no name will match
		{name: part + "b/x"},
		{name: part + "/" + part + "/" + part},
		{name: "", prefix: true},
		{name: ".", prefix: true},
		{name: "..", prefix: true}, // "..a" is a name
		{name: "runs/", prefix: true},
		{name: "runs//stage"},
		{name: "/runs"},
		{name: "../runs"},
		{name: "runs/../stage"},
		{name: "runs/./stage"},
		{name: `runs\stage`},
		{name: "runs/a b"},
		{name: "runs/é"},
		{name: "runs/a\x00"},
		{name: "runs/a~"},
		{name: "runs/a:b"},
	} {
		if err := archive.CheckName(row.name); (err == nil) != row.valid {
			t.Errorf("CheckName(%q) = %v, want valid %v", row.name, err, row.valid)
		} else if err != nil && functions.CodeOf(err) != functions.InvalidArgument {
			t.Errorf("CheckName(%q) has code %s, want invalid_argument", row.name, functions.CodeOf(err))
		}
		if err := archive.CheckPrefix(row.name); (err == nil) != row.prefix {
			t.Errorf("CheckPrefix(%q) = %v, want valid %v", row.name, err, row.prefix)
		}
	}
}
