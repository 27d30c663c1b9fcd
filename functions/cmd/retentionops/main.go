// Command retentionops runs RetentionOps on one machine: the demonstration, the six tools, the run log, the rules.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/retentionops/retentionops/functions/internal/cli"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/bigquerywarehouse"
	_ "github.com/retentionops/retentionops/functions/internal/warehouse/duckdbwarehouse"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], cli.System())
	stop()
	os.Exit(code)
}
