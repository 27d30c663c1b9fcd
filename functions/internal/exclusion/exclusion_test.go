package exclusion_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/archive"
	_ "github.com/retentionops/retentionops/functions/internal/archive/filearchive"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
)

const key = "0123456789abcdef"

// What openssl makes of these ids under that key:
//
//	printf %s C000123 | openssl dgst -sha256 -hmac 0123456789abcdef -r | cut -c 1-64
const (
	hashOfC000123 = "hmac-sha256:74dea9fd29bbc06fe941505d353a0be8c3055bc495f51d4840231e101dde1a1a"
)

// write makes a file of the list and answers its URL.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

func read(t *testing.T, s exclusion.Settings) (*exclusion.List, error) {
	t.Helper()
	return exclusion.Reader{Settings: s, Folder: archive.Open}.Read(t.Context())
}

func TestWhoIsOnTheList(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	for _, test := range []struct {
		name, file string
		on, off    []string
	}{
		{"one entry a line", "C1\nC2\n", []string{"C1", "C2"}, []string{"C", "C12", "c1", "", "customer_id"}},
		{"no line break at the end", "C1\nC2", []string{"C1", "C2"}, nil},
		{"lines of Windows", "customer_id\r\nC1\r\nC2\r\n", []string{"C1", "C2"}, []string{"C1\r", "customer_id"}},
		{"a byte order mark", "\uFEFFcustomer_id\nC1\n", []string{"C1"}, []string{"customer_id"}},
		{"a byte order mark and no header", "\uFEFFC1\n", []string{"C1"}, []string{"\uFEFFC1"}},
		{"a header in any case, columns beside it", "why,Customer_ID,since\nopted out,C1,2026-01-01\n", []string{"C1"}, []string{"opted out"}},
		{"the semicolons of a spreadsheet", "customer_id;why\nC1;opted out\n", []string{"C1"}, []string{"C1;opted out"}},
		{"tabs", "why\tcustomer_id\nopted out\tC1\n", []string{"C1"}, nil},
		{"names in quotes", "\"what, when\",\"customer_id\"\n\"erased, 2026\",\"C,1\"\n", []string{"C,1"}, []string{"C"}},
		{"only the header", "customer_id\n", nil, []string{"customer_id", "C1"}},
		{"empty lines and blanks around", "\n\nC1 \n\n  C2\n   \n", []string{"C1", "C1 ", "C2", "  C2"}, []string{" C1", " "}},
		{"duplicates", "C1\nC1\nC1\n", []string{"C1"}, nil},
		{"ids are never reformatted", "007\n12E5\n客户\n-12\n" + long + "\n", []string{"007", "12E5", "客户", "-12", long}, []string{"7", "1200000", "12"}},
		{"hashes", exclusion.Hash(key, "C1") + "\n" + strings.ToUpper(exclusion.Hash(key, "客户")) + "\n", []string{"C1", "客户"}, []string{"C2", exclusion.Hash(key, "C1")}},
		{"hashes and ids", "customer_id\n" + exclusion.Hash(key, "C1") + "\nC2\n", []string{"C1", "C2"}, []string{"C3"}},
		{"an id that only begins like a hash", "hmac\nsha256er\nshark:1\nS1\n", []string{"hmac", "sha256er", "shark:1", "S1"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			list, err := read(t, exclusion.Settings{List: write(t, test.file), Key: key + "\n"})
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range test.on {
				if !list.Has(id) {
					t.Errorf("%q is not on the list", id)
				}
			}
			for _, id := range test.off {
				if list.Has(id) {
					t.Errorf("%q is on the list", id)
				}
			}
		})
	}
}

