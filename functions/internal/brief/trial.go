package brief

import (
	"fmt"
	"slices"
	"strings"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// try writes the brief of a sample day. That finds what only shows when a brief is written: a comparison of a text
// with a number, the first of an empty list, a message that is too long or empty.
func (t *Templates) try(fixture Fixture, sources map[string]*source) {
	data := Compose(fixture.Input)
	subject := ""
	for _, one := range []template{t.subject[functions.FormatSlack], t.markdown, t.slack, t.text, t.html, t.teams} {
		file := sources[one.Name()]
		text, err := run(one, data)
		switch {
		case err != nil:
			file.rendering(fixture.Name, err)
			continue
		case strings.TrimSpace(text) == "" && one.Name() == subjectFile:
			file.remark(rulebook.SeverityError, idEmpty, fixture.Name, "the subject is empty",
				"write at least a word; Slack refuses a message without a headline")
		case strings.TrimSpace(text) == "":
			file.remark(rulebook.SeverityWarning, idEmpty, fixture.Name, "the template writes nothing",
				"if that is meant, leave it; else write what stands outside of {{if}} and {{range}}")
		}
		switch one.Name() {
		case subjectFile:
			subject = headlineOf(sealSlack(text, ""))
		case slackFile:
			message := functions.GenerateBriefOutput{Format: functions.FormatSlack, Subject: subject}
			if err := slackMessage(&message, tidy(sealSlack(text, data.Mention))); err != nil {
				file.rendering(fixture.Name, err)
			} else if Cut(message) {
				file.remark(rulebook.SeverityWarning, idCut, fixture.Name, "the message is too long for Slack and is cut",
					"shorten it, or show fewer customers: top_customers in rules/playbooks.yaml")
			}
		case teamsFile:
			message := functions.GenerateBriefOutput{Format: functions.FormatTeams, Subject: subject}
			if err := teamsCard(&message, tidy(text)); err != nil {
				file.rendering(fixture.Name, err)
			} else if Cut(message) {
				file.remark(rulebook.SeverityWarning, idCut, fixture.Name, "the message is too long for Teams and is cut",
					"shorten it, or show fewer customers: top_customers in rules/playbooks.yaml")
			}
		}
	}
}

// remark reports something of a whole file that a sample day has shown, once.
func (s *source) remark(severity rulebook.Severity, id, fixture, message, hint string) {
	if slices.ContainsFunc(*s.faults, func(said rulebook.Finding) bool { return said.File == s.name && said.ID == id }) {
		return
	}
	f := finding(s.name, id, fmt.Sprintf("%s (in the test brief %q)", message, fixture), hint)
	f.Severity = severity
	s.report(f)
}
