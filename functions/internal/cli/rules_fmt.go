package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/retention"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
)

func (c *command) rulesFmt() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [FOLDER]",
		Short: "Spell conditions and formulas the usual way, and touch nothing else",
		Long: "Rewrites single conditions, formulas, and yes and no in place: && becomes and, \"> 5\" becomes over 5,\n" +
			"true becomes yes, and one blank stands around an operator. Comments, order and blank lines stay as\n" +
			"they are, and so does the meaning. Where the files have an error nothing is written, unless spelling\n" +
			"is all that is wrong.\n\n" +
			"Exit: 0 all is as usual, or was made so; 1 errors; with --check 4 when something would change.",
		Example: "  retentionops rules fmt my/rules\n  retentionops rules fmt --check",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name, files, err := c.ruleFiles(args)
			if err != nil {
				return err
			}
			if !check {
				if err := writable(name); err != nil {
					return err
				}
			}
			result, err := rulebook.Format(files)
			if findings, faults := errors.AsType[rulebook.Findings](err); faults {
				return c.showFindings(name, findings)
			}
			if err != nil {
				return err
			}
			return c.respell(name, result, check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; list what would change")
	return cmd
}

// writable tells whether there is a folder to write to: the rules built in have none.
func writable(name string) error {
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return functions.Errorf(functions.InvalidArgument, "there is no folder %s here to write to", name).
			WithHint("name the folder with your rule files")
	}
	return nil
}

// respelt is the answer of fmt to a program.
type respelt struct {
	Folder  string                `json:"folder"`
	Changes []rulebook.Respelling `json:"changes"`
	Written []string              `json:"written"` // files
}

// respell writes what changes, or only shows it.
func (c *command) respell(name string, result rulebook.Formatted, check bool) error {
	answer := respelt{Folder: name, Changes: result.Under(name), Written: []string{}}
	if answer.Changes == nil {
		answer.Changes = []rulebook.Respelling{}
	}
	if !check {
		for _, file := range slices.Sorted(maps.Keys(result.Files)) {
			path := filepath.Join(name, file)
			if err := replaceFile(path, result.Files[file]); err != nil {
				return err
			}
			answer.Written = append(answer.Written, path)
		}
	}
	if c.json {
		if err := c.printJSON(answer); err != nil {
			return err
		}
	} else {
		for _, change := range answer.Changes {
			c.printf("%s\n", change)
		}
		c.printf("%s: %s\n", name, changesInWords(len(answer.Changes), check))
	}
	if check && len(answer.Changes) > 0 {
		return exit(exitWarnings)
	}
	return nil
}

func changesInWords(count int, check bool) string {
	switch {
	case count == 0:
		return "all is spelt the usual way"
	case check:
		return retention.Counted(count, "change") + " to make: retentionops rules fmt"
	default:
		return retention.Counted(count, "change") + " made"
	}
}

// replaceFile gives a file other bytes, whole or not at all, and keeps who may read it.
func replaceFile(path string, data []byte) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	fresh, err := os.CreateTemp(filepath.Dir(target), ".rules-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(fresh.Name()) }() // gone when all went well
	_, err = fresh.Write(data)
	err = errors.Join(err, fresh.Chmod(info.Mode().Perm()), fresh.Close())
	if err == nil {
		err = os.Rename(fresh.Name(), target)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
