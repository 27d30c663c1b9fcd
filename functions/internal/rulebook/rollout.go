package rulebook

import (
	"fmt"
	"io/fs"
	"regexp"

	"github.com/retentionops/retentionops/functions"
)

// loadRollout reads rollout.yaml: the present phase, and what each phase may do.
func loadRollout(files fs.FS, out *collector) (functions.Phase, map[functions.Phase]Rollout) {
	document, _ := openDocument(files, rolloutFile, out)
	if document == nil {
		return "", nil
	}
	top := document.root.section("phase", "phases")
	if top.missing() {
		return "", nil
	}
	phase := functions.Phase(top.need("phase").word("phase", texts(functions.Phases)))
	all := top.need("phases").section(texts(functions.Phases)...)
	rollouts := map[functions.Phase]Rollout{}
	for _, name := range functions.Phases {
		rollouts[name] = readPhase(name, all.need(string(name)))
	}
	return phase, rollouts
}

var (
	channelForm = regexp.MustCompile(`^#[^\s#,]{1,80}$`)
	projectForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,19}$`)
	folderForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

func readPhase(phase functions.Phase, content value) Rollout {
	r := Rollout{Phase: phase}
	s := content.section("acts_on", "sends", "channel", "ticket_project", "folder")
	if s.missing() {
		return r
	}
	actsOn := s.need("acts_on")
	for _, severity := range wordsOf(actsOn, "severity", texts(alertSeverities)) {
		r.ActsOn = append(r.ActsOn, functions.Severity(severity))
	}
	if phase == functions.PhaseDisabled && len(r.ActsOn) > 0 {
		actsOn.report(idNotAllowed, "the phase disabled acts on nothing", "write acts_on: []")
	}
	sends, has := s.maybe("sends")
	if has {
		r.Sends = sends.yesNo()
	} else if phase != functions.PhaseDisabled {
		s.need("sends")
	}
	if r.Sends && (phase == functions.PhaseShadow || phase == functions.PhaseDisabled) {
		sends.report(idNotAllowed, fmt.Sprintf("the phase %s never sends", phase), "the phases pilot and production send")
	}
	r.Channel = s.formed("channel", channelForm, `a channel begins with # and stands in quotes: "#retention-alerts"`)
	r.TicketProject = s.formed("ticket_project", projectForm, "a project key is in capital letters: RETENTION")
	r.Folder = s.formed("folder", folderForm, "a folder is one name of letters, digits, - and _")
	if r.Sends {
		s.need("channel")
		s.need("ticket_project")
	}
	return r
}

// formed reads a text of some form from a key that may be left out.
func (s section) formed(key string, form *regexp.Regexp, hint string) string {
	content, has := s.maybe(key)
	if !has {
		return ""
	}
	if content.isEmpty() || content.isScalar() && !form.MatchString(content.raw()) {
		content.report(idType, fmt.Sprintf("%q is no %s", content.raw(), key), hint)
		return ""
	}
	return content.text()
}
