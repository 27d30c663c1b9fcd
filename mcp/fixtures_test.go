//go:build integration

package mcp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/retentionops/retentionops/functions"
)

// The official suite calls tools, resources and prompts by names of its own and knows what each should do. They live in
// the test binary alone. What they answer is given here as it goes over the wire; PNG and WAV stand for tiny files.

var fixedTools = map[string]string{
	"test_simple_text":       `{"content": [{"type": "text", "text": "This is a simple text response for testing."}]}`,
	"test_image_content":     `{"content": [{"type": "image", "mimeType": "image/png", "data": "PNG"}]}`,
	"test_audio_content":     `{"content": [{"type": "audio", "mimeType": "audio/wav", "data": "WAV"}]}`,
	"test_embedded_resource": `{"content": [{"type": "resource", "resource": {"uri": "test://embedded-resource", "mimeType": "text/plain", "text": "This is an embedded resource content."}}]}`,
	"test_multiple_content_types": `{"content": [{"type": "text", "text": "Multiple content types test:"}, {"type": "image", "mimeType": "image/png", "data": "PNG"},
		{"type": "resource", "resource": {"uri": "test://mixed-content-resource", "mimeType": "application/json", "text": "{\"test\":\"data\",\"value\":123}"}}]}`,
	"test_error_handling":     `{"isError": true, "content": [{"type": "text", "text": "This tool intentionally returns an error for testing"}]}`,
	"test_missing_capability": `{"content": [{"type": "text", "text": "the client can sample"}]}`, // behind a gate
}

// schemaTools are looked at for what their input schema says.
var schemaTools = map[string]string{
	"json_schema_2020_12_tool": `{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
		"properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}, "contactMethod": {"type": "string", "enum": ["phone", "email"]},
			"phone": {"type": "string"}, "email": {"type": "string"}},
		"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
		"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
		"then": {"required": ["phone"]}, "else": {"required": ["email"]}, "additionalProperties": false}`,
	"test_x_mcp_header": `{"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}, "required": ["region"]}`,
}

const (
	askName  = `"method": "elicitation/create", "params": {"message": "What is your name?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}`
	askColor = `"method": "elicitation/create", "params": {"message": "Step 2: What is your favorite color?", "requestedSchema": {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}}`
	askOK    = `"method": "elicitation/create", "params": {"message": "Please confirm", "requestedSchema": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}}`
	askModel = `"method": "sampling/createMessage", "params": {"messages": [{"role": "user", "content": {"type": "text", "text": "What is the capital of France?"}}], "maxTokens": 100}`
	askRoots = `"method": "roots/list", "params": {}`
)

// askingTools want to hear more before they answer: what, round by round. Those with a seal keep in it how far they are.
var askingTools = map[string]struct {
	sealed bool
	rounds []string
}{
	"test_streaming_elicitation":                 {false, []string{`{"user_name": {` + askName + `}}`}},
	"test_input_required_result_elicitation":     {false, []string{`{"user_name": {` + askName + `}}`}},
	"test_input_required_result_sampling":        {false, []string{`{"capital_question": {` + askModel + `}}`}},
	"test_input_required_result_list_roots":      {false, []string{`{"client_roots": {` + askRoots + `}}`}},
	"test_input_required_result_capabilities":    {false, []string{`{"user_name": {` + askName + `}, "greeting": {` + askModel + `}}`}},
	"test_input_required_result_request_state":   {true, []string{`{"confirm": {` + askOK + `}}`}},
	"test_input_required_result_tampered_state":  {true, []string{`{"confirm": {` + askOK + `}}`}},
	"test_input_required_result_multiple_inputs": {true, []string{`{"user_name": {` + askName + `}, "greeting": {` + askModel + `}, "client_roots": {` + askRoots + `}}`}},
	"test_input_required_result_multi_round":     {true, []string{`{"step1": {` + askName + `}}`, `{"step2": {` + askColor + `}}`}},
}

var fixedPrompts = map[string]string{
	"test_simple_prompt":         `{"messages": [{"role": "user", "content": {"type": "text", "text": "This is a simple prompt for testing."}}]}`,
	"test_prompt_with_arguments": `{"messages": [{"role": "user", "content": {"type": "text", "text": "Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"}}]}`,
	"test_prompt_with_embedded_resource": `{"messages": [{"role": "user", "content": {"type": "resource", "resource": {"uri": "{resourceUri}", "mimeType": "text/plain", "text": "Embedded resource content for testing."}}},
		{"role": "user", "content": {"type": "text", "text": "Please process the embedded resource above."}}]}`,
	"test_prompt_with_image": `{"messages": [{"role": "user", "content": {"type": "image", "mimeType": "image/png", "data": "PNG"}},
		{"role": "user", "content": {"type": "text", "text": "Please analyze the image above."}}]}`,
	"test_input_required_result_prompt": `{"messages": [{"role": "user", "content": {"type": "text", "text": "It uses what was asked for."}}]}`,
}

