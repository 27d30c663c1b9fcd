package discoverytest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/discoverytest"
)

func request(method, url, body string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func TestARequestIsFoundInItsDocument(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		api     string
		request *http.Request
		want    discoverytest.Call
	}{
		{
			"sheets/v4", request("PUT", "/v4/spreadsheets/x/values/a%2Fb%21A1%3AB2?valueInputOption=RAW", `{"values":[["a",1.50]]}`),
			discoverytest.Call{Method: "sheets.spreadsheets.values.update", Params: map[string]string{"spreadsheetId": "x", "range": "a/b!A1:B2"}},
		},
		{
			"sheets/v4", request("POST", "/v4/spreadsheets/x:batchUpdate", `{"requests":[{"deleteSheet":{"sheetId":3}}]}`),
			discoverytest.Call{Method: "sheets.spreadsheets.batchUpdate", Params: map[string]string{"spreadsheetId": "x"}},
		},
		{
			"sheets/v4", request("GET", "/v4/spreadsheets/x?fields=sheets(properties(sheetId,title),data/rowData),spreadsheetId", ""),
			discoverytest.Call{Method: "sheets.spreadsheets.get", Params: map[string]string{"spreadsheetId": "x"}},
		},
		{
			"bigquery/v2", request("POST", "/bigquery/v2/projects/p/queries?prettyPrint=false", `{"query":"SELECT 1","timeoutMs":10,"maximumBytesBilled":"5"}`),
			discoverytest.Call{Method: "bigquery.jobs.query", Params: map[string]string{"projectId": "p"}},
		},
		{ // a client with an endpoint of its own leaves the first part of the path out
			"bigquery/v2", request("GET", "/projects/p/datasets/d/tables/t/data?maxResults=10", ""),
			discoverytest.Call{Method: "bigquery.tabledata.list", Params: map[string]string{"projectId": "p", "datasetId": "d", "tableId": "t"}},
		},
		{
			"storage/v1", request("GET", "/storage/v1/b/bucket/o/a%2Fb?alt=media&ifGenerationMatch=7", ""),
			discoverytest.Call{Method: "storage.objects.get", Params: map[string]string{"bucket": "bucket", "object": "a/b"}},
		},
		{
			"storage/v1", request("PUT", "/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id=1", "media"),
			discoverytest.Call{Method: "storage.objects.insert", Upload: true, Params: map[string]string{"bucket": "bucket"}},
		},
		{
			"iamcredentials/v1", request("POST", "/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:signBlob", `{"payload":"aGk="}`),
			discoverytest.Call{
				Method: "iamcredentials.projects.serviceAccounts.signBlob",
				Params: map[string]string{"projectsId": "-", "serviceAccountsId": "a@b.iam.gserviceaccount.com"},
			},
		},
	} {
		got, err := discoverytest.Load(t, row.api).Check(row.request)
		if err != nil {
			t.Errorf("%s: %v", row.request.URL, err)
			continue
		}
		got.Query, got.Body = nil, nil
		if diff := cmp.Diff(&row.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", row.request.URL, diff)
		}
	}
}

