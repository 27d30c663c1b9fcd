package setup

import (
	"context"

	"github.com/retentionops/retentionops/functions/internal/archive"
	"github.com/retentionops/retentionops/functions/internal/exclusion"
)

// Exclusions are the customers never to be contacted, as RETENTIONOPS_EXCLUSIONS names their list; nil when it names
// none. The list is read anew by every call: who opts out must not be contacted by a program that was started before.
func (e *Env) Exclusions(ctx context.Context) (*exclusion.List, error) {
	settings, err := ReadSettings[exclusion.Settings](ctx, e)
	if err != nil {
		return nil, err
	}
	return exclusion.Reader{
		Settings: settings,
		Folder: func(ctx context.Context, url string) (archive.Archive, error) {
			return e.exclusions.Get(func() (archive.Archive, error) {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout) // it outlives this call
				defer cancel()
				return archive.Open(ctx, url)
			})
		},
		Table: func(ctx context.Context) (exclusion.Table, error) {
			return e.Warehouse(ctx)
		},
	}.Read(ctx)
}
