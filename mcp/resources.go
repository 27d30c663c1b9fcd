package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	mcpgo "github.com/mark3labs/mcp-go/mcp"

	"github.com/retentionops/retentionops/functions"
)

// The addresses of what can be read.
const (
	uriRules       = "retention://rules"
	uriRulesOf     = "retention://rules/{rules_version}"
	uriRulebook    = "retention://rulebook"
	uriRulebookOf  = "retention://rulebook/{rules_version}"
	uriVocabulary  = "retention://vocabulary"
	uriAlert       = "retention://alert/{date}"
	uriContext     = "retention://context/{date}"
	uriBrief       = "retention://brief/latest"
	uriBriefOf     = "retention://brief/{date}"
	uriRun         = "retention://run/{run_id}"
	uriRuns        = "retention://runs/{month}"
	uriExplanation = "retention://explanation/{date}/{customer_id}"
)

const (
	mediaJSON     = "application/json"
	mediaYAML     = "application/yaml"
	mediaMarkdown = "text/markdown"
)

// reading reads what stands at an address whose variables are known.
type reading func(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error)

func (g *Gateway) addResources() {
	fixed := func(uri, name, title, media, description string, read reading) {
		resource := mcpgo.NewResource(uri, name, mcpgo.WithResourceTitle(title), mcpgo.WithMIMEType(media), mcpgo.WithResourceDescription(description))
		g.mcp.AddResource(resource, g.resourceHandler(uri, read))
	}
	template := func(uri, name, title, media, description string, read reading) {
		resource := mcpgo.NewResourceTemplate(uri, name, mcpgo.WithTemplateTitle(title), mcpgo.WithTemplateMIMEType(media),
			mcpgo.WithTemplateDescription(description))
		g.mcp.AddResourceTemplate(resource, g.resourceHandler(uri, read))
	}
	fixed(uriRules, "rules", "Rules in force", mediaYAML, "The rule files that judge, as deployed, with their version.", g.readRules)
	fixed(uriRulebook, "rulebook", "The rules in words", mediaMarkdown,
		"What the rules in force say: tiers, actions, score, playbooks, guardrails, vocabulary.", g.readRulebook)
	fixed(uriVocabulary, "vocabulary", "Vocabulary of the rules", mediaYAML, "The fields and words that rules are written with.", g.readVocabulary)
	fixed(uriBrief, "brief_latest", "Latest brief", mediaMarkdown, "The brief of the newest alert day.", g.readBrief)
	template(uriRulesOf, "rules_of_version", "Rules of a version", mediaYAML, "The rule files of a version that a run or a queue names.", g.readRules)
	template(uriRulebookOf, "rulebook_of_version", "Rules of a version in words", mediaMarkdown,
		"What the rules that judge said in a version that a run or a queue names.", g.readRulebook)
	template(uriAlert, "alert", "Alert of a day", mediaJSON, "The decision of a day (YYYY-MM-DD or latest) as get_alert_decision gives it.", g.readAlert)
	template(uriContext, "context", "Customers of a day", mediaJSON,
		"Customers by status, risk and tier as get_operational_context gives them; of the newest day alone.", g.readContext)
	template(uriBriefOf, "brief", "Brief of a day", mediaMarkdown, "The brief of a day: YYYY-MM-DD or latest.", g.readBrief)
	template(uriRun, "run", "A run", mediaJSON, "One run of the audit log.", g.readRun)
	template(uriRuns, "runs", "Runs of a month", mediaJSON, "The runs of a month, YYYY-MM, newest first.", g.readRuns)
	template(uriExplanation, "explanation", "Why a customer is in its tier", mediaJSON,
		"The rules that were asked about one customer on a day (YYYY-MM-DD or latest), and what they found.", g.readExplanation)
}

