package rulebook

import (
	"io/fs"
	"slices"
)

// Check reads, checks and compiles the rule files and reports every problem at once. The book is nil when there is an
// error among the findings; with warnings and notes alone it can be used.
func Check(files fs.FS) (*Book, Findings) { return load(files, &collector{}) }

func load(files fs.FS, out *collector) (*Book, Findings) {
	vocabulary, fieldsData := loadVocabulary(files, out)
	priority, priorityData := loadPriority(files, vocabulary, out)
	playbooks := loadPlaybooks(files, out)
	phase, rollouts := loadRollout(files, out)
	monitoring, silences := loadMonitoring(files, out), loadSilences(files, out)
	if out.findings.Errors() == 0 {
		playbooks.warnOfSilentMail(rollouts[phase])
	}
	findings := out.sorted()
	if findings.Errors() > 0 {
		// What the rules mean is of no use to somebody who must first mend them.
		return nil, slices.DeleteFunc(findings, func(f Finding) bool { return f.Severity == SeverityNote })
	}
	book := newBook(vocabulary, priority, fieldsData, priorityData)
	book.playbooks, book.rollouts, book.phase = playbooks, rollouts, phase
	book.monitoring, book.silences = monitoring, silences
	return book, findings
}

// newBook makes a book that judges of the two files that say how.
func newBook(v *vocabulary, p *priority, fieldsData, priorityData []byte) *Book {
	judging := map[string][]byte{fieldsFile: fieldsData, priorityFile: priorityData}
	return &Book{version: versionOf(judging), files: judging, vocabulary: v, priority: p}
}
