package cli

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

func (c *command) rulesSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [FOLDER]",
		Short: "Write JSON Schemas for editors: completion, and what each field means",
		Long: "Writes a JSON Schema of each rule file into .schema/ of the folder. The first line of a rule file names\n" +
			"its schema; an editor that knows it completes fields and values, shows what they mean and within which\n" +
			"bounds they lie, and marks what is misspelt. Write them anew when fields.yaml changes.\n\n" +
			"Exit: 0 written, 1 fields.yaml has errors.",
		Example: "  retentionops rules schema my/rules",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name, files, err := c.ruleFiles(args)
			if err != nil {
				return err
			}
			if err := writable(name); err != nil {
				return err
			}
			schemas, err := rulebook.Schemas(files)
			if findings, faults := errors.AsType[rulebook.Findings](err); faults {
				return c.showFindings(name, findings)
			}
			if err != nil {
				return err
			}
			return c.writeSchemas(name, schemas)
		},
	}
}

// schemaFile is a schema, in the answer to a program.
type schemaFile struct {
	File    string `json:"file"`
	Changed bool   `json:"changed"`
}

// writeSchemas writes those that differ, so that an editor reads only these again.
func (c *command) writeSchemas(name string, schemas map[string][]byte) error {
	folder := filepath.Join(name, rulebook.SchemaFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // schemas are for everyone who edits the rules
		return fmt.Errorf("write the schemas: %w", err)
	}
	written := []schemaFile{}
	for _, file := range slices.Sorted(maps.Keys(schemas)) {
		path := filepath.Join(folder, file)
		old, err := os.ReadFile(path) //nolint:gosec // below the folder that the operator named
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("write the schemas: %w", err)
		}
		changed := !bytes.Equal(old, schemas[file])
		if changed {
			if err := os.WriteFile(path, schemas[file], 0o644); err != nil { //nolint:gosec // as above
				return fmt.Errorf("write the schemas: %w", err)
			}
		}
		written = append(written, schemaFile{File: path, Changed: changed})
	}
	if c.json {
		return c.printJSON(map[string]any{"folder": name, "schemas": written})
	}
	for _, one := range written {
		state := "as it was"
		if one.Changed {
			state = "written"
		}
		c.printf("%s  %s\n", one.File, state)
	}
	return nil
}
