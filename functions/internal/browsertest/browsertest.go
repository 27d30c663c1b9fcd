// Package browsertest opens a page in a real browser and tells what the page holds, what it asked for and what it
// complained of. Tests use it that carry the build tag integration.
//
// It is no way to drive an application: it visits one page, looks, and closes.
package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// longest is how long a visit may take in all. A machine with much else to do starts a browser slowly.
const longest = 60 * time.Second

// patience is how long something on a page may take to come true.
const patience = 25 * time.Second

// Page is an open page.
type Page struct {
	// Requests are the addresses that the page and its frames asked for, without its own.
	Requests []string
	// Complaints are errors, warnings, and refusals of the content security policy, of the page and its frames.
	Complaints []string
	// Said is what scripts wrote to the console.
	Said []string

	t       *testing.T
	browser *browser
	session string
	frames  []string // sessions of the frames that have a process of their own, as a sandboxed one has
	address string
	width   int
	loaded  bool
}

// Open opens a file of this machine and waits until it is loaded. A machine without Chromium fails the test: who asks
// for integration tests wants to know.
func Open(t *testing.T, file string) *Page {
	t.Helper()
	absolute, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	return Visit(t, (&url.URL{Scheme: "file", Path: absolute}).String())
}

// Visit opens an address, as Open does a file.
func Visit(t *testing.T, address string) *Page {
	t.Helper()
	p := &Page{t: t, browser: start(t), address: address, width: 1440}
	p.browser.page = p
	target := send[struct{ TargetID string }](p, "", "Target.createTarget", arguments{"url": "about:blank"})
	p.session = send[struct{ SessionID string }](p, "", "Target.attachToTarget",
		arguments{"targetId": target.TargetID, "flatten": true}).SessionID
	p.listen(p.session)
	send[struct{}](p, p.session, "Page.enable", nil)
	send[struct{}](p, p.session, "Page.navigate", arguments{"url": p.address})
	for !p.loaded {
		p.browser.receive()
	}
	// An answer comes after everything that was told before it, of frames too once they are asked themselves.
	p.Eval("document.readyState")
	return p
}

