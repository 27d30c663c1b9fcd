package door_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

const gateway = "rop-mcp-gateway@acme.iam.gserviceaccount.com"

// whose answers with who called and by which confirmation.
func whose(ctx context.Context, _ input) (output, error) {
	call := functions.CallFrom(ctx)
	return output{Digest: call.Caller + " by " + call.Confirmation + "."}, nil
}

// seenByPlatform is a token as the platform leaves it.
func seenByPlatform(t *testing.T, email string, change func(map[string]any)) string {
	t.Helper()
	claims := map[string]any{"iss": "https://accounts.google.com", "email": email, "email_verified": true}
	if change != nil {
		change(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer e30." + base64.RawURLEncoding.EncodeToString(payload) + ".SIGNATURE_REMOVED_BY_GOOGLE"
}

// TestOnlyTheGatewaySpeaksForOthers goes through the modes with callers who claim to ask for somebody else.
func TestOnlyTheGatewaySpeaksForOthers(t *testing.T) {
	t.Parallel()
	google := newIssuer(t)
	const maker = "rop-make@acme.iam.gserviceaccount.com"
	iam := env{"RETENTIONOPS_AUTH": "iam", "RETENTIONOPS_GATEWAY": gateway}
	key := env{
		"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:act+read:" + sumOf("secret"), "RETENTIONOPS_GATEWAY": gateway,
		"RETENTIONOPS_AUDIENCE": toUs, "RETENTIONOPS_INVOKERS": scheduler + "," + gateway,
	}
	keyed := env{"RETENTIONOPS_AUTH": "key", "RETENTIONOPS_API_KEYS": "make:act+read:" + sumOf("secret"), "RETENTIONOPS_GATEWAY": "make"}
	nobody := env{"RETENTIONOPS_AUTH": "iam"}
	of := func(email string) string { return seenByPlatform(t, email, nil) }
	changed := func(claim string, value any) string {
		return seenByPlatform(t, gateway, func(claims map[string]any) { claims[claim] = value })
	}
	signed := func(email string) string {
		return "Bearer " + google.token(t, func(claims map[string]any) { claims["email"] = email })
	}
	const both, platform = "ada via " + gateway + " by c-1.", "X-Serverless-Authorization"
	for _, test := range []struct {
		name     string
		settings env
		header   []string
		want     string
	}{
		{"iam: the gateway", iam, []string{"Authorization", of(gateway)}, both},
		{"iam: another account", iam, []string{"Authorization", of(maker)}, maker + " by ."},
		{"iam: nobody", iam, nil, "iam by ."},
		{"iam: no gateway is known", nobody, []string{"Authorization", of(gateway)}, gateway + " by ."},
		{"iam: a forged token beside the one that was verified", iam, []string{platform, of(maker), "Authorization", of(gateway)}, maker + " by ."},
		{"iam: beside one without an address", iam, []string{platform, of(""), "Authorization", of(gateway)}, "iam by ."},
		{"iam: in the header that may not be the verified one", iam, []string{platform, of(gateway), "Authorization", of(maker)}, gateway + " by ."},
		{"iam: beside an empty one", iam, []string{platform, "", "Authorization", of(gateway)}, "iam by ."},
		{"iam: an address nobody has verified", iam, []string{"Authorization", changed("email_verified", false)}, gateway + " by ."},
		{"iam: another issuer", iam, []string{"Authorization", changed("iss", gateway)}, gateway + " by ."},
		{"iam: in other letters", iam, []string{"Authorization", of(strings.ToUpper(gateway))}, strings.ToUpper(gateway) + " by ."},
		{"key: the gateway", key, []string{"Authorization", signed(gateway)}, both},
		{"key: the scheduler", key, []string{"Authorization", signed(scheduler)}, scheduler + " by ."},
		{"key: a key", key, []string{"X-API-Key", "secret"}, "make by ."},
		{"key: a key with the gateway's words beside it", key, []string{"X-API-Key", "secret", "Authorization", of(gateway)}, "make by ."},
		{"key: the gateway's key", keyed, []string{"X-API-Key", "secret"}, "ada via make by c-1."},
		{"local: this machine", local, nil, "ada via local by c-1."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			entrance := newDoor(test.settings, slog.New(slog.DiscardHandler))
			if test.settings["RETENTIONOPS_AUTH"] == "key" {
				if err := entrance.FetchKeysFrom(google.URL); err != nil {
					t.Fatal(err)
				}
			}
			server := httptest.NewServer(door.Handle(entrance, functions.ExportAudience, whose))
			t.Cleanup(server.Close)
			got := send(t, http.MethodPost, server.URL, p1,
				append([]string{door.CallerHeader, "ada", door.ConfirmationHeader, "c-1"}, test.header...)...)
			if got.Status != http.StatusOK || !strings.Contains(got.Body, `"digest":"`+test.want+`"`) {
				t.Errorf("got %d %s, want %s", got.Status, got.Body, test.want)
			}
		})
	}
}

// TestTwoTokensOfOneKindAreNone looks at a second Authorization, of which nobody knows whether it was verified.
func TestTwoTokensOfOneKindAreNone(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", strings.NewReader(p1))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Add("Authorization", seenByPlatform(t, gateway, nil))
	r.Header.Add("Authorization", seenByPlatform(t, "somebody@acme.example", nil))
	r.Header.Set(door.CallerHeader, "ada")
	recorder := httptest.NewRecorder()
	entrance := newDoor(env{"RETENTIONOPS_AUTH": "iam", "RETENTIONOPS_GATEWAY": gateway}, slog.New(slog.DiscardHandler))
	door.Handle(entrance, functions.ExportAudience, whose).ServeHTTP(recorder, r)
	if got := recorder.Body.String(); !strings.Contains(got, `"digest":"iam by ."`) {
		t.Errorf("got %s", got)
	}
}

// TestTheNameOfWhoAsksFitsALine cleans what the gateway says, and refuses a confirmation that it cannot keep.
func TestTheNameOfWhoAsksFitsALine(t *testing.T) {
	t.Parallel()
	const long = "abcdefghijklmnopqrstuvwxyzabcdef"
	for _, test := range []struct {
		name, asks, confirmation, want string
		status                         int
	}{
		{"a subject of a token", "auth0|65f1/x:y", "c", "auth0|65f1/x:y via local by c.", 200},
		{"letters of another alphabet", "Жанна", "c", "Жанна via local by c.", 200},
		{"somebody who speaks for another", "eve via boss", "c", "eve_via_boss via local by c.", 200},
		{"quotes and tags", `a"<b>\`, "c", "a_b_ via local by c.", 200},
		{"too long", strings.Repeat(long, 5), "c", strings.Repeat(long, 4) + " via local by c.", 200},
		{"nothing", " ", "c", "local by c.", 200},
		{"who calls here", "local", "c", "local by c.", 200},
		{"a confirmation that is no id", "ada", "c d", "is no id", 400},
		{"an empty one", "ada", "", "is no id", 400},
		{"an endless one", "ada", strings.Repeat("c", 65), "is no id", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, _ := serve(t, local, whose)
			got := send(t, http.MethodPost, url, p1, door.CallerHeader, test.asks, door.ConfirmationHeader, test.confirmation)
			if got.Status != test.status || !strings.Contains(got.Body, test.want) {
				t.Errorf("got %d %s, want %s", got.Status, got.Body, test.want)
			}
		})
	}
}