func TestAListThatCannotBeUsedIsNoList(t *testing.T) {
	t.Parallel()
	hash := exclusion.Hash(key, "secret-customer")
	for _, test := range []struct {
		name, file, key string
		want, hint      string
	}{
		{"empty", "", key, "the exclusion list is empty", "customer_id"},
		{"only blanks", "\n \r\n", key, "the exclusion list is empty", "customer_id"},
		{"half a hash", "C1\n" + hash[:40] + "\n", key, "line 2 of the exclusion list begins like a hash and is none", "64 hexadecimal"},
		{"no hexadecimal", "C1\nC2\nhmac-sha256:" + strings.Repeat("z", 64), key, "line 3 of the exclusion list begins like a hash", "64 hexadecimal"},
		{"another hash", "sha256:" + hash[12:], key, "line 1 of the exclusion list begins like a hash", "hmac-sha256:"},
		{"another spelling", "HMAC_SHA256=" + hash[12:], key, "line 1 of the exclusion list begins like a hash", "hmac-sha256:"},
		{"a hash without a key", "customer_id\n" + hash + "\n", "", "line 2 of the exclusion list is a keyed hash, and no key is set", "RETENTIONOPS_EXCLUSIONS_KEY"},
		{"several values without a header", "secret-customer,opted out\n", key, "line 1 of the exclusion list holds more than one value", "header"},
		{"several values of a spreadsheet", "C1\nsecret-customer;opted out\n", key, "line 2 of the exclusion list holds more than one value", "header"},
		{"a value too many", "customer_id\nC1\nsecret-customer,opted out\n", key, "line 3 of the exclusion list has more or fewer values than line 1", "header"},
		{"a value too few", "why,customer_id\nsecret-customer\n", key, "line 2 of the exclusion list has more or fewer values", "header"},
		{"an open quote", "C1\n\"secret-customer\n", key, "line 2 of the exclusion list is not CSV", "quotes"},
		{"a quote inside", "C1\nsecret \"customer\"\n", key, "line 2 of the exclusion list is not CSV", "quotes"},
		{"another name of the column", "Customer ID\nC1\n", key, "line 1 of the exclusion list reads like the name of another column", "customer_id"},
		{"e-mail addresses", "email\nsomebody@example.com\n", key, "line 1 of the exclusion list reads like", "customer_id"},
		{"UTF-16", "\xff\xfec\x00u\x00s\x00", key, "the exclusion list is not UTF-8 text", "UTF-8"},
		{"compressed", "\x1f\x8b\x08\x00\x00\x00", key, "the exclusion list is not UTF-8 text", "not compressed"},
		{"a short key", "C1\n", "fifteen bytes..", "RETENTIONOPS_EXCLUSIONS_KEY is too short", "16 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			list, err := read(t, exclusion.Settings{List: write(t, test.file), Key: test.key})
			problem := functions.ProblemOf(err, "")
			if list != nil || problem.Code != functions.FailedPrecondition ||
				!strings.Contains(problem.Detail, test.want) || !strings.Contains(problem.Hint, test.hint) {
				t.Errorf("got %v, %+v; want %q, hint %q", list, problem, test.want, test.hint)
			}
			for _, secret := range []string{"secret", hash[12:30], "fifteen", "somebody"} {
				if strings.Contains(fmt.Sprint(err, problem), secret) {
					t.Errorf("%q shows in %v", secret, err)
				}
			}
		})
	}
}

func TestMoreThanAMillionEntriesAreRefused(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	for i := range 1_000_001 {
		fmt.Fprintf(&file, "%d\n", i)
	}
	list, err := read(t, exclusion.Settings{List: write(t, file.String())})
	if list != nil || !strings.Contains(fmt.Sprint(err), "line 1000001 of the exclusion list is one too many") {
		t.Errorf("got %v", err)
	}
	list, err = read(t, exclusion.Settings{List: write(t, strings.TrimSuffix(file.String(), "1000000\n")+"7\n7\n")})
	if err != nil || list.Len() != 1_000_000 {
		t.Errorf("a million and two duplicates: %d, %v", list.Len(), err)
	}
}

