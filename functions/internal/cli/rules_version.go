package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/priority"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/functions/internal/setup"
	"github.com/retentionops/retentionops/rules"
)

// The words that name a version beside folders, revisions and versions.
const (
	wordBuiltIn  = "built-in"
	wordDeployed = "deployed"
)

// wordsOfAVersion says what may name a version of the rules.
const wordsOfAVersion = "name a folder, a git revision (HEAD~1, a branch, REV:path), deployed, built-in, or a rules_version"

// ruleVersion is a version of the rules to be compared.
type ruleVersion struct {
	Name         string `json:"name"`
	RulesVersion string `json:"rules_version"`
	book         *rulebook.Book
	whole        bool // with playbooks and guardrails, not only with what judges
}

// versions reads versions of the rules by the words that people have for them.
type versions struct {
	*command
	env *setup.Env
	url string // where `deployed` is asked for; empty asks the archive
}

// found is where a word led.
type found struct {
	name  string
	files fs.FS
	kept  map[string][]byte // from the archive or a deployment: what judges, and no more
}

// read reads a version. The rules that may be published next are checked; older ones have judged and need only be read.
// Files at fault are shown, and the error is the exit.
func (v versions) read(ctx context.Context, word, beside string, next bool) (ruleVersion, error) {
	at, err := v.find(ctx, word, beside)
	if err != nil {
		return ruleVersion{}, err
	}
	version := ruleVersion{Name: at.name}
	switch {
	case at.kept != nil:
		version.book, err = rulebook.LoadKept(at.kept)
	case next:
		book, findings := rulebook.Check(at.files)
		if book == nil {
			return version, v.showFindings(at.name, findings)
		}
		version.book, version.whole = book, true
	default:
		version.book, err = rulebook.LoadJudging(at.files)
	}
	if findings, atFault := err.(rulebook.Findings); atFault { //nolint:errorlint // the loaders promise the findings themselves
		return version, v.showFindings(at.name, findings)
	}
	if err != nil {
		return version, err
	}
	version.RulesVersion = version.book.Version()
	return version, nil
}

var versionForm = regexp.MustCompile(`^[0-9a-f]{12}$`)

// find finds what a word names. A folder wins over a version in the archive, and that over a git revision.
func (v versions) find(ctx context.Context, word, beside string) (found, error) {
	switch word {
	case wordBuiltIn:
		return found{name: word, files: rules.FS}, nil
	case wordDeployed:
		return v.deployed(ctx)
	}
	if info, err := os.Stat(word); err == nil && info.IsDir() {
		return found{name: word, files: os.DirFS(word)}, nil
	}
	if versionForm.MatchString(word) {
		papers, err := v.env.Archive(ctx)
		if err != nil {
			return found{}, err
		}
		kept, err := priority.KeptRules(ctx, papers, word)
		if err == nil {
			return found{name: word, kept: kept}, nil
		}
		if functions.CodeOf(err) != functions.NotFound {
			return found{}, err
		}
	}
	return v.revision(ctx, word, beside)
}

// deployed are the rules in use: those of the host at the URL, else those that built the newest queue.
func (v versions) deployed(ctx context.Context) (found, error) {
	if v.url == "" {
		papers, err := v.env.Archive(ctx)
		if err != nil {
			return found{}, err
		}
		version, err := priority.NewestRules(ctx, papers)
		if err != nil {
			return found{}, err
		}
		kept, err := priority.KeptRules(ctx, papers, version)
		return found{name: wordDeployed, kept: kept}, err
	}
	input, err := json.Marshal(functions.ReadRecordInput{Record: functions.RecordRules})
	if err != nil {
		return found{}, fmt.Errorf("write the input: %w", err)
	}
	at := found{name: wordDeployed, kept: map[string][]byte{}}
	err = v.at(ctx, v.url, func(ctx context.Context, host *client) error {
		answer, err := host.call(ctx, functions.ReadRecord, input)
		if err != nil {
			return err
		}
		out, err := decode[functions.ReadRecordOutput](answer)
		if err != nil {
			return err
		}
		if out.Rules == nil {
			return functions.Errorf(functions.Unavailable, "%s answered without rules", host.base).WithHint("is it an older version?")
		}
		for _, file := range out.Rules.Files {
			at.kept[file.Name] = []byte(file.Text)
		}
		return nil
	})
	return at, err
}

// gitPatience bounds what git may take. It reads a few small files of this machine.
const gitPatience = 30 * time.Second

// revision reads the rules of a git revision: the folder that it names behind a colon, as git does, else the folder that
// stands beside it in the comparison.
func (v versions) revision(ctx context.Context, word, beside string) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, gitPatience)
	defer cancel()
	unknown := functions.Errorf(functions.InvalidArgument, "%q names no version of the rules", word).WithHint(wordsOfAVersion)
	tree, folder := word, "."
	if !strings.Contains(word, ":") {
		if info, err := os.Stat(beside); err != nil || !info.IsDir() {
			return found{}, unknown.WithHint(fmt.Sprintf("%s; a revision alone means the folder %s, which is not here", wordsOfAVersion, beside))
		}
		folder = beside
		prefix, err := git(ctx, folder, "rev-parse", "--show-prefix")
		if err != nil {
			return found{}, notInGit(unknown, word, err)
		}
		tree = word + ":" + strings.TrimSuffix(strings.TrimRight(string(prefix), "\n"), "/")
	}
	id, err := git(ctx, folder, "rev-parse", "--verify", "--quiet", "--end-of-options", tree)
	if err != nil {
		return found{}, notInGit(unknown, word, err)
	}
	at := found{name: word, kept: nil}
	files := map[string][]byte{}
	for _, name := range rulebook.FileNames() {
		data, err := git(ctx, folder, "cat-file", "blob", strings.TrimSpace(string(id))+":"+name)
		if _, missing := errors.AsType[*exec.ExitError](err); missing {
			continue // the check says which file is missing
		}
		if err != nil {
			return found{}, fmt.Errorf("read %s of %s: %w", name, word, err)
		}
		files[name] = data
	}
	if len(files) == 0 {
		return found{}, functions.Errorf(functions.InvalidArgument, "%s holds no rule files", tree).WithHint("name the folder as well: " + word + ":rules")
	}
	at.files = rulebook.FilesFS(files)
	return at, nil
}

// notInGit says why a word is no revision.
func notInGit(unknown *functions.Error, word string, err error) error {
	switch failed, answered := errors.AsType[*exec.ExitError](err); {
	case errors.Is(err, exec.ErrNotFound):
		return unknown.WithHint(wordsOfAVersion + "; git is not installed here, so revisions cannot be read").WithCause(err)
	case answered && bytes.Contains(failed.Stderr, []byte("not a git repository")):
		return functions.Errorf(functions.InvalidArgument, "%q is no folder, and this is no git repository", word).WithHint(wordsOfAVersion)
	case answered:
		return unknown
	default:
		return fmt.Errorf("ask git for %s: %w", word, err)
	}
}

// git runs git in a folder and gives what it writes.
func git(ctx context.Context, folder string, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "git", append([]string{"-C", folder}, arguments...)...) //nolint:gosec // revisions follow --end-of-options
	command.Env = append(os.Environ(), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0")
	return command.Output()
}
