package shop

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// The first bytes of the kinds of file that an orders file may be, or be taken for.
const (
	magicGzip = "\x1f\x8b"
	magicZip  = "PK\x03\x04"
	magicOLE  = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" // an old .xls, and a workbook with a password
)

// openOrders opens a file by what its name claims and makes sure that it is that.
func openOrders(path string) (kind string, source rowSource, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil, unusable(path, "is not there").WithCause(err)
	case err != nil:
		return "", nil, unusable(path, "cannot be opened").WithCause(err)
	case info.IsDir():
		return "", nil, unusable(path, "is a directory")
	case info.Mode().IsRegular() && info.Size() == 0:
		return "", nil, unusable(path, "is empty")
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file to import
	if err != nil {
		return "", nil, unusable(path, "cannot be opened").WithCause(err)
	}
	start := bufio.NewReaderSize(file, lineLimit)
	if kind, err = kindOf(path, start); err == nil {
		switch kind {
		case "xlsx":
			source, err = openWorkbook(path)
			err = errors.Join(err, file.Close())
			return kind, source, err
		case "csv.gz":
			source, err = openGzip(path, start, file)
		default:
			source, err = newCSVRows(path, start, file)
		}
	}
	if err != nil {
		return kind, nil, errors.Join(err, file.Close())
	}
	return kind, source, nil
}

// kindOf compares the name of a file with its first bytes.
func kindOf(path string, start *bufio.Reader) (string, error) {
	first, err := start.Peek(len(magicOLE))
	if err != nil && !errors.Is(err, io.EOF) {
		return "", unusable(path, "cannot be read").WithCause(err)
	}
	holds := "text"
	for magic, name := range map[string]string{
		magicGzip: "gzip", magicZip: "zip or workbook", magicOLE: "old .xls, or workbook with a password",
	} {
		if bytes.HasPrefix(first, []byte(magic)) {
			holds = name
		}
	}
	name, kind, want := strings.ToLower(path), "", ""
	switch {
	case strings.HasSuffix(name, ".csv"):
		kind, want = "csv", "text"
	case strings.HasSuffix(name, ".csv.gz"):
		kind, want = "csv.gz", "gzip"
	case strings.HasSuffix(name, ".xlsx"):
		kind, want = "xlsx", "zip or workbook"
	default:
		return "", unusable(path, "has none of the endings .csv, .csv.gz, .xlsx (unpack an archive first)")
	}
	if holds != want {
		return "", unusable(path, "is not what its name claims: it holds %s, not %s", holds, kind)
	}
	return kind, nil
}

func openGzip(path string, start io.Reader, file io.Closer) (rowSource, error) {
	unpacked, err := gzip.NewReader(start)
	if err != nil {
		return nil, damaged(path, fmt.Errorf("open gzip: %w", err))
	}
	return newCSVRows(path, unpacked, file)
}
