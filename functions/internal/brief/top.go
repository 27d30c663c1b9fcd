package brief

import "github.com/retentionops/retentionops/functions"

// Top are the customers that the brief names, for a program that draws them by itself: the same ones, and of them no
// more than the brief says.
func Top(in Input) []functions.TopCustomer {
	if in.Assessment == nil {
		return nil
	}
	most, ranks := min(in.Settings.TopCustomers, maxTop), map[functions.Tier]int{}
	var top []functions.TopCustomer
	for i := range in.Assessment.Rows {
		row := &in.Assessment.Rows[i]
		if ranks[row.Tier]++; ranks[row.Tier] > most {
			continue
		}
		customer := functions.TopCustomer{
			Tier: row.Tier, Rank: ranks[row.Tier], ValueProxy: row.ValueProxy, Score: row.Score,
			Reason: words(row.Reason), Action: words(row.Action),
		}
		if in.Settings.ShowCustomerIDs {
			customer.CustomerID = words(row.CustomerID)
		}
		top = append(top, customer)
	}
	return top
}
