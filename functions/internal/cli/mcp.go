package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/mcp"
)

func (c *command) mcp() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve assistants over standard input and output (MCP)",
		Long: "Speaks the Model Context Protocol on its standard streams: an assistant starts it and is its only caller.\n" +
			"It offers the reading tools. Those that act are hidden unless RETENTIONOPS_MCP_ACTIONS=true.\n" +
			"The tools run in this process, or at a running serve with --url. Logs go to standard error; the end of the input ends it.",
		Example: `  retentionops mcp
  retentionops mcp --warehouse duckdb:.retentionops/demo/warehouse.duckdb
  retentionops mcp --url http://127.0.0.1:8080`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c.verbose = true
			c.json = false // standard output is the protocol's: what goes wrong before it begins is told on standard error
			env := c.env(map[string]string{"RETENTIONOPS_AUTH": "local"}, "")
			defer func() {
				if closing := env.Close(); err == nil {
					err = closing
				}
			}()
			functions := mcp.At(url, c.apiKey())
			if url == "" {
				if err := c.ready(cmd.Context(), env); err != nil {
					return err
				}
				functions = mcp.Local(doors(env, ""))
			}
			gateway, err := mcp.New(mcp.Options{
				Lookuper: env.Lookuper(), Logger: env.Logger(), Now: c.Now, NewID: c.NewID, Caller: functions,
			})
			if err != nil {
				return err
			}
			defer gateway.Close(context.WithoutCancel(cmd.Context()))
			return gateway.ServeStdio(cmd.Context(), c.In, c.Out)
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "a running serve; RETENTIONOPS_API_KEY is sent along")
	return cmd
}

// apiKey is the key that a running serve may ask for.
func (c *command) apiKey() string {
	key, _ := c.Lookuper.Lookup("RETENTIONOPS_API_KEY")
	return key
}
