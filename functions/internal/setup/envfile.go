package setup

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/retentionops/retentionops/functions"
)

var envLine = regexp.MustCompile(`^([A-Z][A-Z0-9_]*)=(.*)$`)

// ReadEnvFile reads KEY=VALUE lines, as deploy.sh does: nothing is expanded or run, quotes are part of a value, and lines
// that begin with # are comments. A line that is none of these is invalid_argument, naming its number and never its text.
func ReadEnvFile(from io.Reader) (map[string]string, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(from)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := envLine.FindStringSubmatch(line)
		if parts == nil {
			return nil, functions.Errorf(functions.InvalidArgument, "line %d is not KEY=VALUE", number).
				WithHint("write RETENTIONOPS_…=value without blanks around the sign, or # for a comment")
		}
		if _, twice := values[parts[1]]; !twice { // deploy.sh keeps what it has
			values[parts[1]] = parts[2]
		}
	}
	return values, lines.Err()
}

// WriteEnvExample writes .env.example: every setting that is set by hand, with meaning and default, none of them set.
func WriteEnvExample(to io.Writer) error {
	text := strings.Builder{}
	text.WriteString("# Settings of RetentionOps. Copy to .env and take the # away from what you set; deploy.sh reads it, and\n" +
		"# `retentionops config` shows it. Values are taken as they stand: no quotes, nothing is expanded.\n" +
		"# Secrets do not belong here: deploy.sh refers to them in Secret Manager (./deploy.sh check names each).\n")
	group := ""
	for _, setting := range Settings {
		if setting.Group == groupPlatform {
			continue
		}
		if setting.Group != group {
			group = setting.Group
			fmt.Fprintf(&text, "\n# --- %s\n", group)
		}
		fmt.Fprintf(&text, "\n# %s\n", setting.Meaning)
		if setting.Secret {
			fmt.Fprintf(&text, "# %s: a secret, kept in Secret Manager as %s\n", setting.Name, setting.SecretID())
		} else {
			fmt.Fprintf(&text, "#%s=%s\n", setting.Name, setting.Default)
		}
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// SecretID is the name in Secret Manager of a setting that is a secret, as deploy.sh refers to it.
func (s Setting) SecretID() string { return strings.ReplaceAll(strings.ToLower(s.Name), "_", "-") }
