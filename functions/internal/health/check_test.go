package health_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/health"
	"github.com/retentionops/retentionops/functions/internal/mail/mailtest"
	"github.com/retentionops/retentionops/functions/internal/retention"
)

// runsFail is §15's alarm on the success rate.
var runsFail = health.Alarm{
	Group: health.GroupRules, Name: "runs-fail", What: "Fewer than 90 % of the runs ended well, two days in a row.",
	When: "success_rate < 90", Figures: []string{"success_rate"}, ForDays: 2, Tell: []string{"data_team"},
	Holds: func(figures map[string]float64) (holds, known bool) {
		rate, known := figures["success_rate"]
		return rate < 90, known
	},
}

// tooMany is §15's alarm on how often alerts come.
var tooMany = health.Alarm{
	Group: health.GroupRules, Name: "too-many-alerts", What: "More than 1 alert.", When: "alerts > 1", Figures: []string{"alerts"}, Tell: []string{"retention_team"},
	Holds: func(figures map[string]float64) (holds, known bool) { return figures["alerts"] > 1, true },
}

// checked runs a check and tells how each alarm stands.
func (h *house) checked(c *health.Checker, act bool, alarms ...health.Alarm) []functions.HealthAlarm {
	h.t.Helper()
	history := h.read()
	answer, err := c.Check(h.t.Context(), history, alarms, history.Last(30), act)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer
}

// words are state, change and mail of the alarms, as a line each.
func words(alarms []functions.HealthAlarm) []string {
	var lines []string
	for _, a := range alarms {
		lines = append(lines, strings.TrimSpace(strings.Join([]string{a.Name, string(a.State), string(a.Change), string(a.Mail), a.MailWhy}, " ")))
	}
	return lines
}

func (h *house) wantWords(what string, got []functions.HealthAlarm, want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, words(got)); diff != "" {
		h.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// subjects are those of the mails that arrived, with whom they reached.
func (h *house) subjects() []string {
	h.t.Helper()
	var lines []string
	for _, received := range h.post.Messages() {
		lines = append(lines, strings.Join(received.To, ",")+": "+received.Parse(h.t).Header.Get("Subject"))
	}
	return lines
}

func (h *house) wantMails(want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, h.subjects()); diff != "" {
		h.t.Errorf("mails (-want +got):\n%s", diff)
	}
}

// TestAnAlarmBeginsOnceStaysSilentAndEndsOnce is the life of an alarm over five days of checks.
func TestAnAlarmBeginsOnceStaysSilentAndEndsOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	c := h.checker()
	const day = 24 * time.Hour
	h.ran(1)
	h.ran(0, broken)
	h.wantWords("one bad day", h.checked(c, true, runsFail), "runs-fail quiet none none")
	h.pass(day)
	second := h.ran(-1, broken)
	began := h.checked(c, true, runsFail)
	h.wantWords("two bad days", began, "runs-fail standing began sent")
	if diff := cmp.Diff([]functions.NamedValue{{Name: "success_rate on 2026-03-31", Value: "0"}, {Name: "success_rate on 2026-03-30", Value: "0"}}, began[0].Saw); diff != "" {
		t.Errorf("saw (-want +got):\n%s", diff)
	}
	if began[0].RunIDs[0] != second || began[0].BeganAt == nil || began[0].EndedAt != nil {
		t.Errorf("got %+v", began[0])
	}
	h.wantWords("the same morning", h.checked(c, true, runsFail), "runs-fail standing none sent")
	h.pass(day)
	h.ran(-2, broken)
	h.wantWords("three bad days", h.checked(c, true, runsFail), "runs-fail standing none sent")
	h.pass(day)
	h.wantWords("a day without a run says nothing", h.checked(c, true, runsFail), "runs-fail standing none sent")
	h.pass(day)
	h.ran(-4)
	h.wantWords("a good day", h.checked(c, true, runsFail), "runs-fail quiet ended sent")
	ended := h.checked(c, true, runsFail)
	h.wantWords("after it", ended, "runs-fail quiet none sent")
	if ended[0].BeganAt == nil || ended[0].EndedAt == nil || !ended[0].EndedAt.After(*ended[0].BeganAt) {
		t.Errorf("got %v to %v", ended[0].BeganAt, ended[0].EndedAt)
	}
	h.wantMails("data@example.com: RetentionOps: runs-fail began", "data@example.com: RetentionOps: runs-fail ended")
	text := string(h.post.Messages()[0].Parse(t).Content)
	for _, want := range []string{
		"runs-fail: the alarm began on 2026-03-31 07:30 UTC.", runsFail.What, "condition: success_rate < 90", "success_rate on 2026-03-31: 0", second,
		"Phase: production", "told once",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the mail does not say %q:\n%s", want, text)
		}
	}
	if text := string(h.post.Messages()[1].Parse(t).Content); !strings.Contains(text, "the alarm of 2026-03-31 07:30 UTC ended on 2026-04-03 07:30 UTC.") {
		t.Errorf("the second mail says\n%s", text)
	}
	h.pass(day)
	h.ran(-5, broken)
	h.pass(day)
	h.ran(-6, broken)
	h.wantWords("it begins anew", h.checked(c, true, runsFail), "runs-fail standing began sent")
	h.wantMails("data@example.com: RetentionOps: runs-fail began", "data@example.com: RetentionOps: runs-fail ended", "data@example.com: RetentionOps: runs-fail began")
}