// resourceHandler audits a reading and tells of its errors what the reader may know. Its address is as it is offered, with
// the names of its variables.
func (g *Gateway) resourceHandler(address string, read reading) func(context.Context, mcpgo.ReadResourceRequest) ([]mcpgo.ResourceContents, error) {
	return func(ctx context.Context, request mcpgo.ReadResourceRequest) (contents []mcpgo.ResourceContents, err error) {
		variables := map[string]string{}
		for name, value := range request.Params.Arguments {
			if values, is := value.([]string); is && len(values) == 1 {
				variables[name] = values[0]
			}
		}
		uri := request.Params.URI
		messageOf(ctx).about(aResource, address)
		id, err := g.audited(ctx, "resources/read", json.RawMessage(uri), func(ctx context.Context, told *entry) (err error) {
			if contents, err = read(ctx, uri, variables); err == nil {
				told.run = variables["run_id"] // before, it is whatever the caller has written
			}
			return err
		})
		if err != nil {
			return nil, told(err, id)
		}
		return contents, nil
	}
}

// record reads a record through the supporting function.
func (g *Gateway) record(ctx context.Context, in functions.ReadRecordInput) (out functions.ReadRecordOutput, err error) {
	err = g.ask(ctx, functions.ReadRecord, in, &out, unheard)
	return out, err
}

// unheard is for progress that nobody asked for.
func unheard(functions.Progress) {}

// ask calls a function with an input of the contract.
func (g *Gateway) ask(ctx context.Context, tool *functions.Tool, in functions.Input, out any, report func(functions.Progress)) error {
	if err := in.Check(); err != nil {
		return err
	}
	input, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := g.call(ctx, tool, input, report)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", tool.Name, err)
	}
	return nil
}

func (g *Gateway) rules(ctx context.Context, version string) (*functions.RuleFiles, error) {
	out, err := g.record(ctx, functions.ReadRecordInput{Record: functions.RecordRules, RulesVersion: version})
	if err == nil && out.Rules == nil {
		err = errors.New("the answer holds no rules")
	}
	return out.Rules, err
}

func (g *Gateway) readRules(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error) {
	kept, err := g.rules(ctx, variables["rules_version"])
	if err != nil {
		return nil, err
	}
	var contents []mcpgo.ResourceContents
	for _, file := range kept.Files {
		contents = append(contents, ruleText(uri+"#"+file.Name, kept.RulesVersion, file))
	}
	return contents, nil
}

// ruleText is a rule file with its version as its first comment.
func ruleText(uri, version string, file functions.RuleFile) mcpgo.TextResourceContents {
	return plainText(uri, mediaYAML, fmt.Sprintf("# %s, rules_version %s\n%s", file.Name, version, file.Text))
}

// readRulebook gives the rules in words, which say their version themselves.
func (g *Gateway) readRulebook(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error) {
	out, err := g.record(ctx, functions.ReadRecordInput{Record: functions.RecordRulebook, RulesVersion: variables["rules_version"]})
	if err != nil {
		return nil, err
	}
	if out.Rulebook == nil {
		return nil, errors.New("the answer holds no rule book")
	}
	return []mcpgo.ResourceContents{plainText(uri, mediaMarkdown, out.Rulebook.Text)}, nil
}

// readAlert and readContext give what the tool of the day gives, every digit as it came.
func (g *Gateway) readAlert(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error) {
	return g.readAnswer(ctx, uri, functions.GetAlertDecision, functions.GetAlertDecisionInput{Date: functions.DateRef(variables["date"])})
}

func (g *Gateway) readContext(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error) {
	return g.readAnswer(ctx, uri, functions.GetOperationalContext, functions.GetOperationalContextInput{Date: functions.DateRef(variables["date"])})
}

func (g *Gateway) readAnswer(ctx context.Context, uri string, tool *functions.Tool, in functions.Input) ([]mcpgo.ResourceContents, error) {
	var answer json.RawMessage
	if err := g.ask(ctx, tool, in, &answer, unheard); err != nil {
		return nil, err
	}
	return document(uri, answer)
}

