package door

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// keysTimeout bounds the fetch of signing keys, the search for them included.
	keysTimeout = 5 * time.Second
	maxKeys     = 256 << 10 // bytes of a document of the issuer

	// Whoever sends a token with a key id of his own makes us look for newer keys: no more often than this.
	keysPause = 30 * time.Second
	keysRetry = 5 * time.Second // the same after a fetch that went wrong

	// A key that the issuer has withdrawn is found out after an hour. While the issuer does not answer, what is known
	// of it serves for a day.
	keysFresh  = time.Hour
	keysUsable = 24 * time.Hour
)

// issuerKeys are the keys of an issuer: fetched by the first token, kept, and fetched anew by a token that none of them
// has signed.
type issuerKeys struct {
	issuer, configured string
	client             *http.Client
	now                func() time.Time

	known atomic.Pointer[keysKnown]
	turn  chan struct{} // held by who fetches
	found string        // where the metadata says that the keys are; for who has the turn
}

// keysKnown is what is known of the keys at a time.
type keysKnown struct {
	keys           []jose.JSONWebKey
	fetched, tried time.Time
	fault          error // of the last try
}

func newIssuerKeys(issuer, configured string, now func() time.Time) *issuerKeys {
	k := &issuerKeys{issuer: issuer, configured: configured, now: now, turn: make(chan struct{}, 1), client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	k.known.Store(&keysKnown{})
	return k
}

// verify gives the payload of a token that one of the keys has signed. The fault is set when it could not be found out.
func (k *issuerKeys) verify(ctx context.Context, signed *jose.JSONWebSignature) (payload []byte, fault, err error) {
	known := k.known.Load()
	payload, ok := known.verify(signed)
	age := k.now().Sub(known.fetched)
	if ok && age < keysFresh {
		return payload, nil, nil
	}
	newer := k.refresh(ctx, known, ok && age < keysUsable)
	if newer != known {
		payload, ok = newer.verify(signed)
	}
	if ok && k.now().Sub(newer.fetched) < keysUsable {
		return payload, nil, nil
	}
	return nil, newer.fault, errors.New("no key of the issuer has signed the token")
}

// verify tries the keys of the id that the token names, or all when it names none.
func (k *keysKnown) verify(signed *jose.JSONWebSignature) (payload []byte, ok bool) {
	id := signed.Signatures[0].Header.KeyID
	for i := range k.keys {
		if key := &k.keys[i]; id == "" || key.KeyID == id {
			if payload, err := signed.Verify(key); err == nil {
				return payload, true
			}
		}
	}
	return nil, false
}

// refresh fetches the keys, unless somebody has just done so. Who can go on with those that it has does not wait for
// another's fetch.
func (k *issuerKeys) refresh(ctx context.Context, had *keysKnown, usable bool) *keysKnown {
	select {
	case k.turn <- struct{}{}:
	default:
		if usable {
			return had
		}
		select {
		case k.turn <- struct{}{}:
		case <-ctx.Done():
			return &keysKnown{fault: ctx.Err()}
		}
	}
	defer func() { <-k.turn }()
	known, now := k.known.Load(), k.now()
	pause := keysPause
	if known.fault != nil {
		pause = keysRetry
	}
	if now.Sub(known.tried) < pause {
		return known
	}
	newer := &keysKnown{keys: known.keys, fetched: known.fetched, tried: now}
	// Who hangs up must not stop a fetch that others wait for, nor use up their turn.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	if keys, err := k.fetch(ctx); err != nil {
		newer.fault = err
	} else {
		newer.keys, newer.fetched = keys, now
	}
	k.known.Store(newer)
	return newer
}

func (k *issuerKeys) fetch(ctx context.Context) (keys []jose.JSONWebKey, err error) {
	address := k.configured
	if address == "" && k.found == "" {
		if k.found, err = k.locate(ctx); err != nil {
			return nil, err
		}
	}
	if address == "" {
		address = k.found
	}
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.read(ctx, address, &document); err != nil {
		k.found = "" // it may have moved
		return nil, err
	}
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		// One of a kind that is not known here, or that encrypts, is no reason to do without the others.
		if json.Unmarshal(raw, &key) == nil && key.Use != "enc" && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the issuer has no key that verifies")
	}
	return keys, nil
}

// locate asks the issuer's metadata where its keys are, at the places of RFC 8414 and of OpenID Connect Discovery.
func (k *issuerKeys) locate(ctx context.Context) (string, error) {
	issuer, err := url.Parse(k.issuer)
	if err != nil {
		return "", err
	}
	base, path := issuer.Scheme+"://"+issuer.Host, strings.TrimSuffix(issuer.Path, "/")
	places := []string{base + "/.well-known/oauth-authorization-server" + path, base + path + "/.well-known/openid-configuration"}
	if path != "" {
		places = append(places, base+"/.well-known/openid-configuration"+path)
	}
	var faults []error
	for _, place := range places {
		var metadata struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		if err := k.read(ctx, place, &metadata); err != nil {
			faults = append(faults, err)
			continue
		}
		// Another's metadata would name another's keys.
		if metadata.Issuer != k.issuer {
			faults = append(faults, fmt.Errorf("%s is of the issuer %.100q", place, metadata.Issuer))
			continue
		}
		if err := CheckAddress(metadata.Keys); err != nil {
			faults = append(faults, fmt.Errorf("%s: jwks_uri %w", place, err))
			continue
		}
		return metadata.Keys, nil
	}
	return "", errors.Join(faults...)
}

// read reads a JSON document of the issuer.
func (k *issuerKeys) read(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	response, err := k.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", address, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeys+1))
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", address, err)
	case len(body) > maxKeys:
		return fmt.Errorf("%s is larger than %d bytes", address, maxKeys)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read %s: %w", address, err)
	}
	return nil
}