var promptArguments = map[string][]string{
	"test_prompt_with_arguments":         {"arg1", "arg2"},
	"test_prompt_with_embedded_resource": {"resourceUri"},
}

// fixtures are a gateway with what the suite calls.
type fixtures struct {
	*Gateway
	t     *testing.T
	files *strings.Replacer
}

func addFixtures(t *testing.T, g *Gateway) {
	t.Helper()
	f := &fixtures{Gateway: g, t: t, files: tinyFiles(t)}
	for name, answer := range fixedTools {
		result := read[mcpgo.CallToolResult](t, f.files.Replace(answer))
		f.tool(name, `{"type": "object"}`, func(context.Context, mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) { return &result, nil })
	}
	for name, schema := range schemaTools {
		f.tool(name, schema, func(context.Context, mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) {
			return mcpgo.NewToolResultText("ok"), nil
		})
	}
	for name, tool := range askingTools {
		var rounds []mcpgo.InputRequests
		for _, round := range tool.rounds {
			rounds = append(rounds, read[mcpgo.InputRequests](t, round))
		}
		f.tool(name, `{"type": "object"}`, asking(name, tool.sealed, rounds))
	}
	f.tool("test_tool_with_progress", `{"type": "object"}`, f.progress)
	f.tool("test_logging_tool", `{"type": "object"}`, logging)
	f.resources()
	for name, answer := range fixedPrompts {
		f.prompt(name, answer)
	}
}

func read[T any](t *testing.T, text string) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func (f *fixtures) tool(name, schema string, handler server.ToolHandlerFunc) {
	definition := mcpgo.NewToolWithRawSchema(name, "A fixture of the conformance suite.", json.RawMessage(schema))
	f.tools[name] = forms{whole: &offered{definition: definition}}
	f.mcp.AddTool(definition, handler)
}

// progress reports as our own tools do.
func (f *fixtures) progress(ctx context.Context, call mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) {
	report := f.reporter(ctx, call.Params.Meta)
	for _, step := range []int{0, 50, 100} {
		report(functions.Progress{Message: "step", Step: step, Steps: 100})
		time.Sleep(50 * time.Millisecond) // the suite asks for it
	}
	return mcpgo.NewToolResultText("done"), nil
}

// logging tries to log to a client, who has not asked for it.
func logging(ctx context.Context, _ mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) {
	message := mcpgo.NewLoggingMessageNotification(mcpgo.LoggingLevelInfo, "fixture", "a line")
	_ = server.ServerFromContext(ctx).SendLogMessageToClient(ctx, message) // nobody listens
	return mcpgo.NewToolResultText("done"), nil
}

// asking makes a tool that asks round by round for what the client can give, and asks again for what is missing.
func asking(name string, sealed bool, rounds []mcpgo.InputRequests) server.ToolHandlerFunc {
	return func(ctx context.Context, call mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) {
		round := 0
		if state := call.Params.RequestState; sealed && state != "" {
			for state != seal(name, round) {
				if round++; round == len(rounds) {
					return nil, errors.New("the state is not what was sent")
				}
			}
		}
		if allGiven(rounds[round], call.Params.InputResponses) {
			if round++; round == len(rounds) {
				given, err := json.Marshal(call.Params.InputResponses)
				return mcpgo.NewToolResultText("state-ok " + string(given)), err
			}
		}
		asked := server.NewInputRequestBuilder("")
		if sealed {
			asked.RequestState(seal(name, round))
		}
		result := asked.ToolResult()
		result.InputRequests = maps.Clone(rounds[round])
		maps.DeleteFunc(result.InputRequests, func(_ string, request mcpgo.InputRequest) bool { return !can(ctx, request.Method) })
		return result, nil
	}
}

func seal(name string, round int) string {
	sum := hmac.New(sha256.New, []byte("the key of a fixture"))
	fmt.Fprint(sum, name, round)
	return hex.EncodeToString(sum.Sum(nil))
}

// allGiven tells whether everything is there and is what it should be.
func allGiven(asked mcpgo.InputRequests, given mcpgo.InputResponses) bool {
	for id, request := range asked {
		response, there := given[id]
		if !there || response.DecodeFor(request.Method) != nil || response.Elicitation != nil && response.Elicitation.Action == "" {
			return false
		}
	}
	return true
}

