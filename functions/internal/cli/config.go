package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/guess"
	"github.com/retentionops/retentionops/functions/internal/setup"
)

// Where the value of a setting comes from.
const (
	fromFlag    = "flag"
	fromEnv     = "environment"
	fromFile    = ".env, for deploy.sh"
	fromDefault = "default"
	fromCommand = "default of this command; a function has none"
)

// usualHere is what a local command does without a setting.
var usualHere = map[string]string{
	"RETENTIONOPS_WAREHOUSE": defaultWarehouse,
	"RETENTIONOPS_ARCHIVE":   "beside the warehouse", "RETENTIONOPS_EXPORTS": "beside the warehouse",
	"RETENTIONOPS_AUTH":  "local",
	"RETENTIONOPS_RULES": "./rules, else built in", "RETENTIONOPS_TEMPLATES": "./brief_templates, else built in",
}

// setValue is a setting with its value. Secrets are never shown, only whether they are set.
type setValue struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	From    string `json:"from,omitempty"` // empty: it is not set
	Secret  bool   `json:"secret,omitempty"`
	Meaning string `json:"meaning"`
}

// strange is a variable that nothing reads.
type strange struct {
	Name  string `json:"name"`
	From  string `json:"from"`
	Meant string `json:"meant,omitempty"`
}

func (c *command) config() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "Show every setting, its value and where that comes from; secrets are masked", Args: cobra.NoArgs,
		Long: "Shows what is set by flags, in the environment, and in .env (which deploy.sh alone reads; RETENTIONOPS_ENV_FILE names\n" +
			"another file), and the defaults of the rest. A variable RETENTIONOPS_… that nothing reads is pointed out.\n\n" +
			"Exit: 0 every variable is known, 4 some are not.",
		Example: "  retentionops config\n  retentionops config --json",
		RunE:    func(*cobra.Command, []string) error { return c.showConfig() },
	}
}

func (c *command) showConfig() error {
	file, err := c.envFile()
	if err != nil {
		return err
	}
	values := make([]setValue, len(setup.Settings))
	for i, setting := range setup.Settings {
		values[i] = c.valueOf(setting, file)
	}
	unknown := c.strangers(file)
	if c.json {
		err = c.printJSON(struct {
			Settings []setValue `json:"settings"`
			Unknown  []strange  `json:"unknown"`
		}{values, unknown})
	} else {
		c.tabulateConfig(values, unknown)
	}
	if err == nil && len(unknown) > 0 {
		return exit(exitWarnings)
	}
	return err
}

// envFile reads deploy.sh's file; nothing when there is none.
func (c *command) envFile() (values map[string]string, err error) {
	name, named := c.Lookuper.Lookup("RETENTIONOPS_ENV_FILE")
	if !named {
		name = ".env"
	}
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, functions.Errorf(functions.FailedPrecondition, "%s cannot be read", name).WithCause(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	if values, err = setup.ReadEnvFile(file); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return values, nil
}

// valueOf finds the value that counts: a flag's, the environment's, the file's, the default.
func (c *command) valueOf(setting setup.Setting, file map[string]string) setValue {
	v := setValue{Name: setting.Name, Secret: setting.Secret, Meaning: setting.Meaning}
	flags := map[string]string{"RETENTIONOPS_WAREHOUSE": c.warehouse, "RETENTIONOPS_RULES": c.rules}
	if value := flags[setting.Name]; value != "" {
		v.Value, v.From = value, fromFlag
	} else if value, set := c.Lookuper.Lookup(setting.Name); set {
		v.Value, v.From = value, fromEnv
	} else if value, set := file[setting.Name]; set {
		v.Value, v.From = value, fromFile
	} else if setting.Default != "" {
		v.Value, v.From = setting.Default, fromDefault
	} else if usual := usualHere[setting.Name]; usual != "" {
		v.Value, v.From = usual, fromCommand
	}
	v.Value = masked(setting, v.Value)
	return v
}

// masked hides a secret, and a password that somebody wrote into an address.
func masked(setting setup.Setting, value string) string {
	switch {
	case value == "":
		return ""
	case setting.Secret:
		return "(set, not shown)"
	}
	if scheme, rest, is := strings.Cut(value, "://"); is {
		if user, host, has := strings.Cut(rest, "@"); has && strings.Contains(user, ":") {
			name, _, _ := strings.Cut(user, ":")
			return scheme + "://" + name + ":(not shown)@" + host
		}
	}
	return value
}

// strangers are the variables of ours that nothing reads.
func (c *command) strangers(file map[string]string) []strange {
	const ours = "RETENTIONOPS_" // what all names share would make them all alike
	names := make([]string, len(setup.Settings))
	for i, setting := range setup.Settings {
		names[i] = strings.TrimPrefix(setting.Name, ours)
	}
	found := []strange{}
	add := func(name, from string) {
		rest, is := strings.CutPrefix(name, ours)
		if !is || slices.Contains(names, rest) {
			return
		}
		one := strange{Name: name, From: from}
		if meant := guess.Nearest(rest, names); meant != "" {
			one.Meant = ours + meant
		}
		found = append(found, one)
	}
	for _, entry := range c.Environ {
		name, _, _ := strings.Cut(entry, "=")
		add(name, fromEnv)
	}
	for name := range file {
		add(name, fromFile)
	}
	slices.SortFunc(found, func(a, b strange) int { return strings.Compare(a.Name, b.Name) })
	return found
}

func (c *command) tabulateConfig(values []setValue, unknown []strange) {
	table := c.newTable("setting", "value", "from")
	for _, v := range values {
		switch v.From {
		case "":
			table.AppendRow([]any{v.Name, c.paint(faint, "(not set)"), ""})
		case fromDefault, fromCommand:
			table.AppendRow([]any{v.Name, v.Value, c.paint(faint, v.From)})
		default:
			table.AppendRow([]any{v.Name, v.Value, v.From})
		}
	}
	table.Render()
	for _, one := range unknown {
		hint := ""
		if one.Meant != "" {
			hint = "; did you mean " + one.Meant + "?"
		}
		c.printf("%s nothing reads %s (%s)%s\n", c.paint(wary, "warning:"), one.Name, one.From, hint)
	}
}
