package destination

import (
	"regexp"
	"slices"

	"github.com/retentionops/retentionops/functions"
)

// plainWord is what a folder may be called: it becomes a part of a path, of an object's name and of a link.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)

// CheckPlace reports invalid_argument when no audience can lie there. Drivers call it before anything else.
func CheckPlace(folder string, date functions.Date, tier functions.Tier) error {
	switch {
	case folder != "" && !plainWord.MatchString(folder):
		return functions.Errorf(functions.InvalidArgument, "export folder %q is not one plain word", folder).
			WithHint("write at most 63 letters, digits, - and _, or nothing")
	case !date.IsValid():
		return functions.Errorf(functions.InvalidArgument, "date %s is not a day", date).WithHint("write YYYY-MM-DD")
	case !slices.Contains(functions.Tiers, tier):
		return functions.Errorf(functions.InvalidArgument, "tier %q is not known", string(tier)).WithHint("valid: P1, P2, P3")
	}
	return nil
}

// CSVName is the name under which a driver that keeps files or objects keeps an audience: [folder/]2026-01-12_P1.csv.
func CSVName(folder string, date functions.Date, tier functions.Tier) (string, error) {
	if err := CheckPlace(folder, date, tier); err != nil {
		return "", err
	}
	name := date.String() + "_" + string(tier) + ".csv"
	if folder != "" {
		name = folder + "/" + name
	}
	return name, nil
}
