package directory

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/retentionops/retentionops/functions"
)

// passing are the faults that may be gone when the same is tried again.
var passing = []error{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.EINTR, syscall.EAGAIN,
	syscall.EBUSY, syscall.ETIMEDOUT, syscall.ESTALE, syscall.EIO,
}

// mendable are the faults that the owner of the directory can mend.
var mendable = []error{
	fs.ErrPermission, fs.ErrExist, fs.ErrNotExist, syscall.EROFS, syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.ENOTSUP,
}

// Fault gives an error of the file system its code; an error that has one keeps it. Paths stay in the cause.
func Fault(doing string, err error) error {
	is := func(target error) bool { return errors.Is(err, target) }
	_, coded := errors.AsType[*functions.Error](err)
	switch {
	case err == nil || coded:
		return err
	case functions.CodeOf(err) != functions.Internal: // a context that ended
		return functions.Errorf(functions.CodeOf(err), "%s was cut short", doing).WithCause(err)
	case slices.ContainsFunc(passing, is):
		return functions.Errorf(functions.Unavailable, "%s is not possible right now", doing).WithCause(err).
			WithHint("try again; look at free space, quota and open files")
	case slices.ContainsFunc(mendable, is):
		return functions.Errorf(functions.FailedPrecondition, "%s is not possible in this directory", doing).WithCause(err).
			WithHint("look at the directory's rights, its file system, and what else lies in it")
	default:
		return functions.Errorf(functions.Internal, "%s went wrong", doing).WithCause(err)
	}
}
