package mcp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"

	"github.com/retentionops/retentionops/functions"
)

const (
	tokenTimeout = 5 * time.Second // to get one
	tokenSpare   = 5 * time.Minute // how long before its end a token is no longer used
)

// newDeployed calls the deployed functions with the gateway's own identity.
func newDeployed(text string, client *http.Client, tokens *identity) Caller {
	targets, fault := parseTargets(text)
	return &doors{client: client, prepare: func(request *http.Request, tool *functions.Tool) error {
		where, known := targets[tool.Name]
		switch {
		case fault != nil:
			return fault
		case !known:
			return functions.Errorf(functions.FailedPrecondition, "the gateway is not connected to %s", tool.Name).
				WithHint("RETENTIONOPS_MCP_FUNCTIONS does not name it; ./deploy.sh function mcp_gateway sets it")
		}
		token, err := tokens.token(request.Context(), where.audience)
		if err != nil {
			return functions.Errorf(functions.Unavailable, "the gateway cannot show who it is").
				WithHint("try again in a minute; it needs an account of its own on Google Cloud").WithCause(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		return aim(request, where.url)
	}}
}

// identity gets identity tokens of the gateway's account from the metadata server and keeps each until shortly before
// it expires.
type identity struct {
	server *metadata.Client
	now    func() time.Time
	turn   turn // of who fetches a token: who else needs one waits for the same
	kept   map[string]keptToken
}

type keptToken struct {
	text    string
	expires time.Time
}

func newIdentity(now func() time.Time) *identity {
	return &identity{
		server: metadata.NewClient(&http.Client{Timeout: tokenTimeout}), now: now, turn: newTurn(), kept: map[string]keptToken{},
	}
}

func (i *identity) token(ctx context.Context, audience string) (string, error) {
	done, err := i.turn.take(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if kept := i.kept[audience]; i.now().Before(kept.expires.Add(-tokenSpare)) {
		return kept.text, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	// Only the full format is sure to name the account, by which functions know the gateway.
	text, err := i.server.GetWithContext(ctx, "instance/service-accounts/default/identity?format=full&audience="+url.QueryEscape(audience))
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(text)
	expires, err := expiry(text)
	if err != nil {
		return "", err
	}
	i.kept[audience] = keptToken{text: text, expires: expires}
	return text, nil
}

// expiry reads when a token ends. Whether it is genuine is for those it is shown to.
func expiry(token string) (time.Time, error) {
	parts := strings.Split(token, ".")
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if len(parts) == 3 {
		if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(payload, &claims) == nil && claims.Expires > 0 {
			return time.Unix(claims.Expires, 0), nil
		}
	}
	return time.Time{}, errors.New("the metadata server gave no identity token")
}
