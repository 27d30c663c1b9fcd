package rulebook

import (
	"io/fs"

	"github.com/retentionops/retentionops/functions"
)

// LoadJudging reads the two files that judge, as the archive keeps them of every version that was used. They were
// checked before they judged, so what they mean is not proven again: a check that has become stricter since keeps nobody
// from asking why. The book judges and explains; it has no playbooks, and its phase is disabled. The error is Findings
// when the files are at fault.
func LoadJudging(files fs.FS) (*Book, error) {
	out := &collector{kept: true}
	vocabulary, fieldsData := loadVocabulary(files, out)
	priority, priorityData := loadPriority(files, vocabulary, out)
	if findings := out.sorted(); findings.Errors() > 0 {
		return nil, findings
	}
	book := newBook(vocabulary, priority, fieldsData, priorityData)
	book.playbooks, book.rollouts, book.phase = &playbooks{}, map[functions.Phase]Rollout{}, functions.PhaseDisabled
	return book, nil
}

// LoadKept is LoadJudging for files by name, as Files gives them.
func LoadKept(files map[string][]byte) (*Book, error) { return LoadJudging(FilesFS(files)) }

// FilesFS is a folder that holds these files, by name.
func FilesFS(files map[string][]byte) fs.FS { return overlay{noFiles{}, files} }

// noFiles is a folder without files.
type noFiles struct{}

// Open implements fs.FS.
func (noFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// Judging are the names of the files that judge. A version stands for exactly these.
func Judging() []string { return []string{fieldsFile, priorityFile} }
