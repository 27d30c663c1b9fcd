// Package exclusion reads the list of customers who are never to be contacted (opted out, erased, in dispute) and tells
// who is on it. An entry is a customer id, or a keyed hash of one, so that the list itself need not name people.
//
// It is not a rule: the list lies outside the repository and the image, and no caller can leave it out. Who is on it is
// in no tier; priority and audience see to that.
package exclusion

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"regexp"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

// hashPrefix begins an entry that is a keyed hash: hmac-sha256: and 64 hexadecimal digits.
const hashPrefix = "hmac-sha256:"

// maxEntries bounds what is kept in memory: about 100 MB of ids, or 60 MB of hashes.
const maxEntries = 1_000_000

// Hash is the entry that stands for a customer id under a key: hmac-sha256: and the HMAC-SHA256 of the id's bytes.
func Hash(key, customerID string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(customerID)) // a hash never fails to take bytes
	return hashPrefix + hex.EncodeToString(mac.Sum(nil))
}

// List is a list that was read for one call. A nil List excludes nobody. It is not for several goroutines at once.
type List struct {
	ids    map[string]struct{}
	hashes map[sum]struct{}

	mac  hash.Hash // under the key; nil without one
	text []byte    // of the id that is looked up
	last sum
}

type sum [sha256.Size]byte

// Len is how many different entries the list has.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return len(l.ids) + len(l.hashes)
}

// Hashes is how many of the entries are keyed hashes.
func (l *List) Hashes() int {
	if l == nil {
		return 0
	}
	return len(l.hashes)
}

// Has tells whether a customer is on the list, by its id or by the hash of it.
func (l *List) Has(customerID string) bool {
	if l == nil || customerID == "" {
		return false
	}
	if _, listed := l.ids[customerID]; listed || len(l.hashes) == 0 {
		return listed
	}
	l.text = append(l.text[:0], customerID...)
	l.mac.Reset()
	_, _ = l.mac.Write(l.text) // a hash never fails to take bytes
	l.mac.Sum(l.last[:0])
	_, listed := l.hashes[l.last]
	return listed
}

func newList(key string) *List {
	l := &List{ids: map[string]struct{}{}, hashes: map[sum]struct{}{}}
	if key != "" {
		l.mac = hmac.New(sha256.New, []byte(key))
	}
	return l
}

// meantAsHash is what somebody writes who means a hash. Taken for an id it would exclude nobody, and nobody would see it.
var meantAsHash = regexp.MustCompile(`(?i)^(hmac|sha-?\d)[-_a-z0-9]*\s*[:=$]`)

// bad is an entry that cannot be used: what it is, and what to write instead. It never repeats the entry.
type bad struct{ what, hint string }

// add takes an entry in. Blanks around an entry are a slip of who wrote it, but ids with blanks exist: so it counts as it
// stands and without them.
func (l *List) add(entry string) *bad {
	bare := strings.TrimSpace(entry)
	if bare == "" {
		return nil
	}
	if strings.ContainsRune("hHsS", rune(bare[0])) && meantAsHash.MatchString(bare) {
		if b := l.addHash(bare); b != nil {
			return b
		}
	} else {
		l.ids[bare] = struct{}{}
		if entry != bare {
			l.ids[entry] = struct{}{}
		}
	}
	if l.Len() > maxEntries {
		return &bad{"is one too many: there are more than 1,000,000", "leave out who is no customer any more"}
	}
	return nil
}

func (l *List) addHash(entry string) *bad {
	digits, ours := strings.CutPrefix(strings.ToLower(entry), hashPrefix)
	raw, err := hex.DecodeString(digits)
	switch {
	case !ours || err != nil || len(raw) != sha256.Size:
		return &bad{"begins like a hash and is none", "write " + hashPrefix + " and 64 hexadecimal digits, or the id itself"}
	case l.mac == nil:
		return &bad{"is a keyed hash, and no key is set", "set " + varKey + " to the key that the hashes were made with"}
	}
	l.hashes[sum(raw)] = struct{}{}
	return nil
}

func fault(what, hint string) *functions.Error {
	return functions.Errorf(functions.FailedPrecondition, "%s", what).WithHint(hint)
}
