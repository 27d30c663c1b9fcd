package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/retentionops/retentionops/mcp/proof"
)

// process is a server that runs beside us.
type process struct {
	url  string
	cmd  *exec.Cmd
	in   io.WriteCloser
	said *bufio.Reader
}

// begin starts a server; it listens when begin comes back.
func begin(name, function string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, "-serve", name, "-function", function)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.said = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := p.said.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s did not start: %w", name, err)
	}
	p.url = line[:len(line)-1]
	return p, nil
}

func (p *process) end() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}

func (p *process) used() (u usage, err error) {
	if _, err = fmt.Fprintln(p.in); err != nil {
		return u, err
	}
	line, err := p.said.ReadBytes('\n')
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(line, &u)
}

// asked is a request that is sent over and over.
type asked struct {
	path   string
	body   []byte
	header http.Header
	holds  string // what its answer must contain
}

const (
	modern = "2026-07-28"
	legacy = "2025-11-25"
)

func legacyMessage(id int, method, params string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params)
}

func legacyHeaders(header http.Header, _, _ string) {
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "application/json, text/event-stream")
	header.Set("MCP-Protocol-Version", legacy)
}

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"load","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

// call asks for a tool in an era.
func call(era, tool string) asked {
	a := asked{path: "/mcp", header: http.Header{}, holds: `"structuredContent":{`}
	legacyHeaders(a.header, "", "")
	if era == legacy {
		a.body = legacyMessage(7, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, proof.Arguments[tool]))
		return a
	}
	a.body = legacyMessage(7, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s,%s}`, tool, proof.Arguments[tool], modernMeta))
	a.header.Set("MCP-Protocol-Version", modern)
	a.header.Set("Mcp-Method", "tools/call")
	a.header.Set("Mcp-Name", tool)
	return a
}

// list asks for the tools.
func list(era string) asked {
	a := asked{path: "/mcp", header: http.Header{}, holds: `"tools":[{`, body: legacyMessage(7, "tools/list", "{}")}
	legacyHeaders(a.header, "", "")
	if era == modern {
		a.body = legacyMessage(7, "tools/list", "{"+modernMeta+"}")
		a.header.Set("MCP-Protocol-Version", modern)
		a.header.Set("Mcp-Method", "tools/list")
	}
	return a
}

// direct asks the function itself.
func direct() asked {
	const tool = "get_alert_decision"
	return asked{path: "/" + tool, body: []byte(proof.Arguments[tool]), header: http.Header{"Content-Type": {"application/json"}}, holds: `"severity":`}
}

// measured is what a load came to.
type measured struct {
	PerSecond float64 `json:"requests_per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	CPU       float64 `json:"cpu_ms_per_request"` // of the server's processes together
}

// load has so many clients ask one after another for a while, each on its own connection, and looks at every answer.
func load(url string, what []asked, clients int, lasts time.Duration, processes ...*process) (m measured, err error) {
	before, err := cpu(processes)
	if err != nil {
		return m, err
	}
	var all sync.WaitGroup
	took, faults := make([][]time.Duration, clients), make([]error, clients)
	began := time.Now()
	for i := range clients {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			for n := i; time.Since(began) < lasts; n++ {
				start := time.Now()
				if faults[i] = once(client, url, what[n%len(what)]); faults[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	all.Wait()
	elapsed := time.Since(began)
	after, err := cpu(processes)
	if err := errors.Join(append(faults, err)...); err != nil {
		return m, err
	}
	every := slices.Concat(took...)
	slices.Sort(every)
	m.PerSecond = float64(len(every)) / elapsed.Seconds()
	m.P50, m.P99 = milliseconds(every[len(every)/2]), milliseconds(every[len(every)*99/100])
	m.CPU = milliseconds(after-before) / float64(len(every))
	return m, nil
}

func cpu(processes []*process) (sum time.Duration, err error) {
	for _, p := range processes {
		used, err := p.used()
		if err != nil {
			return 0, err
		}
		sum += time.Duration(used.CPU)
	}
	return sum, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// once asks once, and holds the answer against what it must contain.
func once(client *http.Client, url string, what asked) error {
	request, err := http.NewRequest(http.MethodPost, url+what.path, bytes.NewReader(what.body))
	if err != nil {
		return err
	}
	request.Header = what.header
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(what.holds)) || bytes.Contains(answer, []byte(`"isError":true`)) {
		return fmt.Errorf("%s: %d %.300s", what.body, response.StatusCode, answer)
	}
	return nil
}
