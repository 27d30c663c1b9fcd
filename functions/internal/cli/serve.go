package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/door"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/mcp"
)

func (c *command) serve() *cobra.Command {
	var addr, today string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the six tools over HTTP on this machine",
		Long: "Serves every tool at /<tool>, as the deployed functions do: POST a JSON object, GET for a health line.\n" +
			"Without RETENTIONOPS_AUTH it serves callers of this machine only (mode local). Then it also shows the action pack of a\n" +
			"day at /, as a page. Assistants find the gateway (MCP) at /mcp.\n" +
			"It holds the embedded warehouse: other commands talk to it with --url while it runs.\n" +
			"Data that is too old does not leave. With --today another day stands in for today: orders of another year play on theirs.",
		Example: `  retentionops serve
  retentionops serve --warehouse duckdb:.retentionops/demo/warehouse.duckdb --today 2026-01-12
  retentionops serve --addr 127.0.0.1:9000
  curl -s -X POST http://127.0.0.1:8080/get_alert_decision -H 'Content-Type: application/json' -d '{"date": "latest"}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			overrides, key, err := c.serveSettings()
			if err != nil {
				return err
			}
			if today != "" {
				if c.Today, err = parseDay(today); err != nil {
					return err
				}
			}
			c.verbose = true
			env := c.env(overrides, "")
			if err := c.ready(cmd.Context(), env); err != nil {
				return err
			}
			paths := mux(env)
			gateway, err := c.addGateway(paths, env, key)
			if err != nil {
				return err
			}
			served, err := listen(cmd.Context(), addr, paths)
			if err != nil {
				return err
			}
			c.showServing(served.URL, gateway, key == "")
			<-cmd.Context().Done()
			err = served.stop(cmd.Context())
			gateway.Close(context.WithoutCancel(cmd.Context()))
			if closing := env.Close(); err == nil {
				err = closing
			}
			return err
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "address to listen on")
	cmd.Flags().StringVar(&today, "today", "", "day that stands in for today: YYYY-MM-DD")
	return cmd
}

// ready looks at everything that a call will need: what is wrong is said now, not to the first caller.
func (c *command) ready(ctx context.Context, env *setup.Env) error {
	if err := door.For(env).Check(); err != nil {
		return err
	}
	if _, err := env.Rules(ctx); err != nil {
		return err
	}
	if _, err := env.Templates(ctx); err != nil {
		return err
	}
	_, err := env.Warehouse(ctx)
	return err
}

// showServing says where the tools are, on Err: Out belongs to answers.
func (c *command) showServing(base string, gateway *mcp.Gateway, page bool) {
	_, _ = fmt.Fprintf(c.Err, "Serving (stop with Ctrl-C):\n")
	for _, tool := range functions.Tools {
		_, _ = fmt.Fprintf(c.Err, "  POST %s/%-24s %s\n", base, tool.Name, tool.Title)
	}
	_, _ = fmt.Fprintf(c.Err, "  MCP  %s%-25s For assistants\n", base, mcp.Path)
	if page {
		_, _ = fmt.Fprintf(c.Err, "  Page %s%-25s The action pack, in a browser\n", base, "/")
	}
	if err := gateway.Check(); err != nil {
		_, _ = fmt.Fprintf(c.Err, "       %v\n", err)
	}
}