// Dress makes the page as wide as this, and light or dark.
func (p *Page) Dress(width int, scheme string) {
	p.t.Helper()
	p.width = width
	p.resize(900)
	send[struct{}](p, p.session, "Emulation.setEmulatedMedia",
		arguments{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
}

func (p *Page) resize(height any) {
	send[struct{}](p, p.session, "Emulation.setDeviceMetricsOverride",
		arguments{"width": p.width, "height": height, "deviceScaleFactor": 1, "mobile": false})
}

// Await waits until an expression in the page is true, and gives its value.
func (p *Page) Await(expression string) any {
	p.t.Helper()
	return p.await(expression, p.Eval)
}

// AwaitFrame is the same in the first sandboxed frame.
func (p *Page) AwaitFrame(expression string) any {
	p.t.Helper()
	for len(p.frames) == 0 {
		p.browser.receive()
	}
	return p.await(expression, p.EvalFrame)
}

func (p *Page) await(expression string, eval func(string) any) any {
	p.t.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(50 * time.Millisecond) {
		if value := eval(expression); value != nil && value != false && value != "" {
			return value
		}
	}
	p.t.Fatalf("%s does not come true", expression)
	return nil
}

// listen asks a session to tell what goes on in it, and in frames that have a process of their own.
func (p *Page) listen(session string) {
	for _, domain := range []string{"Runtime.enable", "Log.enable", "Network.enable"} {
		send[struct{}](p, session, domain, nil)
	}
	send[struct{}](p, session, "Target.setAutoAttach", arguments{"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true})
	send[struct{}](p, session, "Runtime.runIfWaitingForDebugger", nil)
}

// Eval is the value of an expression in the page, asked from outside: the page's own policy does not hold for it.
func (p *Page) Eval(expression string) any {
	p.t.Helper()
	return p.eval(p.session, expression)
}

// EvalFrame is the same in the first sandboxed frame of the page.
func (p *Page) EvalFrame(expression string) any {
	p.t.Helper()
	if len(p.frames) == 0 {
		p.t.Fatal("the page has no sandboxed frame")
	}
	return p.eval(p.frames[0], expression)
}

func (p *Page) eval(session, expression string) any {
	p.t.Helper()
	answer := send[struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
		ExceptionDetails any `json:"exceptionDetails"`
	}](p, session, "Runtime.evaluate", arguments{"expression": expression, "returnByValue": true, "awaitPromise": true})
	if answer.ExceptionDetails != nil {
		p.t.Fatalf("%s: %v", expression, answer.ExceptionDetails)
	}
	return answer.Result.Value
}

// Screenshot writes a picture of the whole page, wide as a laptop's screen unless it was dressed otherwise, to the test's
// artifacts: go test -artifacts keeps them.
func (p *Page) Screenshot(name string) {
	p.t.Helper()
	p.resize(900)
	p.resize(p.Eval("document.documentElement.scrollHeight")) // what is out of sight is not drawn in frames
	for range 2 {
		p.Eval("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
	}
	shot := send[struct {
		Data []byte `json:"data"`
	}](p, p.session, "Page.captureScreenshot", arguments{"format": "png"})
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name), shot.Data, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// heard takes in what the browser tells by itself.
func (p *Page) heard(session, method string, params json.RawMessage) {
	var event struct {
		SessionID  string                `json:"sessionId"`
		TargetInfo struct{ Type string } `json:"targetInfo"`
		Args       []struct {
			Value       any    `json:"value"`
			Description string `json:"description"`
		} `json:"args"`
		Entry            struct{ Level, Text string } `json:"entry"`
		Request          struct{ URL string }         `json:"request"`
		ExceptionDetails struct{ Text string }        `json:"exceptionDetails"`
	}
	if err := json.Unmarshal(params, &event); err != nil {
		p.t.Fatalf("read %s: %v", method, err)
	}
	switch method {
	case "Page.loadEventFired":
		p.loaded = p.loaded || session == p.session
	case "Target.attachedToTarget":
		if event.TargetInfo.Type == "iframe" {
			p.browser.attached = append(p.browser.attached, event.SessionID)
		}
	case "Network.requestWillBeSent":
		if address := event.Request.URL; address != p.address && address != "about:srcdoc" {
			p.Requests = append(p.Requests, address)
		}
	case "Log.entryAdded":
		p.Complaints = append(p.Complaints, event.Entry.Level+": "+event.Entry.Text)
	case "Runtime.exceptionThrown":
		p.Complaints = append(p.Complaints, "exception: "+event.ExceptionDetails.Text)
	case "Runtime.consoleAPICalled":
		for _, arg := range event.Args {
			p.Said = append(p.Said, fmt.Sprint(arg.Value, arg.Description))
		}
	}
}

// arguments are what a command of the browser is called with.
type arguments map[string]any

// browser is a Chromium that is spoken to through two pipes (its DevTools protocol, --remote-debugging-pipe): JSON
// texts, each with a zero byte behind it.
type browser struct {
	t        *testing.T
	to       *os.File
	from     *bufio.Reader
	last     int
	answers  map[int]reply
	page     *Page
	attached []string // sessions of frames that nobody listens to yet
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// start starts a Chromium of its own, with a new profile, that asks nobody but the page for anything.
func start(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("no chromium: install the package chromium (%v)", err)
	}
	hears, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, speaks, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), longest)
	command := exec.CommandContext(ctx, program, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", //nolint:gosec // found on the path
		"--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "about:blank")
	command.ExtraFiles = []*os.File{hears, speaks} // descriptors 3 and 4
	if err := command.Start(); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	_, _ = hears.Close(), speaks.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from), answers: map[int]reply{}}
	t.Cleanup(func() {
		b.post("", "Browser.close", nil)
		_ = command.Wait() // it ends by itself, or by its deadline
		cancel()
		_, _ = to.Close(), from.Close()
	})
	return b
}

// post sends a command and does not wait.
func (b *browser) post(session, method string, params arguments) int {
	b.last++
	message := map[string]any{"id": b.last, "method": method}
	if session != "" {
		message["sessionId"] = session
	}
	if params != nil {
		message["params"] = params
	}
	data, err := json.Marshal(message)
	if err == nil {
		_, err = b.to.Write(append(data, 0))
	}
	if err != nil {
		b.t.Errorf("send %s: %v", method, err)
	}
	return b.last
}

// receive takes in one message of the browser.
func (b *browser) receive() {
	b.t.Helper()
	data, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser says no more: %v", err)
	}
	var message struct {
		ID        int             `json:"id"`
		SessionID string          `json:"sessionId"`
		Method    string          `json:"method"`
		Params    json.RawMessage `json:"params"`
		reply
	}
	if err := json.Unmarshal(data[:len(data)-1], &message); err != nil {
		b.t.Fatalf("read the browser's message: %v", err)
	}
	if message.Method == "" {
		b.answers[message.ID] = message.reply
		return
	}
	b.page.heard(message.SessionID, message.Method, message.Params)
	for len(b.attached) > 0 {
		session := b.attached[0]
		b.attached = slices.Delete(b.attached, 0, 1)
		b.page.frames = append(b.page.frames, session)
		b.page.listen(session)
	}
}

// send sends a command and waits for its answer.
func send[T any](p *Page, session, method string, params arguments) T {
	p.t.Helper()
	var value T
	id := p.browser.post(session, method, params)
	for {
		answer, there := p.browser.answers[id]
		if !there {
			p.browser.receive()
			continue
		}
		delete(p.browser.answers, id)
		if answer.Error != nil && !strings.Contains(answer.Error.Message, "Session with given id not found") {
			p.t.Fatalf("%s: %s", method, answer.Error.Message)
		}
		if len(answer.Result) > 0 {
			if err := json.Unmarshal(answer.Result, &value); err != nil {
				p.t.Fatalf("read the answer of %s: %v", method, err)
			}
		}
		return value
	}
}