// can tells whether this client, as it says with this very request, can answer.
func can(ctx context.Context, method mcpgo.MCPMethod) bool {
	known := server.RequestProtocolInfoFromContext(ctx)
	switch method {
	case mcpgo.MethodElicitationCreate:
		return known != nil && known.ClientCapabilities.Elicitation != nil
	case mcpgo.MethodSamplingCreateMessage:
		return known != nil && known.ClientCapabilities.Sampling != nil
	default:
		return true
	}
}

func (f *fixtures) resources() {
	text := mcpgo.TextResourceContents{URI: "test://static-text", MIMEType: "text/plain", Text: "This is the content of the static text resource."}
	binary := mcpgo.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: f.files.Replace("PNG")}
	for uri, contents := range map[string]mcpgo.ResourceContents{text.URI: text, binary.URI: binary} {
		resource := mcpgo.NewResource(uri, strings.TrimPrefix(uri, "test://"), mcpgo.WithResourceDescription("A fixture of the conformance suite."))
		f.mcp.AddResource(resource, func(context.Context, mcpgo.ReadResourceRequest) ([]mcpgo.ResourceContents, error) {
			return []mcpgo.ResourceContents{contents}, nil
		})
	}
	template := mcpgo.NewResourceTemplate("test://template/{id}/data", "template", mcpgo.WithTemplateDescription("A fixture of the conformance suite."))
	f.mcp.AddResourceTemplate(template, func(_ context.Context, asked mcpgo.ReadResourceRequest) ([]mcpgo.ResourceContents, error) {
		ids, _ := asked.Params.Arguments["id"].([]string)
		filled := fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, ids[0], ids[0])
		return []mcpgo.ResourceContents{mcpgo.TextResourceContents{URI: asked.Params.URI, MIMEType: mediaJSON, Text: filled}}, nil
	})
}

func (f *fixtures) prompt(name, answer string) {
	options := []mcpgo.PromptOption{mcpgo.WithPromptDescription("A fixture of the conformance suite.")}
	for _, argument := range promptArguments[name] {
		options = append(options, mcpgo.WithArgument(argument, mcpgo.RequiredArgument()))
	}
	f.mcp.AddPrompt(mcpgo.NewPrompt(name, options...), func(_ context.Context, asked mcpgo.GetPromptRequest) (*mcpgo.GetPromptResult, error) {
		wants := read[mcpgo.InputRequests](f.t, `{"user_context": {`+askName+`}}`)
		if strings.Contains(name, "input_required") && !allGiven(wants, asked.Params.InputResponses) {
			result := server.NewInputRequestBuilder("").PromptResult()
			result.InputRequests = wants
			return result, nil
		}
		filled := f.files.Replace(answer)
		for argument, value := range asked.Params.Arguments {
			filled = strings.ReplaceAll(filled, "{"+argument+"}", value)
		}
		raw := json.RawMessage(filled)
		return mcpgo.ParseGetPromptResult(&raw)
	})
}

// gate answers for a tool that the client cannot serve: a handler of mcp-go has no say in the code of an error (B5). Our
// own tools need none, they ask in another way.
func gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var message struct {
			ID     json.RawMessage
			Params struct {
				Name string
				Meta map[string]json.RawMessage `json:"_meta"`
			}
		}
		_ = json.Unmarshal(body, &message)
		capabilities := message.Params.Meta["io.modelcontextprotocol/clientCapabilities"]
		if message.Params.Name != "test_missing_capability" || capabilities == nil || bytes.Contains(capabilities, []byte(`"sampling"`)) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"jsonrpc": "2.0", "id": %s, "error": {"code": -32021, "message": "needs sampling", "data": {"requiredCapabilities": {"sampling": {}}}}}`, message.ID)
	})
}

// tinyFiles puts a picture of one pixel and a sound of no length in the place of their names.
func tinyFiles(t *testing.T) *strings.Replacer {
	t.Helper()
	pixel := image.NewRGBA(image.Rect(0, 0, 1, 1))
	pixel.Set(0, 0, color.RGBA{R: 255, A: 255})
	var picture bytes.Buffer
	if err := png.Encode(&picture, pixel); err != nil {
		t.Fatal(err)
	}
	const sound = "RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"
	encode := base64.StdEncoding.EncodeToString
	return strings.NewReplacer("PNG", encode(picture.Bytes()), "WAV", encode([]byte(sound)))
}