// TestDaysInARow judges a condition day by day.
func TestDaysInARow(t *testing.T) {
	t.Parallel()
	bad := []func(*retention.Run){broken}
	tests := []struct {
		name string
		days map[int][]func(*retention.Run) // by how many days ago
		want functions.AlarmState
	}{
		{"no run at all", nil, functions.AlarmUnknown},
		{"one bad day, and nothing before it", map[int][]func(*retention.Run){0: bad}, functions.AlarmQuiet},
		{"two bad days", map[int][]func(*retention.Run){0: bad, 1: bad}, functions.AlarmStanding},
		{"today's run is yet to come", map[int][]func(*retention.Run){1: bad, 2: bad}, functions.AlarmStanding},
		{"a weekend without runs in between", map[int][]func(*retention.Run){0: bad, 3: bad, 4: nil}, functions.AlarmStanding},
		{"a good day in between", map[int][]func(*retention.Run){0: bad, 1: nil, 2: bad}, functions.AlarmQuiet},
		{"good again", map[int][]func(*retention.Run){0: nil, 1: bad, 2: bad}, functions.AlarmQuiet},
		{"bad days that have left the window", map[int][]func(*retention.Run){30: bad, 31: bad}, functions.AlarmUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			for daysAgo, edit := range test.days {
				h.ran(daysAgo, edit...)
			}
			if got := h.checked(h.checker(), false, runsFail); got[0].State != test.want {
				t.Errorf("it is %s, want %s; saw %v", got[0].State, test.want, got[0].Saw)
			}
		})
	}
}

// TestManyChecksAtOnceTellOnce lets twenty checks see the same begin at the same moment.
func TestManyChecksAtOnceTellOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, broken)
	h.ran(0, broken)
	answers := make([][]functions.HealthAlarm, 20)
	checkers := make([]*health.Checker, len(answers))
	for i := range checkers {
		checkers[i] = h.checker()
	}
	var all sync.WaitGroup
	for i, c := range checkers {
		all.Go(func() { answers[i] = h.checked(c, true, runsFail) })
	}
	all.Wait()
	began, sent := 0, 0
	for _, answer := range answers {
		if answer[0].State != functions.AlarmStanding {
			t.Errorf("it does not stand: %v", words(answer))
		}
		if answer[0].Change == functions.AlarmBegan {
			began++
		}
		if answer[0].Mail == functions.MailSent && answer[0].MailWhy == "" {
			sent++
		}
	}
	if began != 1 || sent == 0 {
		t.Errorf("%d checks began the alarm, want 1; %d know of the mail", began, sent)
	}
	h.wantMails("data@example.com: RetentionOps: runs-fail began")
}

// TestWhatOneCheckHasToTellIsOneMailToEach sends two alarms to the people of one role in one mail.
func TestWhatOneCheckHasToTellIsOneMailToEach(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, broken, alerted)
	h.ran(0, broken, alerted)
	both, again := tooMany, runsFail
	both.Tell, both.Name = []string{"data_team", "retention_team"}, "both"
	again.Name = "again"
	h.checked(h.checker(), true, runsFail, again, tooMany, both)
	h.wantMails(
		"data@example.com: RetentionOps: runs-fail began, again began", "data@example.com,retention@example.com: RetentionOps: both began",
		"retention@example.com: RetentionOps: too-many-alerts began",
	)
}

// TestAMailThatFailedIsTriedAgain lets the server refuse, and take the next one.
func TestAMailThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, broken)
	h.ran(0, broken)
	c := h.checker()
	h.post.Refuse(550)
	got := h.checked(c, true, runsFail)
	if got[0].Change != functions.AlarmBegan || got[0].Mail != functions.MailFailed || !strings.HasPrefix(got[0].MailWhy, "failed_precondition: ") ||
		strings.Contains(got[0].MailWhy, mailtest.Telltale) {
		t.Errorf("got %v", words(got))
	}
	if shown := h.checked(c, false, runsFail); shown[0].Mail != functions.MailFailed {
		t.Errorf("a dry run shows %v", words(shown))
	}
	h.post.Script()
	h.wantWords("the next check", h.checked(c, true, runsFail), "runs-fail standing none sent")
	h.wantWords("the one after it", h.checked(c, true, runsFail), "runs-fail standing none sent")
	h.wantMails("data@example.com: RetentionOps: runs-fail began")
}

