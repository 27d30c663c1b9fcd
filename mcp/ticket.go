package mcp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
)

// ticket is a question that was asked. It travels with the client: readable for everybody, changeable for nobody.
type ticket struct {
	ID    string         `json:"id"`             // of the confirmation: the functions learn it too
	Day   functions.Date `json:"day"`            // that the call is about, also when it named none
	Plan  string         `json:"plan,omitempty"` // digest of what was shown
	Until int64          `json:"until"`          // seconds of the epoch
}

func (t ticket) expires() time.Time { return time.Unix(t.Until, 0).UTC() }

// bound is what a ticket holds for, beside what stands in it.
type bound struct {
	tool, principal string
	arguments       json.RawMessage // canonical, with nothing left open
}

func mac(key []byte, p purpose, payload string, to bound) []byte {
	whole, err := json.Marshal([]string{to.tool, to.principal, string(to.arguments), payload})
	if err != nil {
		panic(err) // texts always encode
	}
	sum := hmac.New(sha256.New, derived(key, p))
	sum.Write(whole)
	return sum.Sum(nil)
}

// seal seals a ticket for a purpose and for nothing but this call.
func (s *seals) seal(p purpose, t ticket, to bound) (string, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	payload := base64.RawURLEncoding.EncodeToString(data)
	return payload + "." + base64.RawURLEncoding.EncodeToString(mac(s.keys[0], p, payload, to)), nil
}

var errSeal = errors.New("the seal does not fit")

// open opens a ticket. What it must hold for depends on the ticket itself: settle tells it, and is asked before anything
// is known to be genuine.
func (s *seals) open(p purpose, text string, settle func(ticket) (bound, error)) (ticket, error) {
	payload, seal, _ := strings.Cut(text, ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	var t ticket
	if err != nil || json.Unmarshal(data, &t) != nil {
		return ticket{}, errSeal
	}
	presented, err := base64.RawURLEncoding.DecodeString(seal)
	if err != nil {
		return ticket{}, errSeal
	}
	to, err := settle(t)
	if err != nil {
		return ticket{}, err
	}
	for _, key := range s.keys {
		if hmac.Equal(presented, mac(key, p, payload, to)) {
			return t, nil
		}
	}
	return ticket{}, errSeal
}
