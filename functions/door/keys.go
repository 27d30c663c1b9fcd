package door

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// Keyring is what is known of the accepted keys: whose they are, what they may, and their sums.
type Keyring struct{ keys []credential }

// Whose tells whose key was presented. It compares with every key and stops at none, so that the time it takes tells
// nothing.
func (k Keyring) Whose(presented string) (name string, scopes []functions.Scope, known bool) {
	sum, found := sha256.Sum256([]byte(presented)), -1
	for i := range k.keys {
		match := subtle.ConstantTimeCompare(sum[:], k.keys[i].sum[:])
		found = subtle.ConstantTimeSelect(match, i, found)
	}
	if found < 0 || presented == "" {
		return "", nil, false
	}
	return k.keys[found].name, slices.Clone(k.keys[found].scopes), true
}

// credential is one accepted key, of which only the sum is known here.
type credential struct {
	caller
	sum [sha256.Size]byte
}

var soundName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ReadKeys reads the text of a setting that holds keys: name:scope[+scope]:sha256hex, several separated by commas. Its
// errors name the setting and quote nothing of the text, as somebody may have put a key there.
func ReadKeys(setting, text string) (Keyring, error) {
	if strings.TrimSpace(text) == "" {
		return Keyring{}, errors.New(setting + " names no key")
	}
	var keys []credential
	for i, entry := range strings.Split(text, ",") {
		one, err := parseKey(strings.TrimSpace(entry))
		if err != nil {
			return Keyring{}, fmt.Errorf("entry %d of %s: %w", i+1, setting, err)
		}
		if slices.ContainsFunc(keys, func(known credential) bool { return known.sum == one.sum }) {
			return Keyring{}, fmt.Errorf("entry %d of %s: the sum is there twice", i+1, setting)
		}
		keys = append(keys, one)
	}
	return Keyring{keys: keys}, nil
}

func parseKey(entry string) (credential, error) {
	// From both ends: a full scope holds a colon of its own.
	name, rest, _ := strings.Cut(entry, ":")
	cut := strings.LastIndexByte(rest, ':')
	if cut < 0 {
		return credential{}, errors.New("it has not three parts")
	}
	one := credential{caller: caller{name: name}}
	if !soundName.MatchString(name) {
		return credential{}, errors.New("the name is not of 1 to 64 letters, digits, dots, hyphens and underscores")
	}
	for word := range strings.SplitSeq(rest[:cut], "+") {
		scope := functions.Scope("retention:" + strings.TrimPrefix(word, "retention:"))
		if !slices.Contains(functions.Scopes, scope) {
			return credential{}, errors.New("a scope is neither read nor act")
		}
		one.scopes = append(one.scopes, scope)
	}
	sum, err := hex.DecodeString(rest[cut+1:])
	if err != nil || len(sum) != sha256.Size {
		return credential{}, errors.New("the sum has not 64 hex digits")
	}
	one.sum = [sha256.Size]byte(sum)
	if one.sum == sha256.Sum256(nil) {
		return credential{}, errors.New("the sum is that of an empty key")
	}
	return one, nil
}

// admitKey lets in who presents a known key in one X-API-Key.
func (d *Door) admitKey(r *http.Request) (caller, error) {
	if presented := r.Header.Values("X-API-Key"); len(presented) == 1 {
		if name, scopes, known := d.keys.Whose(presented[0]); known {
			return caller{name: name, scopes: scopes, speaks: d.isGateway(name)}, nil
		}
	}
	return caller{}, functions.Errorf(functions.Unauthenticated, "")
}