// TestWhoHasTheMailIsNotToldAgain lets the server take the mail for one of two recipients.
func TestWhoHasTheMailIsNotToldAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, broken)
	h.ran(0, broken)
	c := h.checker()
	c.To["data_team"] = []string{"data@example.com", "gone@example.com"}
	h.post.Script(mailtest.Answer{Recipient: map[string]int{"gone@example.com": 550}})
	h.wantWords("the first check", h.checked(c, true, runsFail), "runs-fail standing began sent some recipients did not get it")
	h.wantWords("the next one", h.checked(c, true, runsFail), "runs-fail standing none sent some recipients did not get it")
	h.wantMails("data@example.com: RetentionOps: runs-fail began")
}

// TestNobodyToTell says why nobody was told, and tells once somebody can be.
func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, broken)
	h.ran(0, broken)
	c := h.checker()
	sender := c.Mail
	c.Mail, c.NoMail = nil, "no mail is configured: RETENTIONOPS_MAIL is not set"
	h.wantWords("no mail", h.checked(c, true, runsFail), "runs-fail standing began none no mail is configured: RETENTIONOPS_MAIL is not set")
	people := c.To
	c.Mail, c.To = sender, nil
	h.wantWords("no people", h.checked(c, true, runsFail),
		"runs-fail standing none none nobody is named as data_team under mail in rules/playbooks.yaml")
	c.To = people
	h.wantWords("both", h.checked(c, true, runsFail), "runs-fail standing none sent")
	h.wantMails("data@example.com: RetentionOps: runs-fail began")
}

// TestTheEndThatNobodyHeardOfIsToldForAWeek tells of an alarm that came and went while no mail could be sent.
func TestTheEndThatNobodyHeardOfIsToldForAWeek(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration][]string{
		24 * time.Hour:     {"data@example.com: RetentionOps: runs-fail ended"},
		8 * 24 * time.Hour: nil,
	} {
		h := open(t)
		h.ran(1, broken)
		h.ran(0, broken)
		c := h.checker()
		sender := c.Mail
		c.Mail = nil
		h.checked(c, true, runsFail)
		h.pass(24 * time.Hour)
		h.ran(-1)
		h.wantWords("the end", h.checked(c, true, runsFail), "runs-fail quiet ended none no mail is configured")
		h.pass(wait)
		c.Mail = sender
		h.checked(c, true, runsFail)
		h.wantMails(want...)
	}
}

// TestADryRunRemembersAndTellsNothing shows what a check would do.
func TestADryRunRemembersAndTellsNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, broken)
	h.ran(0, broken)
	c := h.checker()
	for range 2 {
		h.wantWords("shown", h.checked(c, false, runsFail), "runs-fail standing began pending a dry run tells nobody")
	}
	if names, err := h.papers.List(t.Context(), ""); err != nil || len(names) > 0 {
		t.Errorf("the archive holds %v, %v", names, err)
	}
	h.wantMails()
}

// TestAnAlarmThatLeavesTheRulesEnds ends what nothing will end any more.
func TestAnAlarmThatLeavesTheRulesEnds(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, broken)
	h.ran(0, broken)
	c := h.checker()
	h.checked(c, true, runsFail)
	h.wantWords("gone", h.checked(c, true, tooMany), "too-many-alerts quiet none none", "runs-fail quiet ended sent")
	if text := string(h.post.Messages()[1].Parse(t).Content); !strings.Contains(text, "no longer there") {
		t.Errorf("the mail says\n%s", text)
	}
	h.pass(9 * 24 * time.Hour)
	h.ran(-9)
	h.wantWords("long gone", h.checked(c, true, tooMany), "too-many-alerts quiet none none")
}

// TestACheckThatWasCutOffIsMadeGood leaves an attempt behind that says nothing, as a killed process does.
func TestACheckThatWasCutOffIsMadeGood(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.ran(1, broken)
	h.ran(0, broken)
	c := h.checker()
	sender := c.Mail
	c.Mail = nil
	h.checked(c, true, runsFail) // it begins, and nobody is told
	c.Mail = sender
	if err := h.papers.PutIfAbsent(t.Context(), "health/mails/rules/runs-fail/000001/000001.json",
		[]byte(`{"at": "2026-03-30T07:29:00Z", "state": "pending"}`)); err != nil {
		t.Fatal(err)
	}
	h.wantWords("it may still be at it", h.checked(c, true, runsFail), "runs-fail standing none pending another check is telling people")
	h.pass(health.DefaultHold)
	h.wantWords("it is not", h.checked(c, true, runsFail), "runs-fail standing none sent")
	h.wantMails("data@example.com: RetentionOps: runs-fail began")
}
