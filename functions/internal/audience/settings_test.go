package audience_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/audience"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

func TestSettingsAreReadFromTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		variables map[string]string
		want      audience.Settings
		fault     bool
	}{
		{name: "nothing is set", want: audience.Settings{Delimiter: audience.Comma}},
		{name: "an empty delimiter", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": ""}, want: audience.Settings{Delimiter: audience.Comma}},
		{name: "comma by name", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": "comma"}, want: audience.Settings{Delimiter: audience.Comma}},
		{name: "comma itself", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": ","}, want: audience.Settings{Delimiter: audience.Comma}},
		{name: "semicolon by name", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": "semicolon"}, want: audience.Settings{Delimiter: audience.Semicolon}},
		{name: "semicolon itself", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": ";"}, want: audience.Settings{Delimiter: audience.Semicolon}},
		{name: "tab by name", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": "tab"}, want: audience.Settings{Delimiter: audience.Tab}},
		{name: "tab itself", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": "\t"}, want: audience.Settings{Delimiter: audience.Tab}},
		{name: "tab as written in shells", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": `\t`}, want: audience.Settings{Delimiter: audience.Tab}},
		{name: "with a byte order mark", variables: map[string]string{"RETENTIONOPS_CSV_BOM": "true"}, want: audience.Settings{Delimiter: audience.Comma, BOM: true}},
		{name: "a pipe", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": "|"}, fault: true},
		{name: "a quote", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": `"`}, fault: true},
		{name: "a word in another case", variables: map[string]string{"RETENTIONOPS_CSV_DELIMITER": "Comma"}, fault: true},
		{name: "a mark that is neither yes nor no", variables: map[string]string{"RETENTIONOPS_CSV_BOM": "perhaps"}, fault: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var got audience.Settings
			err := envconfig.ProcessWith(t.Context(), &envconfig.Config{Target: &got, Lookuper: envconfig.MapLookuper(row.variables)})
			if (err != nil) != row.fault {
				t.Fatalf("settings = %+v, %v; want a fault: %v", got, err, row.fault)
			}
			if diff := cmp.Diff(row.want, got); !row.fault && diff != "" {
				t.Errorf("settings (-want +got)\n%s", diff)
			}
		})
	}
}

func TestAnUnknownDelimiterNamesTheValidOnes(t *testing.T) {
	t.Parallel()
	var d audience.Delimiter
	err := d.UnmarshalText([]byte("|"))
	if problem := functions.ProblemOf(err, ""); problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Hint, "semicolon") {
		t.Errorf("UnmarshalText = %+v", problem)
	}
}

func TestTheZeroSettingsAreTheDefault(t *testing.T) {
	t.Parallel()
	rows := []retention.QueueRow{rowOf("a,b;c\td")}
	zero, stated := build(rows, audience.Settings{}), build(rows, audience.Settings{Delimiter: audience.Comma})
	if diff := cmp.Diff(text(t, stated), text(t, zero)); diff != "" {
		t.Errorf("file (-want +got)\n%s", diff)
	}
	if audience.Digest(zero, "v", functions.TargetCSV, "", audience.Settings{}) !=
		audience.Digest(stated, "v", functions.TargetCSV, "", audience.Settings{Delimiter: audience.Comma}) {
		t.Error("the digests of the zero settings and the default differ")
	}
}
