// Package internal_test keeps the house: its layout, its floors, what a deployed function may link. It holds no test
// of behaviour.
package internal_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
)

const module = "github.com/retentionops/retentionops"

// root is the repository, seen from this package.
const root = "../.."

// floors places every package by its path below the module. Drivers and conformance suites
// stand on the floor of their port.
var floors = map[string]int{
	"functions/cmd":                8,
	"functions/internal/cli":       7,
	"functions/get_alert_decision": 6, "functions/get_operational_context": 6, "functions/build_priority_queue": 6,
	"functions/generate_brief": 6, "functions/export_audience": 6, "functions/trigger_playbook": 6, "functions/read_record": 6,
	"functions/check_health": 6, "mcp": 6,
	"functions/door": 5, "functions/internal/setup": 5,
	"functions/internal/playbook": 4, "functions/internal/shop": 4,
	"functions/internal/alert": 3, "functions/internal/priority": 3, "functions/internal/audience": 3,
	"functions/internal/brief": 3, "functions/internal/runlog": 3,
	"functions/internal/health": 3, "functions/internal/rollout": 3, "functions/internal/exclusion": 3,
	"functions/internal/rulebook": 2, "functions/internal/warehouse": 2, "functions/internal/destination": 2,
	"functions/internal/archive": 2, "functions/internal/mail": 2,
	"functions/internal/retention": 1, "functions/internal/directory": 1, "functions/internal/scheme": 1, "functions/internal/guess": 1,
	"functions/internal/browsertest": 1, "functions/internal/cloud": 1,
	"functions": 0, "rules": 0, "brief_templates": 0, "functions/internal/discoverytest": 0,
}

// listed is what the go command tells of a package.
type listed struct {
	ImportPath, Name, Doc, Dir string
	GoFiles, Imports, Deps     []string
}

// packages lists the packages of the module, with everything that each links.
func packages(t *testing.T) []listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Name,Doc,Dir,GoFiles,Imports,Deps", "./...")
	command.Dir = root
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaints.String())
	}
	var ours []listed
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return ours
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		if strings.HasPrefix(p.ImportPath, module+"/") && len(p.GoFiles) > 0 {
			ours = append(ours, p)
		}
	}
}

// floorOf is a package's floor and the room it belongs to.
func floorOf(path string) (floor int, room string) {
	path = strings.TrimPrefix(path, module+"/")
	for room, floor := range floors {
		// Below functions/ every room is named by itself: the contract's floor is not inherited.
		if path == room || room != "functions" && strings.HasPrefix(path, room+"/") {
			return floor, room
		}
	}
	return -1, ""
}

func TestArrowsGoDown(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		floor, room := floorOf(p.ImportPath)
		if room == "" {
			t.Errorf("%s has no floor: give it one in this test and in the design", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module+"/") {
				continue
			}
			below, other := floorOf(imported)
			if other != room && below >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): arrows go down", p.ImportPath, floor, imported, below)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsAndWhatItIsNot(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if p.Name == "main" {
			continue
		}
		if !strings.HasPrefix(p.Doc, "Package "+p.Name+" ") {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		if strings.Contains(p.Name, "_") {
			t.Errorf("%s is called %s: package names have no underscores", p.ImportPath, p.Name)
		}
		for _, vague := range []string{"util", "common", "helper", "manager", "service", "core", "types"} {
			if strings.Contains(p.Name, vague) {
				t.Errorf("%s is called %s, which says nothing", p.ImportPath, p.Name)
			}
		}
	}
}