func TestARequestAtFaultIsTold(t *testing.T) {
	t.Parallel()
	const values, batch = "/v4/spreadsheets/x/values/A1?valueInputOption=RAW", "/v4/spreadsheets/x:batchUpdate"
	for _, row := range []struct{ method, url, body, want string }{
		{"POST", "/v4/spreadsheets/x/tabs", "", "no method is called by POST /v4/spreadsheets/x/tabs"},
		{"DELETE", "/v4/spreadsheets/x", "", "no method is called by DELETE /v4/spreadsheets/x"},
		{"GET", "/v4/spreadsheets/x?tab=1", "", `takes no "tab"`},
		{"GET", "/v4/spreadsheets/x?includeGridData=yes", "", "is no boolean"},
		{"GET", "/v4/spreadsheets/x?prettyPrint=true&prettyPrint=false", "", "given 2 times"},
		{"GET", "/v4/spreadsheets/x?fields=sheets.properties.name", "", `no field "name"`},
		{"GET", "/v4/spreadsheets/x?fields=sheets(properties", "", "not closed"},
		{"GET", "/v4/spreadsheets/x?fields=sheets)", "", "left over"},
		{"GET", "/v4/spreadsheets/x", "{}", "takes no body"},
		{"PUT", "/v4/spreadsheets/x/values/A1?valueInputOption=raw", "{}", `"raw" is none of`},
		{"PUT", values, `{"values":[["a"]],"sheet":"b"}`, `body has no field "sheet"`},
		{"PUT", values, `{"values":["a"]}`, "body.values[0] is no array"},
		{"PUT", values, `[]`, "body is no object"},
		{"PUT", values, `{} {}`, "more than one JSON value"},
		{"PUT", values, `{`, "body: unexpected EOF"},
		{"POST", batch, `{"requests":[{"deleteSheet":{"sheetId":"3"}}]}`, "body.requests[0].deleteSheet.sheetId: 3 (string) is no integer"},
		{"POST", batch, `{"requests":[{"deleteSheet":{"sheetId":3000000000}}]}`, "value out of range"},
		{"POST", batch, `{"requests":[{"copyPaste":{"pasteType":"ALL"}}]}`, `"ALL" is none of`},
		{"POST", batch, `{"requests":[{"repeatCell":{"fields":"a b"}}]}`, "no field mask"},
	} {
		_, err := discoverytest.Load(t, "sheets/v4").Check(request(row.method, row.url, row.body))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s %s %s: %v, want %s", row.method, row.url, row.body, err, row.want)
		}
	}
}

func TestAnUploadIsCheckedAndStillWhole(t *testing.T) {
	t.Parallel()
	const head, media = "--b\r\nContent-Type: application/json\r\n\r\n", "\r\n--b\r\nContent-Type: text/csv\r\n\r\na,b\r\n--b--\r\n"
	for text, want := range map[string]string{`{"contentType":"text/csv"}`: "", `{"content_type":"text/csv"}`: `no field "content_type"`} {
		r := request("POST", "/upload/storage/v1/b/bucket/o?uploadType=multipart&name=x&ifGenerationMatch=0", head+text+media)
		r.Header.Set("Content-Type", "multipart/related; boundary=b")
		_, err := discoverytest.Load(t, "storage/v1").Check(r)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != head+text+media {
			t.Errorf("%s: the body is now %q, %v", text, body, err)
		}
	}
	job := request("POST", "/upload/bigquery/v2/projects/p/jobs?uploadType=multipart", head+`{"configuration":{"load":{"autoDetect":false}}}`+media)
	job.Header.Set("Content-Type", "multipart/related; boundary=b")
	if _, err := discoverytest.Load(t, "bigquery/v2").Check(job); err == nil || !strings.Contains(err.Error(), `body.configuration.load has no field "autoDetect"`) {
		t.Errorf("a job with an unknown field: %v", err)
	}
}

func TestAnAnswerIsCheckedToo(t *testing.T) {
	t.Parallel()
	d := discoverytest.Load(t, "sheets/v4")
	for body, good := range map[string]bool{
		`{"spreadsheetId":"x","sheets":[{"properties":{"sheetId":1,"title":"a"}}]}`: true,
		`{"spreadsheetId":"x","tabs":[]}`:                                           false,
		`{"spreadsheetId":1}`:                                                       false,
	} {
		if err := d.CheckAnswer("sheets.spreadsheets.get", []byte(body)); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
	if err := d.CheckMask("SheetProperties", "title,gridProperties.rowCount"); err != nil {
		t.Error(err)
	}
	if err := d.CheckMask("SheetProperties", "gridProperties.rows"); err == nil {
		t.Error("a mask with an unknown field passes")
	}
	if err := d.CheckValue("SheetProperties", []byte(`{"gridProperties":{"frozenRowCount":1}}`)); err != nil {
		t.Error(err)
	}
}

// A fake stands behind the check and gets the call read.
func ExampleDocument_Handler() {
	t := &testing.T{} // a test's own
	fake := discoverytest.Load(t, "sheets/v4").Handler(t, func(w http.ResponseWriter, _ *http.Request, call *discoverytest.Call) {
		io.WriteString(w, call.Method+" of "+call.Params["spreadsheetId"])
	})
	answer := httptest.NewRecorder()
	fake.ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v4/spreadsheets/abc", nil))
	fmt.Println(answer.Body)
	// Output: sheets.spreadsheets.get of abc
}