func TestThePlaceOfAList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "list.csv"), []byte("C1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{"file://" + dir + "/list.csv", "file:" + dir + "/list.csv"} {
		if list, err := read(t, exclusion.Settings{List: good}); err != nil || !list.Has("C1") {
			t.Errorf("%s: %v", good, err)
		}
	}
	for place, want := range map[string]string{
		dir + "/list.csv":                         "names no kind of place",
		"file://" + dir + "/":                     "names no file",
		"gs://bucket":                             "names no file",
		"file://" + dir + "/none.csv":             "is not there",
		"file://" + dir + "/none/list.csv":        "is not there",
		"file://" + dir:                           "is not there",
		"file://" + dir + "/list%20of%20mine.csv": "cannot be opened",
		"file://elsewhere/dir/list.csv":           "cannot be opened",
		"https://host/list.csv":                   "cannot be opened",
		"https://user:secret@host/list.csv":       "carries more than a path",
		"file://" + dir + "/list.csv?secret=1":    "carries more than a path",
		"%zz://secret":                            "cannot be read as a URL",
	} {
		list, err := read(t, exclusion.Settings{List: place})
		problem := functions.ProblemOf(err, "")
		if list != nil || problem.Code != functions.FailedPrecondition || !strings.Contains(problem.Detail, want) {
			t.Errorf("%s: %v, want %q", place, err, want)
		}
		if strings.Contains(fmt.Sprint(err, problem), "secret") {
			t.Errorf("the URL is repeated: %v", err)
		}
	}
	if list, err := read(t, exclusion.Settings{Key: key}); list != nil || err != nil || list.Has("C1") || list.Len() != 0 {
		t.Errorf("no list configured: %v, %v", list, err)
	}
}

// opened notes which folder is opened, and opens none.
func TestTheFolderOfAList(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]string{
		"gs://bucket/dir/sub/list.csv": "gs://bucket/dir/sub", "gs://bucket/list.csv": "gs://bucket",
		"file:///srv/list.csv": "file:///srv", "file:///list.csv": "file:///", "file:/list.csv": "file:/",
		"file:private/list.csv": "file:private", "file:list.csv": "file:.",
	} {
		got := ""
		_, err := exclusion.Reader{
			Settings: exclusion.Settings{List: place},
			Folder: func(_ context.Context, url string) (archive.Archive, error) {
				got = url
				return nil, functions.Errorf(functions.Unavailable, "not now")
			},
		}.Read(t.Context())
		if got != want || functions.CodeOf(err) != functions.Unavailable {
			t.Errorf("%s opens %q, %v; want %q and the fault that passes", place, got, err, want)
		}
	}
}

// The line of the README makes the same entry as we do.
func TestOpensslMakesTheSameHash(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"C000123": hashOfC000123} {
		if got := exclusion.Hash(key, id); got != want {
			t.Errorf("the hash of %s is %s, want %s", id, got, want)
		}
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	line := exec.CommandContext(t.Context(), "sh", "-c",
		`printf %s C000123 | openssl dgst -sha256 -hmac "$RETENTIONOPS_EXCLUSIONS_KEY" -r | sed 's/^/hmac-sha256:/; s/ .*//'`)
	line.Env = append(os.Environ(), "RETENTIONOPS_EXCLUSIONS_KEY="+key)
	got, err := line.Output()
	if err != nil || strings.TrimSpace(string(got)) != hashOfC000123 {
		t.Errorf("openssl says %s, %v", got, err)
	}
}

func TestSettingsShowNothing(t *testing.T) {
	t.Parallel()
	s := exclusion.Settings{List: "gs://private/list.csv", Key: key}
	text, err := s.MarshalText()
	if shown := fmt.Sprintf("%v %+v %#v %s %s %v", s, s, s, s.LogValue(), text, err); strings.Contains(shown, key) || strings.Contains(shown, "private") {
		t.Errorf("the settings show: %s", shown)
	}
}

func ExampleReader() {
	folder, err := os.MkdirTemp("", "private")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	content := "customer_id,why\nC000042,opted out\n" + exclusion.Hash(key, "C000123") + ",erased\n"
	if err := os.WriteFile(filepath.Join(folder, "never.csv"), []byte(content), 0o600); err != nil {
		panic(err)
	}
	list, err := exclusion.Reader{
		Settings: exclusion.Settings{List: "file://" + folder + "/never.csv", Key: key}, Folder: archive.Open,
	}.Read(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(list.Len(), list.Has("C000042"), list.Has("C000123"), list.Has("C000001"))
	// Output: 2 true true false
}
