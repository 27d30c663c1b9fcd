package gcsbucket

import (
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"google.golang.org/api/storage/v1"
)

// describe is what the bucket is told of an object before its content. The bucket refuses a content of another sum, so
// that what lies there is what was meant.
func (b *Bucket) describe(name string, content Content) (object *storage.Object, size uint64, err error) {
	sum := newSum()
	written, err := content.Body.WriteTo(sum)
	if err != nil {
		return nil, 0, bodyFault(err)
	}
	return &storage.Object{
		Name: b.Object(name), ContentType: content.Type, ContentDisposition: content.Disposition,
		CacheControl: "private, no-store", // it tells of customers
		Crc32c:       text(sum),
	}, uint64(written), nil
}

func newSum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// text is a sum as Cloud Storage writes it.
func text(sum hash.Hash32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
}

// checkSum compares what was read with the sum that came along. A difference is a broken transfer: the next may be good.
func checkSum(answer *http.Response, content []byte) error {
	if answer.Uncompressed {
		return nil // the sum is that of the compressed bytes
	}
	for _, header := range answer.Header.Values("X-Goog-Hash") {
		for part := range strings.SplitSeq(header, ",") {
			told, found := strings.CutPrefix(strings.TrimSpace(part), "crc32c=")
			if !found {
				continue
			}
			sum := newSum()
			_, _ = sum.Write(content) // a hash never fails to take bytes
			if text(sum) != told {
				return io.ErrUnexpectedEOF
			}
		}
	}
	return nil
}
