package mcp

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// seals seal what a client keeps for us between two calls, and open it again. Every instance of the gateway has the same
// keys, so that none need remember anything.
type seals struct {
	keys [][]byte // the first seals, all open
}

// purpose is what a key is for. Each has a key of its own, so that nothing sealed for one is taken for another.
type purpose string

const (
	asToken purpose = "confirm_token" // an argument that the model brings back
	asState purpose = "requestState"  // what a client brings back with a person's answer
	asAudit purpose = "audit"         // digests in the audit line
)

const keySize = 32

// readSeals reads RETENTIONOPS_MCP_CONFIRM_KEYS. No key is no seals, and no error. Its errors quote nothing of the text.
func readSeals(text string) (*seals, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil //nolint:nilnil // a gateway without a key is open, and hides what needs one
	}
	read := &seals{}
	for entry := range strings.SplitSeq(text, ",") {
		key, sound := readKey(strings.TrimSpace(entry))
		if !sound {
			return nil, errors.New("RETENTIONOPS_MCP_CONFIRM_KEYS holds what is no key")
		}
		read.keys = append(read.keys, key)
	}
	if len(read.keys) > 2 {
		return nil, errors.New("RETENTIONOPS_MCP_CONFIRM_KEYS holds more than two keys")
	}
	return read, nil
}

// readKey reads 32 bytes in hex or in one of the forms of base64.
func readKey(text string) (key []byte, sound bool) {
	decoders := []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	}
	for _, decode := range decoders {
		if key, err := decode(text); err == nil && len(key) == keySize {
			return key, true
		}
	}
	return nil, false
}

// randomSeals hold a key that only this process knows.
func randomSeals() *seals { return &seals{keys: [][]byte{randomKey()}} }

func randomKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // it never fails
	return key
}

// derived is the key of a purpose.
func derived(master []byte, p purpose) []byte {
	key, err := hkdf.Key(sha256.New, master, nil, "retentionops mcp "+string(p), keySize)
	if err != nil {
		panic(err) // only a length that no hash can give is an error
	}
	return key
}

// auditKey is the key of the digests in the audit line: the same in all instances where they share a key.
func (s *seals) auditKey() []byte {
	if s == nil {
		return randomKey()
	}
	return derived(s.keys[0], asAudit)
}