func (g *Gateway) readVocabulary(ctx context.Context, uri string, _ map[string]string) ([]mcpgo.ResourceContents, error) {
	kept, err := g.rules(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, file := range kept.Files {
		if file.Name == "fields.yaml" {
			return []mcpgo.ResourceContents{ruleText(uri, kept.RulesVersion, file)}, nil
		}
	}
	return nil, functions.Errorf(functions.NotFound, "these rules have no vocabulary")
}

func (g *Gateway) readBrief(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error) {
	in := functions.GenerateBriefInput{Date: functions.Latest, Format: functions.FormatMarkdown}
	if date := variables["date"]; date != "" {
		in.Date = functions.DateRef(date)
	}
	var out functions.GenerateBriefOutput
	if err := g.ask(ctx, functions.GenerateBrief, in, &out, unheard); err != nil {
		return nil, err
	}
	return []mcpgo.ResourceContents{plainText(uri, mediaMarkdown, out.Text)}, nil
}

func (g *Gateway) readRun(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error) {
	out, err := g.record(ctx, functions.ReadRecordInput{Record: functions.RecordRun, RunID: variables["run_id"]})
	if err != nil {
		return nil, err
	}
	if len(out.Runs) != 1 {
		return nil, fmt.Errorf("the answer holds %d runs", len(out.Runs))
	}
	return document(uri, out.Runs[0])
}

func (g *Gateway) readRuns(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error) {
	month := functions.Month(variables["month"])
	out, err := g.record(ctx, functions.ReadRecordInput{Record: functions.RecordRuns, Month: month, Limit: new(functions.MaxRuns)})
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"month": month, "runs": append([]functions.Run{}, out.Runs...)}
	if len(out.Runs) == functions.MaxRuns {
		answer["incomplete"] = fmt.Sprintf("the newest %d runs of the month", functions.MaxRuns)
	}
	return document(uri, answer)
}

func (g *Gateway) readExplanation(ctx context.Context, uri string, variables map[string]string) ([]mcpgo.ResourceContents, error) {
	explained, err := g.explanation(ctx, variables["customer_id"], variables["date"])
	if err != nil {
		return nil, err
	}
	return document(uri, explained)
}

func (g *Gateway) explanation(ctx context.Context, customer, date string) (*functions.Explanation, error) {
	out, err := g.record(ctx, functions.ReadRecordInput{
		Record: functions.RecordExplanation, CustomerID: customer, Date: functions.DateRef(date),
	})
	if err == nil && out.Explanation == nil {
		err = errors.New("the answer holds no explanation")
	}
	return out.Explanation, err
}

// plainText is a text, which says when its end is missing.
func plainText(uri, media, text string) mcpgo.TextResourceContents {
	return mcpgo.TextResourceContents{URI: uri, MIMEType: media, Text: beginning(text, maxResult)}
}

// beginning is as much of a text as may be, with a notice when that is not all.
func beginning(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + fmt.Sprintf("\n# The end is left out: this text is longer than %d KB.\n", longest>>10)
}

// document is a value as a JSON document, shortened like the answer of a tool.
func document(uri string, value any) ([]mcpgo.ResourceContents, error) {
	text, err := jsonText(uri, value)
	if err != nil {
		return nil, err
	}
	return []mcpgo.ResourceContents{text}, nil
}

func jsonText(uri string, value any) (text mcpgo.TextResourceContents, err error) {
	data, err := functions.Marshal(value)
	if err != nil {
		return text, err
	}
	if len(data) > maxResult {
		whole, err := plain(data)
		if err != nil {
			return text, err
		}
		const roomForNotice = 1 << 10
		_, left, err := shorten(whole, nil, maxResult-roomForNotice)
		if err != nil {
			return text, err
		}
		whole["left_out"] = strings.Join(left, "; ")
		if data, err = json.Marshal(whole); err != nil {
			return text, err
		}
	}
	return mcpgo.TextResourceContents{URI: uri, MIMEType: mediaJSON, Text: string(data)}, nil
}
