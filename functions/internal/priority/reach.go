package priority

import (
	"context"

	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

// Reach counts what of the rules the customers of the newest alert date reach. It judges nobody and writes nothing.
func Reach(ctx context.Context, source Customers, book *rulebook.Book) (*rulebook.Reach, rulebook.Population, error) {
	reach, err := book.NewReach()
	if err != nil {
		return nil, rulebook.Population{}, err
	}
	var of rulebook.Population
	var sound []retention.Customer
	of.AsOf, err = source.Customers(ctx, func(c retention.Customer) error {
		if len(book.Vet(&c)) > 0 {
			of.SetAside++
			return nil
		}
		sound = append(sound, c)
		return nil
	})
	if err != nil {
		return nil, rulebook.Population{}, err
	}
	of.Judged = int64(len(sound))
	median := medianRevenue(sound)
	for i := range sound {
		if i%10_000 == 0 && ctx.Err() != nil {
			return nil, rulebook.Population{}, ctx.Err()
		}
		reach.Add(&sound[i], median)
	}
	return reach, of, nil
}
