package mcp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
)

func TestKeysOfConfirmationsAreReadStrictly(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{0xfb, 0xef}, keySize/2)
	std, url := base64.StdEncoding.EncodeToString(key), base64.URLEncoding.EncodeToString(key)
	for _, text := range []string{std, url, strings.TrimRight(std, "="), strings.TrimRight(url, "="), strings.Repeat("fbef", keySize/2)} {
		read, err := readSeals(text + " , " + oldKey)
		if err != nil || len(read.keys) != 2 || !bytes.Equal(read.keys[0], key) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for name, text := range map[string]string{
		"short": oldKey[2:], "long": oldKey + "ab", "a word": "secret-word", "a comma too many": oldKey + ",", "three": oldKey + "," + newKey + "," + std,
		"no digits": strings.Repeat("zz", keySize),
	} {
		read, err := readSeals(text)
		if err == nil || read != nil || !strings.Contains(err.Error(), "RETENTIONOPS_MCP_CONFIRM_KEYS") || strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if read, err := readSeals("  "); read != nil || err != nil {
		t.Errorf("none: %v %v", read, err)
	}
}

// TestEachPurposeHasItsOwnKey opens with every purpose what was sealed for one.
func TestEachPurposeHasItsOwnKey(t *testing.T) {
	t.Parallel()
	s, err := readSeals(newKey)
	if err != nil {
		t.Fatal(err)
	}
	to := bound{tool: "t", principal: "p", arguments: json.RawMessage(`{}`)}
	settle := func(ticket) (bound, error) { return to, nil }
	for _, p := range []purpose{asToken, asState, asAudit} {
		if bytes.Equal(derived(s.keys[0], p), s.keys[0]) {
			t.Errorf("%s has the key of all", p)
		}
		sealed, err := s.seal(p, ticket{ID: "i", Day: day}, to)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []purpose{asToken, asState, asAudit} {
			got, err := s.open(q, sealed, settle)
			if p == q && (err != nil || got.ID != "i" || got.Day != day) || p != q && !errors.Is(err, errSeal) {
				t.Errorf("sealed as %s, opened as %s: %+v %v", p, q, got, err)
			}
		}
	}
}

// FuzzTickets opens whatever a client may bring: nothing but what was sealed is taken.
func FuzzTickets(f *testing.F) {
	s, err := readSeals(newKey)
	if err != nil {
		f.Fatal(err)
	}
	to := bound{tool: "t", principal: "p", arguments: json.RawMessage(`{}`)}
	sealed, err := s.seal(asToken, ticket{ID: "i", Day: day, Plan: "d", Until: 1}, to)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{sealed, "", ".", "a.b", sealed + "=", strings.ToLower(sealed)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := s.open(asToken, text, func(ticket) (bound, error) { return to, nil })
		if err == nil && (got != ticket{ID: "i", Day: day, Plan: "d", Until: 1}) {
			t.Errorf("%q is taken: %+v", text, got)
		}
	})
}

// TestTheAuditLineTellsAllButTheArguments reads the lines of calls, and of what was refused before it was one.
func TestTheAuditLineTellsAllButTheArguments(t *testing.T) {
	t.Parallel()
	type line struct {
		Message, Principal, Client, Tool, Decision, Outcome string
		Digest                                              string `json:"arguments_digest"`
		Confirmation                                        string `json:"confirmation_id"`
		RunID                                               string `json:"run_id"`
		Seconds                                             *float64
	}
	audit := func(settings map[string]string) (found []line) {
		gateway := serve(t, settings, ways["over HTTPS"](t, newTown().work()))
		const arguments = `{"date":"latest","override":{"by":"Mara","why":"a secret reason"}}`
		token := gateway.offeredToken(t, modern, "trigger_playbook", gateway.tool(t, modern, "trigger_playbook", arguments)).Token
		gateway.tool(t, modern, "trigger_playbook", tokened(arguments, token))
		gateway.tool(t, modern, "get_alert_decision", `{}`)
		gateway.tool(t, modern, "no_such_tool", `{"date":"latest"}`)
		log := gateway.log.String()
		for _, secret := range []string{"secret reason", token, "Mara"} {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
		for text := range strings.Lines(log) {
			var one line
			if err := json.Unmarshal([]byte(text), &one); err != nil {
				t.Fatal(err)
			}
			if one.Tool != "" {
				found = append(found, one)
			}
		}
		return found
	}
	lines := audit(keyed("read+act", nil))
	if len(lines) != 4 {
		t.Fatalf("%+v", lines)
	}
	for i, want := range []line{
		{Message: "mcp: ok", Tool: "trigger_playbook", Decision: "asked", Outcome: "ok"},
		{Message: "mcp: ok", Tool: "trigger_playbook", Decision: "confirmed", Outcome: "ok"},
		{Message: "mcp: ok", Tool: "get_alert_decision", Decision: "allowed", Outcome: "ok"},
		{Message: "mcp: permission_denied", Tool: "no_such_tool", Decision: "denied", Outcome: string(functions.PermissionDenied)},
	} {
		got := lines[i]
		if got.Principal != "ada" || got.Client != "test 1" || len(got.Digest) != 16 || got.RunID == "" || got.Seconds == nil {
			t.Errorf("line %d: %+v", i, got)
		}
		got.Principal, got.Client, got.Digest, got.RunID, got.Seconds, got.Confirmation = "", "", "", "", nil, ""
		if got != want {
			t.Errorf("line %d: %+v, want %+v", i, got, want)
		}
	}
	if lines[0].Confirmation == "" || lines[0].Confirmation != lines[1].Confirmation || lines[0].RunID == lines[1].RunID {
		t.Errorf("question and answer are not told as one: %+v", lines[:2])
	}
	// The same key gives the same digest in every instance, another key another one.
	same := audit(keyed("read+act", nil))
	other := audit(keyed("read+act", map[string]string{"RETENTIONOPS_MCP_CONFIRM_KEYS": newKey}))
	if same[0].Digest != lines[0].Digest || other[0].Digest == lines[0].Digest {
		t.Errorf("digests %s, %s and with another key %s", lines[0].Digest, same[0].Digest, other[0].Digest)
	}
}
