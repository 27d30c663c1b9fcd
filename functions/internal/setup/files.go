package setup

import (
	"context"
	"io/fs"
	"net/url"
	"os"
	"strings"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
	"github.com/retentionops/retentionops/functions/internal/rulebook"
	"github.com/retentionops/retentionops/rules"
)

// Rules is the rulebook: built in, or from what RETENTIONOPS_RULES names. Files at fault are failed_precondition with
// every finding as the cause.
//
// A folder counts as it stands now: an edit holds from the next call on, and no call is answered by rules that are no
// longer there, so that a phase set to disabled stops even when another line is broken. Files in a bucket are published:
// they are looked at again every few minutes, and when they are at fault the last sound ones stay (RulesStale).
func (e *Env) Rules(ctx context.Context) (*rulebook.Book, error) {
	config, err := e.Config(ctx)
	if err != nil {
		return nil, err
	}
	load := func(files fs.FS) (*rulebook.Book, error) {
		book, err := rulebook.Load(files)
		if err != nil {
			return nil, functions.Errorf(functions.FailedPrecondition, "the rule files are at fault").
				WithHint(strings.TrimSpace("retentionops rules check "+config.Rules) + " names each place").WithCause(err)
		}
		if e.options.Phase != "" {
			book = book.WithPhase(e.options.Phase)
		}
		if e.options.Mail != nil {
			book = book.WithMail(*e.options.Mail)
		}
		return book, nil
	}
	if isPublished(config.Rules) {
		return e.publishedRules.get(ctx, e, config.Rules, "rules", ".yaml", load)
	}
	files, err := folder(config.Rules, rules.FS, "RETENTIONOPS_RULES")
	if err != nil {
		return nil, err
	}
	return e.book.get(files, func() (*rulebook.Book, error) { return load(files) })
}

// Templates are the brief templates: built in, or from what RETENTIONOPS_TEMPLATES names, in the manner of Rules.
func (e *Env) Templates(ctx context.Context) (*brief.Templates, error) {
	config, err := e.Config(ctx)
	if err != nil {
		return nil, err
	}
	load := func(files fs.FS) (*brief.Templates, error) {
		templates, err := brief.Load(files)
		if err != nil {
			return nil, functions.Errorf(functions.FailedPrecondition, "the brief templates are at fault").
				WithHint(strings.TrimSpace("retentionops brief check "+config.Templates) + " names each place").WithCause(err)
		}
		return templates, nil
	}
	if isPublished(config.Templates) {
		return e.publishedTemplates.get(ctx, e, config.Templates, "templates", ".tmpl", load)
	}
	files, err := folder(config.Templates, brieftemplates.FS, "RETENTIONOPS_TEMPLATES")
	if err != nil {
		return nil, err
	}
	return e.templates.get(files, func() (*brief.Templates, error) { return load(files) })
}

// RulesStale tells whether older rules or templates are in force than those that are published, because these are at
// fault or could not be read. The log says why.
func (e *Env) RulesStale() bool { return e.publishedRules.isStale() || e.publishedTemplates.isStale() }

// folder is the folder that the setting names by path or file URL, else what is built in.
func folder(setting string, builtIn fs.FS, variable string) (fs.FS, error) {
	if setting == "" {
		return builtIn, nil
	}
	path := setting
	if u, err := url.Parse(setting); err == nil && u.Scheme == "file" {
		path = u.Path
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil, functions.Errorf(functions.FailedPrecondition, "%s does not name a folder", variable).
			WithHint("or --rules or --templates, which stand in for it").WithCause(err)
	}
	return os.DirFS(path), nil
}
