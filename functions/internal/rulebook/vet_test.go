package rulebook_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

func TestFaultsOfACustomer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*retention.Customer)
		want   []string
	}{
		"a sound one has none":             {func(*retention.Customer) {}, nil},
		"an empty average is no fault":     {func(c *retention.Customer) { c.AvgOrderValue.Valid = false }, nil},
		"no id":                            {func(c *retention.Customer) { c.ID = "" }, []string{"empty_customer_id"}},
		"an id of blanks":                  {func(c *retention.Customer) { c.ID = " \t" }, []string{"empty_customer_id"}},
		"twice in a table":                 {func(c *retention.Customer) { c.Rows.Base = 2 }, []string{"duplicate_in_base_customers"}},
		"an unknown status":                {func(c *retention.Customer) { c.Status.V = "SLEEPING" }, []string{"unknown_status"}},
		"a status in small letters":        {func(c *retention.Customer) { c.Status.V = "active" }, []string{"unknown_status"}},
		"an unknown risk level":            {func(c *retention.Customer) { c.RiskLevel.V = "EXTREME" }, []string{"unknown_risk_level"}},
		"an empty word":                    {func(c *retention.Customer) { c.RiskLevel.V = "" }, []string{"unknown_risk_level"}},
		"the detection's own mark":         {func(c *retention.Customer) { c.Status.V = "DATA_QUALITY_ISSUE" }, []string{"data_quality_issue"}},
		"an order from the future":         {func(c *retention.Customer) { c.DaysSinceLastOrder.V = -1 }, []string{"out_of_bounds_days_since_last_order"}},
		"the last day within bounds":       {func(c *retention.Customer) { c.DaysSinceLastOrder.V = 36500 }, nil},
		"a day beyond":                     {func(c *retention.Customer) { c.DaysSinceLastOrder.V = 36501 }, []string{"out_of_bounds_days_since_last_order"}},
		"a risk score over 100":            {func(c *retention.Customer) { c.RiskScore.V = 101 }, []string{"out_of_bounds_churn_risk_score"}},
		"no orders":                        {func(c *retention.Customer) { c.TotalOrders.V = 0 }, []string{"out_of_bounds_total_orders"}},
		"a revenue below zero":             {func(c *retention.Customer) { c.TotalRevenue.V = money(t, "-0.01") }, []string{"out_of_bounds_total_revenue"}},
		"a revenue of more than any float": {func(c *retention.Customer) { c.TotalRevenue.V = money(t, "1"+strings.Repeat("0", 400)) }, []string{"out_of_bounds_total_revenue"}},
		"an average out of bounds":         {func(c *retention.Customer) { c.AvgOrderValue.V = money(t, "-5") }, []string{"out_of_bounds_avg_order_value"}},
		"NULL in a required amount":        {func(c *retention.Customer) { c.TotalRevenue.Valid = false }, []string{"empty_total_revenue"}},
		"NULL in a required word":          {func(c *retention.Customer) { c.Status.Valid = false }, []string{"empty_retention_status"}},
		"NULL in a required yes or no":     {func(c *retention.Customer) { c.ValueDrop.Valid = false }, []string{"empty_is_value_drop"}},
		"NULL in a required whole number":  {func(c *retention.Customer) { c.TotalOrders.Valid = false }, []string{"empty_total_orders"}},
		"several faults are all told":      {func(c *retention.Customer) { c.ID, c.Status.V, c.TotalOrders.V = "", "x", -1 }, []string{"empty_customer_id", "unknown_status", "out_of_bounds_total_orders"}},
		"a missing row is told once, as missing": {func(c *retention.Customer) {
			*c = retention.Customer{ID: "c", Rows: retention.SourceRows{Base: 1}, TotalRevenue: c.TotalRevenue, TotalOrders: c.TotalOrders}
		}, []string{"missing_in_retention_snapshot", "missing_in_churn_detection"}},
		"a customer of no table": {func(c *retention.Customer) { *c = retention.Customer{ID: "c"} }, []string{"missing_in_retention_snapshot", "missing_in_churn_detection", "missing_in_base_customers"}},
	}
	book := shipped(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := soundCustomer()
			tc.change(&c)
			var got []string
			for _, fault := range book.Vet(&c) {
				got = append(got, fault.Issue)
				if fault.Meaning == "" {
					t.Errorf("%s has no meaning", fault.Issue)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMeaningIsTheSameForAllCustomersWithAnIssue(t *testing.T) {
	t.Parallel()
	book := shipped(t)
	one, other := soundCustomer(), soundCustomer()
	one.Status.V, other.Status.V = "SLEEPING", "GONE"
	want := []rulebook.Fault{{Issue: "unknown_status", Meaning: "retention_status is none of ACTIVE, AT_RISK, INACTIVE"}}
	for _, c := range []*retention.Customer{&one, &other} {
		if diff := cmp.Diff(want, book.Vet(c)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	}
}

func TestBoundsComeFromTheVocabulary(t *testing.T) {
	t.Parallel()
	book, err := rulebook.Load(shippedWith(t, "fields.yaml", "max: 36500, unit: days", "max: 365, unit: days"))
	if err != nil {
		t.Fatal(err)
	}
	c := soundCustomer()
	c.DaysSinceLastOrder.V = 366
	want := []rulebook.Fault{{
		Issue: "out_of_bounds_days_since_last_order", Meaning: "days_since_last_order is not between 0 and 365 days",
	}}
	if diff := cmp.Diff(want, book.Vet(&c)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
