package checkhealth

import (
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/health"
)

// The roles that are told of a rollback trigger: going back is everybody's affair.
var everybody = []string{"data_team", "retention_team"}

// alarms are those of the rules, then the rollback triggers of §16.
func (v *visit) alarms() []health.Alarm {
	var alarms []health.Alarm
	for _, rule := range v.book.Monitoring().Alarms {
		alarms = append(alarms, health.Alarm{
			Group: health.GroupRules, Name: rule.Name, What: rule.What, When: rule.When, ForDays: rule.ForDays, Tell: []string{rule.Tell},
			Figures: rule.Figures(), Holds: rule.Holds,
		})
	}
	for _, trigger := range v.out.Rollout.Triggers {
		alarms = append(alarms, health.Alarm{
			Group: health.GroupRollback, Name: "rollback_" + trigger.Name, What: "Reason to go back (§16): " + trigger.Text + ".",
			When: trigger.Text, Tell: everybody, Found: []functions.NamedValue{{Name: "found", Value: trigger.Found}}, RunIDs: trigger.RunIDs,
			Holds: func(map[string]float64) (holds, known bool) {
				return trigger.State == functions.AlarmStanding, trigger.State != functions.AlarmUnknown
			},
		})
	}
	return alarms
}
