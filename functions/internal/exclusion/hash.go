package exclusion

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// HashLines writes a list of hashes for lines of one id each. What is a hash already stays, so that ids can be added to
// a list of hashes and the whole be hashed again. Without a key it is failed_precondition.
func (s Settings) HashLines(in io.Reader, out io.Writer) error {
	if s.key() == "" {
		return fault(varKey+" is not set", "set it to the key of the list: at least 16 bytes, such as those of: openssl rand -hex 32")
	}
	if err := s.CheckKey(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, column); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	list := newList(s.key())
	lines := bufio.NewScanner(in)
	for line := 1; lines.Scan(); line++ {
		entry := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\uFEFF"))
		switch {
		case entry == "" || line == 1 && isColumn(entry):
			continue
		case strings.ContainsAny(entry, separators) || strings.Contains(entry, `"`):
			return fault(fmt.Sprintf("line %d holds more than one value", line), "write one id a line, and nothing else")
		case meantAsHash.MatchString(entry):
			if b := list.addHash(entry); b != nil {
				return fault(fmt.Sprintf("line %d %s", line, b.what), b.hint)
			}
		default:
			entry = Hash(s.key(), entry)
		}
		if _, err := fmt.Fprintln(out, entry); err != nil {
			return fmt.Errorf("write the list: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fault("the ids cannot be read", "write one id a line, in a text file").WithCause(err)
	}
	return nil
}
