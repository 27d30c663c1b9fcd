package scheme_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/scheme"
)

// shelf stands for what a driver opens.
type shelf struct{ at string }

func openShelf(_ context.Context, u *url.URL) (shelf, error) { return shelf{at: u.Path}, nil }

func Example() {
	var drivers scheme.Registry[shelf]
	drivers.Register("oak", openShelf) // a driver's init does this

	opened, err := drivers.Open(context.Background(), "shelf", "oak:///top")
	fmt.Println(opened.at, err)

	_, err = drivers.Open(context.Background(), "shelf", "pine:///top")
	fmt.Println(err)
	// Output:
	// /top <nil>
	// failed_precondition: no shelf driver for "pine://" is linked in this program
}

func TestOpen(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var drivers, empty scheme.Registry[shelf]
	drivers.Register("oak", openShelf)
	drivers.Register("elm", func(context.Context, *url.URL) (shelf, error) { return shelf{}, broken })

	for _, c := range []struct {
		name     string
		registry *scheme.Registry[shelf]
		url      string
		want     shelf
		code     functions.Code
		hint     string
	}{
		{"a known scheme opens", &drivers, "oak:///a/b", shelf{"/a/b"}, "", ""},
		{"a scheme in capitals is the same scheme", &drivers, "OAK:///a", shelf{"/a"}, "", ""},
		{"an unknown scheme is answered with those linked", &drivers, "pine:///a", shelf{}, functions.FailedPrecondition, "linked here: elm://, oak://"},
		{"no scheme is answered with those linked", &drivers, "/a/b", shelf{}, functions.FailedPrecondition, "write scheme://…; linked here: elm://, oak://"},
		{"an empty registry says so", &empty, "oak:///a", shelf{}, functions.FailedPrecondition, "linked here: none"},
		{"what is no URL is refused", &drivers, "oak://[", shelf{}, functions.FailedPrecondition, "write scheme://…; linked here: elm://, oak://"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.registry.Open(t.Context(), "shelf", c.url)
			if code := functions.CodeOf(err); code != c.code {
				t.Fatalf("got code %q (%v), want %q", code, err, c.code)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(shelf{})); diff != "" {
				t.Errorf("opened (-want +got):\n%s", diff)
			}
			var coded *functions.Error
			if errors.As(err, &coded) && coded.Hint != c.hint {
				t.Errorf("got hint %q, want %q", coded.Hint, c.hint)
			}
		})
	}

	if _, err := drivers.Open(t.Context(), "shelf", "elm:///a"); !errors.Is(err, broken) {
		t.Errorf("got %v, want the driver's own error", err)
	}
}

func TestAURLIsNotRepeatedInAnError(t *testing.T) {
	t.Parallel()
	var drivers scheme.Registry[shelf]
	for _, text := range []string{"pine://user:hunter2@host/a", "pine://user:hunter2@[", "pine://user:hunter2@host/%zz"} {
		_, err := drivers.Open(t.Context(), "shelf", text)
		problem := functions.ProblemOf(err, "01RUN")
		if told := problem.Detail + problem.Hint + err.Error(); strings.Contains(told, "hunter2") {
			t.Errorf("%q gives away the password", told)
		}
	}
}

func TestASchemeIsRegisteredOnce(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("the second registration did not panic")
		}
	}()
	var drivers scheme.Registry[shelf]
	drivers.Register("oak", openShelf)
	drivers.Register("oak", openShelf)
}
