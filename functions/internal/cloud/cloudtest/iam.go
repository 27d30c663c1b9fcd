package cloudtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

// IAM is IAM Credentials with one service account, behind the check of its discovery document and a script.
type IAM struct {
	Script  Script
	Address string
	Account string
	Key     *rsa.PrivateKey // of the account
}

// NewIAM starts IAM Credentials.
func NewIAM(tb testing.TB, account string) *IAM {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	i := &IAM{Account: account, Key: key}
	document := discoverytest.Load(tb, "iamcredentials/v1")
	i.Address = Serve(tb, i.Script.Before(document.Handler(tb, func(w http.ResponseWriter, _ *http.Request, call *discoverytest.Call) {
		body, _ := call.Body.(map[string]any)
		payload, _ := body["payload"].(string)
		text, err := base64.StdEncoding.DecodeString(payload)
		switch {
		case call.Method != "iamcredentials.projects.serviceAccounts.signBlob":
			tb.Errorf("the stand-in of IAM does not know %s", call.Method)
			return
		case call.Params["serviceAccountsId"] != account || call.Params["projectsId"] != "-":
			discoverytest.Fault(w, http.StatusNotFound, "NOT_FOUND", "notFound", "Unknown service account")
			return
		case err != nil || len(text) == 0:
			discoverytest.Fault(w, http.StatusBadRequest, "INVALID_ARGUMENT", "invalid", "no payload")
			return
		}
		signature, err := i.Sign(text)
		answer, marshalErr := json.Marshal(map[string]string{"keyId": "1", "signedBlob": base64.StdEncoding.EncodeToString(signature)})
		if err := errors.Join(err, marshalErr, document.CheckAnswer(call.Method, answer)); err != nil {
			tb.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // the client may have gone
	})))
	return i
}

// Sign signs as the account does.
func (i *IAM) Sign(text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	return rsa.SignPKCS1v15(rand.Reader, i.Key, crypto.SHA256, sum[:])
}
