package mcp

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
)

// settings is what the gateway reads from the environment.
type settings struct {
	Auth    door.Mode `env:"RETENTIONOPS_AUTH"`                 // iam, key (a bearer) or local; empty keeps it closed
	Keys    string    `env:"RETENTIONOPS_MCP_KEYS"`             // for key: name:scope:sha256hex, comma separated
	Hosts   string    `env:"RETENTIONOPS_MCP_HOSTS"`            // names it is reached by; .example.com stands for all below
	Origins string    `env:"RETENTIONOPS_MCP_ORIGINS"`          // web pages that may call; empty: none
	Rate    int       `env:"RETENTIONOPS_MCP_RATE, default=60"` // calls a minute of one caller to one tool; 0: no limit
	Project string    `env:"GOOGLE_CLOUD_PROJECT"`              // makes a trace id a link in Cloud Logging
	Version string    `env:"RETENTIONOPS_VERSION"`              // the commit that was deployed

	Actions      toggle `env:"RETENTIONOPS_MCP_ACTIONS"`       // whether the tools that act are offered
	ReadOnly     toggle `env:"RETENTIONOPS_MCP_READ_ONLY"`     // beats Actions
	RequireHuman toggle `env:"RETENTIONOPS_MCP_REQUIRE_HUMAN"` // nothing acts for a client that cannot ask a person
	ConfirmKeys  string `env:"RETENTIONOPS_MCP_CONFIRM_KEYS"`  // one or two keys that seal confirmations; the first seals

	// For key: access tokens of the company's authorization server, beside the keys or in their place.
	Issuer    string `env:"RETENTIONOPS_MCP_ISSUER"`     // as its metadata names it
	JWKS      string `env:"RETENTIONOPS_MCP_JWKS"`       // where its keys are; empty: its metadata says
	PublicURL string `env:"RETENTIONOPS_MCP_PUBLIC_URL"` // what clients type, and tokens are made out to
}

// toggle is a setting that is on or off. A word that is neither is a fault: an operator who writes yes must not find
// that it meant no.
type toggle string

func (t toggle) on() bool    { return t == "true" }
func (t toggle) sound() bool { return t == "" || t == "true" || t == "false" }

func (g *Gateway) configure(lookuper envconfig.Lookuper) *functions.Error {
	closed := func(why, hint string) *functions.Error {
		return functions.Errorf(functions.FailedPrecondition, "the gateway is closed: %s", why).WithHint(hint)
	}
	err := envconfig.ProcessWith(context.Background(), &envconfig.Config{Target: &g.config, Lookuper: lookuper})
	if err != nil || g.config.Rate < 0 {
		return closed("RETENTIONOPS_MCP_RATE is no number of calls", "write a whole number of calls a minute, 0 for no limit")
	}
	for name, value := range map[string]toggle{
		"RETENTIONOPS_MCP_ACTIONS": g.config.Actions, "RETENTIONOPS_MCP_READ_ONLY": g.config.ReadOnly,
		"RETENTIONOPS_MCP_REQUIRE_HUMAN": g.config.RequireHuman,
	} {
		if !value.sound() {
			return closed(name+" is neither true nor false", "write true or false, or leave it out for false")
		}
	}
	if g.seals, err = readSeals(g.config.ConfirmKeys); err != nil {
		return closed(err.Error(), "write 32 random bytes in hex or base64; a second key after a comma is accepted too")
	}
	switch g.config.Auth {
	case door.ModeLocal:
		if g.seals == nil {
			g.seals = randomSeals() // nobody else opens what this process has sealed
		}
		return nil
	case door.ModeKey:
		if why := g.configureBearers(); why != nil {
			return closed(why.Error(), bearersHint)
		}
	case door.ModeIAM:
		if g.config.Issuer != "" {
			return closed("RETENTIONOPS_MCP_ISSUER is set and RETENTIONOPS_AUTH is iam",
				"the platform keeps the Authorization header to itself: open the gateway (RETENTIONOPS_OPEN) and use key")
		}
	default:
		return closed("RETENTIONOPS_AUTH is not set to a mode",
			"iam (the platform verifies the caller), key (a bearer of RETENTIONOPS_MCP_KEYS or a token of RETENTIONOPS_MCP_ISSUER) or local (loopback only)")
	}
	if len(words(g.config.Hosts)) == 0 && g.authorized == nil {
		return closed("RETENTIONOPS_MCP_HOSTS names no host", "write the names by which callers reach it, such as mcp.example.com or .run.app")
	}
	return nil
}

const bearersHint = "write keys as name:read:sha256hex, several separated by commas, or name an issuer, https://…, with " +
	"RETENTIONOPS_MCP_PUBLIC_URL, the address of this gateway that clients type"

// configureBearers reads who may show what: keys, an authorization server's tokens, or both. One of them must be there.
func (g *Gateway) configureBearers() (err error) {
	if g.config.Issuer == "" && g.config.JWKS != "" {
		return errors.New("RETENTIONOPS_MCP_JWKS is set without RETENTIONOPS_MCP_ISSUER")
	}
	if g.config.Issuer != "" {
		if g.authorized, err = newAuthorized(g.config, g.now); err != nil {
			return err
		}
	}
	if g.authorized == nil || strings.TrimSpace(g.config.Keys) != "" {
		g.keys, err = door.ReadKeys("RETENTIONOPS_MCP_KEYS", g.config.Keys)
	}
	return err
}

// words are the entries of a list, separated by commas or spaces.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// target is where a function is, and whom an identity token for it is made out to.
type target struct{ url, audience string }

// parseTargets reads RETENTIONOPS_MCP_FUNCTIONS: NAME=URL[|AUDIENCE], separated by spaces. Only the operator says where
// functions are.
func parseTargets(text string) (map[string]target, error) {
	targets := map[string]target{}
	for entry := range strings.FieldsSeq(text) {
		name, where, _ := strings.Cut(entry, "=")
		address, audience, named := strings.Cut(where, "|")
		parsed, err := url.Parse(address)
		if err != nil || parsed.Host == "" || parsed.Scheme != "https" || parsed.User != nil || named && audience == "" {
			return nil, functions.Errorf(functions.FailedPrecondition, "RETENTIONOPS_MCP_FUNCTIONS cannot be used").
				WithHint("write NAME=https://URL[|AUDIENCE], several separated by spaces; deploy.sh sets it")
		}
		if !named {
			audience = address
		}
		targets[name] = target{url: address, audience: audience}
	}
	return targets, nil
}
