package audience

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/destination"
)

// Digest stands for exactly these rows in this order, the rules that judged them, where they go (the target, and the
// place that Exporter.Place tells) and in which form. The same queue built twice has one digest.
func Digest(a destination.Audience, rulesVersion string, target functions.Target, place string, s Settings) string {
	d := digest{to: sha256.New()}
	d.words("retentionops audience 2", a.Date.String(), string(a.Tier), a.Folder, rulesVersion, string(target), place, s.Delimiter.String())
	if s.BOM {
		d.words("bom")
	}
	d.count(len(a.Columns))
	for _, column := range a.Columns {
		d.words(column.Name)
	}
	d.count(len(a.Rows))
	for _, row := range a.Rows {
		d.words(row...)
	}
	return hex.EncodeToString(d.to.Sum(nil))
}

type digest struct{ to hash.Hash }

// words adds texts, each with its length before it, so that no two lists of texts give the same bytes.
func (d digest) words(texts ...string) {
	for _, text := range texts {
		d.count(len(text))
		_, _ = io.WriteString(d.to, text) // a hash takes everything
	}
}

func (d digest) count(n int) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(n))
	_, _ = d.to.Write(size[:])
}

// Place stands for where the audiences of a target go, and does not tell it: the URL of a place may be nobody's business.
func (e *Exporter) Place(target functions.Target) string {
	d := digest{to: sha256.New()}
	if target != functions.TargetGSheet {
		d.words("csv", e.CSVAt)
	}
	if target != functions.TargetCSV {
		d.words("gsheet", e.SheetsAt)
	}
	return hex.EncodeToString(d.to.Sum(nil))
}
