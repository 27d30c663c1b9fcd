package brief_test

import (
	"bytes"
	"slices"
	"testing"
)

func TestTheVersionStandsForEveryTemplate(t *testing.T) {
	t.Parallel()
	version := shipped(t).Version()
	seen := map[string]string{version: "as shipped"}
	for name := range shippedFiles(t) {
		files := shippedFiles(t)
		files[name].Data = append(slices.Clone(files[name].Data), "{{/* More. */}}\n"...)
		changed := loaded(t, files).Version()
		if other, taken := seen[changed]; taken {
			t.Errorf("%s changed has the version of %s", name, other)
		}
		seen[changed] = name
	}
	files := shippedFiles(t)
	for _, file := range files {
		file.Data = bytes.ReplaceAll(file.Data, []byte("\n"), []byte("\r\n"))
	}
	if got := loaded(t, files).Version(); got != version || len(version) != 12 {
		t.Errorf("with line ends of Windows the version is %q, want %q", got, version)
	}
}