func TestDeployedFunctionsLinkWhatTheyNeedAndNoMore(t *testing.T) {
	t.Parallel()
	everywhere := map[string]string{
		"github.com/duckdb/":                "it needs cgo and triples a function",
		module + "/functions/internal/shop": "the demonstration is not deployed",
		module + "/functions/internal/cli":  "the command is not deployed",
		"github.com/xuri/excelize":          "only the importer reads workbooks",
		"github.com/spf13/cobra":            "only the command reads arguments",
		"github.com/yuin/goldmark":          "only the preview of briefs draws Markdown",
		"github.com/mark3labs/mcp-go":       "only the gateway speaks MCP",
		"testing":                           "tests are not deployed",
		"github.com/emersion/":              "the mail server is for tests",
		"cloud.google.com/go/storage":       "it makes a function half as large again; the JSON client does",
		"github.com/fsouza":                 "the bucket server is for tests",
	}
	light := map[string]string{ // it reads one row, and published rules from a bucket
		"google.golang.org/api/sheets":              "it delivers nothing",
		"google.golang.org/api/drive":               "it delivers nothing",
		module + "/functions/internal/destination/": "it delivers nothing",
		module + "/functions/internal/playbook":     "it sends nothing",
	}
	// Mail is sent by those who must be heard when nothing else gets through, and by no other.
	mailing := []string{"trigger_playbook", "check_health"}
	mute := map[string]string{
		module + "/functions/internal/mail/":       "it mails nothing", // the drivers: the port holds words alone
		"github.com/wneessen/go-mail":              "it mails nothing",
		"net/smtp":                                 "it mails nothing",
		module + "/functions/internal/brief/chart": "only a mail has a picture",
		"gonum.org/v1/plot":                        "only a mail has a picture",
	}
	writing := []string{"export_audience", "trigger_playbook"}
	paperless := map[string]string{
		module + "/functions/internal/destination/sheetsdestination": "it may not touch spreadsheets",
		"google.golang.org/api/sheets":                               "it may not touch spreadsheets",
	}
	doors := 0
	for _, p := range packages(t) {
		if floor, room := floorOf(p.ImportPath); floor != 6 || room == "mcp" {
			continue
		}
		doors++
		banned := []map[string]string{everywhere}
		if strings.HasSuffix(p.ImportPath, "/get_alert_decision") {
			banned = append(banned, light)
		}
		if !slices.Contains(mailing, path.Base(p.ImportPath)) {
			banned = append(banned, mute)
		}
		if !slices.Contains(writing, path.Base(p.ImportPath)) {
			banned = append(banned, paperless)
		}
		for _, linked := range p.Deps {
			for _, bans := range banned {
				for prefix, why := range bans {
					if linked == prefix || strings.HasPrefix(linked, strings.TrimSuffix(prefix, "/")+"/") {
						t.Errorf("%s links %s: %s", p.ImportPath, linked, why)
					}
				}
			}
		}
	}
	if want := len(functions.Tools) + len(functions.Supporting); doors != want {
		t.Errorf("found %d doors, want %d", doors, want)
	}
}

// TestTheGatewayHoldsNothingButTheWayIn asserts that it reaches data only through the functions.
func TestTheGatewayHoldsNothingButTheWayIn(t *testing.T) {
	t.Parallel()
	bans := map[string]string{
		module + "/functions/internal":       "it knows the contract and the door alone",
		"github.com/duckdb":                  "it reads no data",
		"cloud.google.com/go/bigquery":       "it reads no data",
		"cloud.google.com/go/storage":        "it reads no data",
		"google.golang.org/api":              "it calls our functions and no other",
		"github.com/modelcontextprotocol":    "the other SDK is for tests",
		"github.com/mark3labs/mcp-go/client": "it serves, and is nobody's client",
		"github.com/spf13/cobra":             "only the command reads arguments",
		"testing":                            "tests are not deployed",
	}
	found := false
	for _, p := range packages(t) {
		if p.ImportPath != module+"/mcp" {
			continue
		}
		found = true
		for _, linked := range p.Deps {
			for banned, why := range bans {
				if linked == banned || strings.HasPrefix(linked, banned+"/") {
					t.Errorf("the gateway links %s: %s", linked, why)
				}
			}
		}
	}
	if !found {
		t.Error("there is no gateway")
	}
}

func TestTheContractLinksNothingHeavy(t *testing.T) {
	t.Parallel()
	allowed := []string{module, "cloud.google.com/go/civil", "github.com/google/jsonschema-go/", "github.com/shopspring/decimal"}
	for _, p := range packages(t) {
		if p.ImportPath != module+"/functions" {
			continue
		}
		for _, linked := range p.Deps {
			outside := strings.Contains(strings.Split(linked, "/")[0], ".")
			if outside && !slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(linked, prefix) }) {
				t.Errorf("the contract links %s", linked)
			}
		}
	}
}

func TestTopLevelIsTheUsers(t *testing.T) {
	t.Parallel()
	allowed := []string{"functions", "rules", "brief_templates", "mcp", "artifacts", "go.mod", "go.sum", "deploy.sh", "README.md"}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && !slices.Contains(allowed, entry.Name()) {
			t.Errorf("%s stands at the top level; allowed there: %s", entry.Name(), strings.Join(allowed, ", "))
		}
	}
}

func TestNoFileIsLongerThanAPersonReads(t *testing.T) {
	t.Parallel()
	const most = 500
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lines := 0
		for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan(); {
			lines++
		}
		if lines > most {
			t.Errorf("%s has %d lines, more than %d", path, lines, most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheModuleFileIsAsDeployed(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan(); {
		line := scanner.Text()
		for _, prefix := range []string{"toolchain ", "tool ", "replace "} {
			if strings.HasPrefix(line, prefix) {
				t.Errorf("go.mod says %q; the deployed module has no such line", line)
			}
		}
	}
}
