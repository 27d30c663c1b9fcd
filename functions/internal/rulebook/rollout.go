package rulebook

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"

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
	rollouts, written := map[functions.Phase]Rollout{}, map[functions.Phase]section{}
	before := top.faults()
	for _, name := range functions.Phases {
		rollouts[name], written[name] = readPhase(name, all.need(string(name)))
	}
	if top.faults() == before {
		warnOfPhases(rollouts, written)
	}
	return phase, rollouts
}

// warnOfPhases tells where phases are not apart as §16 wants them: shadow and pilot are for trying, and what they write
// must not lie among what people act on.
func warnOfPhases(rollouts map[functions.Phase]Rollout, written map[functions.Phase]section) {
	production, pilot := rollouts[functions.PhaseProduction], rollouts[functions.PhasePilot]
	warn := func(phase functions.Phase, key, message, hint string) {
		at := written[phase].value
		if content, has := written[phase].maybe(key); has {
			at = content
		}
		at.add(Finding{ID: idPhase, Severity: SeverityWarning, Message: message, Hint: hint})
	}
	if slices.Contains(pilot.ActsOn, functions.Critical) {
		warn(functions.PhasePilot, "acts_on", "the pilot acts on CRITICAL, which begins with production", "write acts_on: [WARNING]")
	}
	for _, severity := range alertSeverities {
		if !slices.Contains(production.ActsOn, severity) {
			warn(functions.PhaseProduction, "acts_on", fmt.Sprintf("production does not act on %s", severity),
				"to let some days rest write a silence, which has an end")
		}
	}
	if pilot.Sends && production.Sends {
		if pilot.Channel == production.Channel {
			warn(functions.PhasePilot, "channel", "the pilot writes to the channel of production", "name a test channel")
		}
		if pilot.TicketProject == production.TicketProject {
			warn(functions.PhasePilot, "ticket_project", "the pilot opens tickets in the project of production", "name a test project")
		}
	}
	for _, phase := range []functions.Phase{functions.PhaseShadow, functions.PhasePilot} {
		if rollouts[phase].Folder == production.Folder {
			warn(phase, "folder", fmt.Sprintf("the files of the phase %s lie where those of production lie", phase),
				fmt.Sprintf("write folder: %s", phase))
		}
	}
}

var (
	channelForm = regexp.MustCompile(`^#[^\s#,]{1,80}$`)
	projectForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,19}$`)
	folderForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

func readPhase(phase functions.Phase, content value) (Rollout, section) {
	r := Rollout{Phase: phase}
	s := content.section("acts_on", "sends", "channel", "ticket_project", "folder")
	if s.missing() {
		return r, s
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
	return r, s
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
