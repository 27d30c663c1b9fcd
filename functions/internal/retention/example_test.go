package retention_test

import (
	"fmt"

	"github.com/retentionops/retentionops/functions/internal/retention"
)

func ExampleCounted() {
	fmt.Println(retention.Counted(1, "customer"))
	fmt.Println(retention.Counted(int64(620), "customer"))
	// Output:
	// 1 customer
	// 620 customers
}
